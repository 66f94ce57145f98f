import { expect, test } from "vitest";
import { type Entry, evaluate } from "./logql.ts";

const NOW = 1_000_000;

/** A line of a program, some seconds ago, with the labels that the shipper gives it. */
function entry(secondsAgo: number, fields: Readonly<Record<string, unknown>>): Entry {
  const { job = "monitor", level = "info" } = fields as Record<string, string>;
  return { labels: { job, level }, line: JSON.stringify(fields), atMs: NOW - 1000 * secondsAgo };
}

const ENTRIES: readonly Entry[] = [
  entry(10, {
    job: "monitor",
    unix_ts: 990,
    mode: "auto",
    at: { rule: "strong" },
    list: [1],
    message: "acted",
  }),
  entry(20, { job: "monitor", unix_ts: 980, mode: "auto", message: "acted" }),
  entry(30, { job: "monitor", unix_ts: 970, mode: "shadow", message: "acted" }),
  entry(40, { job: "api", unix_ts: 960, level: "warn", message: "not acted" }),
  { labels: { job: "monitor", level: "info" }, line: '{"mode":"auto","message":"acted', atMs: NOW - 5000 },
];

const vector = (query: string) => {
  const answer = evaluate(query, ENTRIES, NOW);
  if (answer.kind !== "vector") throw new Error("not a vector");
  return answer.samples;
};
const lines = (query: string) => {
  const answer = evaluate(query, ENTRIES, NOW);
  if (answer.kind !== "lines") throw new Error("no lines");
  return answer.lines;
};

test("selectors, line filters, fields and label filters", () => {
  expect(lines('{job="monitor"}')).toHaveLength(4);
  expect(lines('{job=~"mon.*|api", level!="info"}')).toHaveLength(1);
  expect(lines('{job=~"mon"}')).toHaveLength(0);
  expect(lines('{job!~"mon.*", level=~".+"}')).toHaveLength(1);
  expect(lines('{job="monitor"} |= "acted" |= "auto"')).toHaveLength(3);
  const [first] = lines('{job="monitor"} | json | mode="auto" | at_rule="strong"');
  expect(first?.labels).toMatchObject({ job_extracted: "monitor", unix_ts: "990", at_rule: "strong" });
  expect(first?.labels).not.toHaveProperty("list");
  expect(lines('{job="api"} | json | line_format "{{.level}}: {{ .message }}"')[0]?.line).toBe(
    "warn: not acted",
  );
});

test("numbers over time", () => {
  expect(vector('sum(count_over_time({job="monitor"} |= "acted" | json | mode="auto" [25s]))')).toEqual([
    { labels: {}, value: 2 },
  ]);
  expect(
    vector('max by () (max_over_time({job="monitor"} | json | mode="auto" | unwrap unix_ts [1h])) * 1000'),
  ).toEqual([{ labels: {}, value: 990_000 }]);
  expect(vector('sum by (level) (count_over_time({job=~".+"}[1m]))')).toEqual([
    { labels: { level: "info" }, value: 4 },
    { labels: { level: "warn" }, value: 1 },
  ]);
  expect(vector('sum(count_over_time({job="nobody"}[1m]))')).toEqual([]);
  expect(vector('sum(count_over_time({job="api"}[39s]))')).toEqual([]);
  expect(vector('absent_over_time({job="nobody"}[1m])')).toEqual([{ labels: { job: "nobody" }, value: 1 }]);
  expect(vector('absent_over_time({job="api"}[1m])')).toEqual([]);
  expect(vector('sum by (job) (count_over_time({job=~".+"}[1m])) > 2')).toHaveLength(1);
});

test("what fails in Loki fails here", () => {
  // A line that was cut short, read as JSON without a filter behind.
  expect(() => vector('sum(count_over_time({job="monitor"} | json [1m]))')).toThrow("JSONParserErr");
  expect(() => vector('max(max_over_time({job="api"} | json | unwrap message [1m]))')).toThrow(
    "SampleExtractionErr",
  );
  expect(() => lines('{job=~".*"}')).toThrow("needs a matcher");
  expect(() => lines("{}")).toThrow(/not LogQL|not known|needs a matcher/);
  expect(() => lines('{job="a"} | json | mode=auto')).toThrow("not LogQL");
  expect(() => lines('{job="a"')).toThrow("not LogQL");
});

test.each([
  '{job="monitor"} | logfmt',
  '{job="monitor"} !~ "x"',
  '{job="monitor"} != "x"',
  '{job="monitor"} | json | unix_ts > 3',
  'rate({job="monitor"}[1m])',
  'avg(count_over_time({job="monitor"}[1m]))',
  'sum without (job) (count_over_time({job="monitor"}[1m]))',
  'count_over_time({job="monitor"}[1m]) / count_over_time({job="monitor"}[2m])',
  '{job="monitor"} | json | line_format "{{ .message | ToUpper }}"',
])("what is not known is refused: %s", (query) => {
  expect(() => evaluate(query, ENTRIES, NOW)).toThrow("not known here");
});
