import { globSync } from "node:fs";
import { parser as promql } from "@prometheus-io/lezer-promql";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { inRepository, readRepository } from "../containers/compose.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { built, filledIn, type Query, queriesOf, valuesOf } from "./dashboard.ts";
import { type Entry, evaluate } from "./logql.ts";
import { causeIncidents, causeMore, type Stage, setStage } from "./stage.ts";

// The platform runs, things happen to it, a real Prometheus reads it with the shipped configuration and rules, and then
// every query of every dashboard is asked.

/** Longest wait for every query to have had data. */
const PATIENCE_MS = 75_000;

let stage: Stage | undefined;
beforeAll(async () => {
  const [prometheus, alertmanager] = [serverPath("prometheus"), serverPath("alertmanager")];
  if (prometheus === undefined || alertmanager === undefined) return;
  stage = await setStage({ prometheus, alertmanager });
  await causeIncidents(stage);
}, 120_000);
afterAll(async () => {
  await stage?.world.end();
});

type Skipping = Parameters<typeof requireServer>[1];

function running(context: Skipping): Stage {
  requireServer("prometheus", context);
  requireServer("alertmanager", context);
  return stage as Stage;
}

/** Queries of all dashboards for one data source, as Grafana would send them on opening, or with everything chosen. */
function queries(type: string, choice: "opened" | "all" = "opened"): Query[] {
  return [...built.values()].flatMap((dashboard) =>
    queriesOf(dashboard)
      .filter((q) => q.type === type)
      .map((q) => ({
        ...q,
        expr: filledIn(q.expr, {
          values: valuesOf(dashboard, choice),
          range: "3m",
          rateInterval: "5s",
        }),
      })),
  );
}

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
}

const rules = globSync("prometheus/rules/*.yml", { cwd: inRepository(".") }).flatMap((file) =>
  (parse(readRepository(file)) as { groups: { rules: Rule[] }[] }).groups.flatMap((g) => g.rules),
);

interface Selector {
  readonly metric: string;
  /** The job that it names, as a matcher, or nothing. */
  readonly job: string;
  readonly labels: readonly string[];
}

/** The series that an expression asks for: metric, job, names of the labels that it chooses by. */
function selectors(expr: string): Selector[] {
  const found: Selector[] = [];
  promql.parse(expr).iterate({
    enter(node) {
      if (node.name !== "VectorSelector") return;
      const text = expr.slice(node.from, node.to);
      const [metric = "", inside = ""] = text.split(/[{}]/);
      const matchers = [...inside.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)];
      found.push({
        metric: metric.trim(),
        job: matchers.find((m) => m[1] === "job" && m[2] === "=")?.[0] ?? "",
        labels: matchers.map((m) => m[1] as string),
      });
    },
  });
  return found;
}

/** An alert that the playbook `contain-backlog` answers; once it has acted, the alert ends, and that is taken back. */
async function contain({ tell, logged }: Stage): Promise<void> {
  const acted = logged().some(
    ({ line }) => line.includes('"playbook":"contain-backlog"') && line.includes("mitigation executed"),
  );
  const alert = { name: "PipelineBacklogHigh", job: "telemetry-gateway" } as const;
  expect(await tell({ ...alert, status: acted ? "resolved" : "firing" })).toBe(200);
}

/** What held the monitor, where a query waits in vain for something that it does. */
function lastDecisions({ logged }: Stage): string {
  const cycles = logged().filter((e) => e.line.includes('"message":"prediction cycle"'));
  const { signals = [] } = JSON.parse(cycles.at(-1)?.line ?? "{}") as {
    signals?: { target: string; metric: string; decision_detail: string }[];
  };
  return signals
    .slice(0, 3)
    .map((s) => `${s.target} ${s.metric}: ${s.decision_detail}`)
    .join("; ");
}

function mitigated({ logged }: Stage): boolean {
  return logged().some(
    ({ line }) => line.includes('"target":"product-api"') && line.includes("mitigation executed"),
  );
}

