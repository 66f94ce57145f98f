import { describe, expect, test } from "vitest";
import { observedMs, usualStepMs } from "./history.ts";
import { readLabels } from "./labels.ts";
import { createSampleReader } from "./samples.ts";

const HEADER = "target,signal,timestamp,value\n";

function read(text: string, chunk = 7) {
  const reader = createSampleReader({ file: "in.csv", signals: ["p95_latency", "memory"] });
  for (let at = 0; at < text.length; at += chunk) reader.push(text.slice(at, at + chunk));
  return reader.end();
}

describe("createSampleReader", () => {
  test("collects series that come mixed, in order of appearance, with what is missing as NaN", () => {
    const history = read(
      `${HEADER}b,memory,10,1e6\na,p95_latency,10,\nb,memory,20,NaN\na,p95_latency,40.5,-3\nb,p95_latency,11,7\n`,
    );
    expect(history.samples).toBe(3);
    expect(
      history.series.map((s) => ({
        key: `${s.target}/${s.signal}`,
        times: [...s.timesMs.subarray(0, s.count)],
        values: [...s.values.subarray(0, s.count)],
      })),
    ).toEqual([
      { key: "b/memory", times: [10_000, 20_000], values: [1e6, Number.NaN] },
      { key: "a/p95_latency", times: [10_000, 40_500], values: [Number.NaN, -3] },
      { key: "b/p95_latency", times: [11_000], values: [7] },
    ]);
  });

  test("grows without losing a sample", () => {
    const rows = Array.from({ length: 5000 }, (_, i) => `a,memory,${i},${i * 2}`);
    const [series] = read(HEADER + rows.join("\r\n"), 1000).series;
    expect(series?.count).toBe(5000);
    expect([...(series?.values.subarray(0, 5000) ?? [])]).toEqual(rows.map((_, i) => i * 2));
  });

  test("blank lines are nothing, and still counted", () => {
    expect(() => read(`\n${HEADER}\n  \na,memory,1,x\n`)).toThrow("in.csv: line 5: value must be a number");
  });

  test.each([
    ["", "in.csv: empty; it must begin with the header target,signal,timestamp,value"],
    [HEADER, "in.csv: there is no row after the header"],
    ["a,memory,1,2\n", "in.csv: line 1: column target, signal, timestamp, value is missing"],
    [`${HEADER}a,memory,1\n`, "in.csv: line 2: 3 fields; there must be 4"],
    [`${HEADER}a,memory,1,2,3\n`, "in.csv: line 2: 5 fields; there must be 4"],
    [`${HEADER}a,cpu,1,2\n`, 'in.csv: line 2: unknown signal "cpu"; there is p95_latency, memory'],
    [`${HEADER},memory,1,2\n`, "in.csv: line 2: target must not be empty"],
    [`${HEADER}a,memory,5,2\na,memory,4,2\n`, "in.csv: line 3: timestamp 4 of a/memory comes after 5"],
    [
      `${HEADER}a,memory,5,2\nb,memory,1,1\na,memory,5,2\n`,
      "in.csv: line 4: timestamp 5 of a/memory is there twice",
    ],
    [`${HEADER}a,memory,-5,2\n`, "in.csv: line 2: timestamp must not be negative"],
  ])("%j is refused", (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe("observed time", () => {
  test("silences do not count, nor does what is missing, nor what lies after the end asked for", () => {
    const [series] = read(
      `${HEADER}a,memory,0,1\na,memory,30,1\na,memory,60,1\na,memory,90,\na,memory,120,1\na,memory,1000,1\na,memory,1030,1\n`,
    ).series;
    if (series === undefined) throw new Error("no series");
    expect(usualStepMs(series)).toBe(30_000);
    expect(observedMs(series, 300_000)).toBe(150_000);
    expect(observedMs(series, 50_000)).toBe(90_000);
    expect(observedMs(series, 300_000, 45_000)).toBe(45_000);
    expect(observedMs(series, 300_000, -1)).toBe(0);
  });
});

describe("readLabels", () => {
  const read = (rows: string) => readLabels(`target,signal,onset,breach\n${rows}`, "labels.csv");

  test("reads incidents, several a series, and healthy series", () => {
    const labels = read("a,memory,10,20\nb,memory,,\na,memory,30,30\nc,memory,5,\n");
    expect([...labels]).toEqual([
      [
        "a/memory",
        [
          { onsetMs: 10_000, breachMs: 20_000 },
          { onsetMs: 30_000, breachMs: 30_000 },
        ],
      ],
      ["b/memory", []],
      ["c/memory", []],
    ]);
  });

  test.each([
    ["a,memory,20,10\n", "labels.csv: line 2: breach 10 must not be before onset 20"],
    ["a,memory,,10\n", "labels.csv: line 2: onset must be given where breach is"],
    ["a,memory,1,2\na,memory,,\n", "labels.csv: line 3: a/memory has an incident already"],
    ["a,memory,,\na,memory,1,2\n", "labels.csv: line 3: a/memory is said to be healthy already"],
    [
      "a,memory,1,5\na,memory,5,6\n",
      "labels.csv: line 3: onset 5 must be after the last breach of a/memory, 5",
    ],
    ["a,memory,x,5\n", "labels.csv: line 2: onset must be a number of seconds"],
    ["a,memory,1\n", "labels.csv: line 2: 3 fields"],
  ])("%j is refused", (rows, message) => {
    expect(() => read(rows)).toThrow(message);
  });
});