test("every PromQL query of every panel, variable and recording rule returns data from a real Prometheus", async (context) => {
  const { prometheus } = running(context);
  const waiting = new Map<string, string>();
  for (const { where, expr } of queries("prometheus")) waiting.set(where, expr);
  for (const { record, expr } of rules) if (record !== undefined) waiting.set(`rule ${record}`, expr);
  const all = waiting.size;
  const end = performance.now() + PATIENCE_MS;
  let spread = false;
  while (waiting.size > 0 && performance.now() < end) {
    await contain(stage as Stage);
    if (!spread && mitigated(stage as Stage)) {
      spread = true;
      await causeMore(stage as Stage);
    }
    for (const [where, expr] of waiting) {
      const answer = await ask(prometheus.url, expr);
      expect(answer.status, `${where}: ${answer.error}: ${expr}`).toBe("success");
      expect(answer.warnings, where).toBeUndefined();
      if (hasNumbers(answer)) waiting.delete(where);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  process.stdout.write(`figure PromQL: ${all} queries executed, ${all - waiting.size} with data\n`);
  const missing = [...waiting].map(([where, expr]) => `${where}: no data: ${expr}`);
  expect(missing, `the monitor last said: ${lastDecisions(stage as Stage)}`).toEqual([]);
});

test("every alert runs on a real Prometheus, on series and labels that there are", async (context) => {
  const { prometheus } = running(context);
  const alerts = rules.filter((r) => r.alert !== undefined);
  let checked = 0;
  for (const { alert, expr } of alerts) {
    const answer = await ask(prometheus.url, expr);
    expect(answer.status, `${alert}: ${answer.error}`).toBe("success");
    expect(answer.warnings, alert).toBeUndefined();
    for (const { metric, job, labels } of selectors(expr)) {
      const series = await seriesOf(prometheus.url, `${metric}{${job}}`);
      expect(series.length, `${alert} asks for ${metric}{${job}}`).toBeGreaterThan(0);
      const named = new Set(series.flatMap((s) => Object.keys(s)));
      for (const label of labels) expect([...named], `${alert}: ${metric}`).toContain(label);
      checked += 1;
    }
  }
  process.stdout.write(`figure alerts: ${alerts.length} executed, ${checked} selectors with series\n`);
  expect(checked).toBeGreaterThanOrEqual(alerts.length);
});

test("every LogQL query matches the lines that the programs really wrote", (context) => {
  const entries = running(context).logged();
  const all = queries("loki");
  // What happened may have happened to a target that is not the first one shown.
  const wider = queries("loki", "all");
  const matched = (query: string): number => {
    const answer = evaluate(query, entries, Date.now());
    if (answer.kind === "scalar") throw new Error(`a number: ${query}`);
    return answer.kind === "lines" ? answer.lines.length : answer.samples.length;
  };
  const empty = all.filter(({ expr }, k) => matched(expr) === 0 && matched(wider[k]?.expr ?? "") === 0);
  process.stdout.write(
    `figure LogQL: ${all.length} queries on ${entries.length} lines, ${all.length - empty.length} with data\n`,
  );
  expect(empty.map(({ where, expr }) => `${where}: ${expr}`)).toEqual([]);
});

test("no alert on missing lines fires beside programs that log, and each would without them", (context) => {
  const entries = running(context).logged();
  const missing = globSync("loki/rules/**/*.yml", { cwd: inRepository(".") }).flatMap((file) =>
    (parse(readRepository(file)) as { groups: { rules: Rule[] }[] }).groups.flatMap((g) => g.rules),
  );
  expect(missing.length).toBeGreaterThan(5);
  for (const { expr } of missing) {
    expect(evaluate(expr, entries, Date.now()), expr).toEqual({ kind: "vector", samples: [] });
    const job = /job="([^"]+)"/.exec(expr)?.[1] ?? "";
    const others = entries.filter((e) => e.labels.job !== job);
    expect(evaluate(expr, others, Date.now()), expr).toEqual({
      kind: "vector",
      samples: [{ labels: { job }, value: 1 }],
    });
  }
});

test("the numbers from the logs are those of the log", (context) => {
  const entries = running(context).logged();
  const lines = entries.map((e) => JSON.parse(e.line) as Record<string, unknown>);
  const number = (title: string, of: readonly Entry[] = entries) => {
    const query = queries("loki").find((q) => q.where.includes(`/ ${title} /`));
    const answer = evaluate(query?.expr ?? "", of, Date.now());
    if (answer.kind !== "vector") throw new Error(`${title} is no number`);
    expect(answer.samples.length, title).toBeLessThanOrEqual(1);
    return answer.samples[0]?.value;
  };
  const auto = lines.filter(
    (l) =>
      l.job === "predictive-monitor" && l.message === "mitigation executed" && l.target === "product-api",
  );
  const manual = lines.filter((l) => l.job === "product-api" && l.message === "manual mitigation executed");
  expect(auto.length).toBeGreaterThan(0);
  expect(number("Mitigações Automáticas")).toBe(auto.length);
  expect(number("Mitigações Manuais")).toBe(manual.length);
  expect(number("Última Auto")).toBe(1000 * Math.max(...auto.map((l) => Number(l.unix_ts))));
  expect(number("Última Manual")).toBe(1000 * Math.max(...manual.map((l) => Number(l.unix_ts))));
  expect(number("Previsões Executadas")).toBe(lines.filter((l) => l.message === "prediction cycle").length);
  // The same lines from shadow mode: nothing was done, so nothing is counted, and the panel says so in words.
  const shadow = entries.map((e) => ({ ...e, line: e.line.replace('"mode":"auto"', '"mode":"shadow"') }));
  expect(number("Mitigações Automáticas", shadow)).toBeUndefined();
  expect(number("Última Auto", shadow)).toBeUndefined();
});

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data?: { readonly result: readonly { readonly values: readonly (readonly [number, string])[] }[] };
}

/** The last three minutes, second by second: what a panel would draw. */
async function ask(url: string, query: string): Promise<Answer> {
  const now = Date.now() / 1000;
  const answer = await fetch(`${url}/api/v1/query_range`, {
    method: "POST",
    body: new URLSearchParams({ query, start: String(now - 180), end: String(now), step: "1" }),
  });
  return (await answer.json()) as Answer;
}

function hasNumbers(answer: Answer): boolean {
  const rows = answer.data?.result ?? [];
  return rows.some((row) => row.values.some(([, value]) => Number.isFinite(Number(value))));
}

async function seriesOf(url: string, selector: string): Promise<Record<string, string>[]> {
  const answer = await fetch(`${url}/api/v1/series`, {
    method: "POST",
    body: new URLSearchParams({ "match[]": selector }),
  });
  return ((await answer.json()) as { data: Record<string, string>[] }).data;
}
