import { parser } from "@grafana/lezer-logql";
import { expect, test } from "vitest";
import { services } from "../../src/services/registry.ts";
import { durationSeconds, readRepository } from "../containers/compose.ts";
import { alertRules, lokiAlerts, metricsOf, prometheusAlerts, recordingRules, ruleFiles } from "./rules.ts";

const HEARTBEAT_MS = 240_000;

test("recording rules are named level:metric:operations", () => {
  expect(recordingRules.length).toBeGreaterThan(4);
  for (const { record } of recordingRules) expect(record).toMatch(/^[a-z]+(_[a-z]+)*:[a-z0-9_]+:[a-z0-9_]+$/);
});

test("the runbooks are those of the alerts, and of the monitor's own call for help", () => {
  const anchors = [...readRepository("docs/runbooks.md").matchAll(/^## (\w+)$/gm)].map((m) => m[1]);
  const alerts = new Set(alertRules.map((a) => a.alert));
  expect(anchors.filter((a) => a !== "SelfHealEscalation").sort()).toEqual([...alerts].sort());
});

test("every alert has a severity, a summary, a description and its runbook", () => {
  for (const { alert, labels, annotations } of alertRules) {
    expect(alert).toMatch(/^([A-Z][a-z0-9]+)+$/);
    expect(labels.severity, alert).toMatch(/^(critical|warning)$/);
    expect(annotations.summary, alert).toBeTruthy();
    expect(annotations.description, alert).toBeTruthy();
    expect(annotations.runbook_url).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
    expect(Object.keys(labels).filter((l) => l !== "severity" && l !== "containment")).toEqual([]);
  }
});

test("the alerts of the closed loops are for containment, and outlive a gap in the scrapes", () => {
  const containment = alertRules.filter((a) => a.labels.containment !== undefined);
  expect(containment.map((a) => a.alert).sort()).toEqual([
    "HighInvalidModelOutputs",
    "MlflowUnreachable",
    "PipelineBacklogHigh",
    "XaiDivergenceHigh",
  ]);
  for (const { labels, keep_firing_for } of containment) {
    expect(labels.containment).toBe("true");
    expect(durationSeconds(keep_firing_for ?? "0s")).toBeGreaterThanOrEqual(120);
  }
});

test("every metric that a rule reads is documented, recorded, or of the tools around", () => {
  const documented = [...readRepository("docs/metrics.md").matchAll(/^\| `(\w+)`/gm)].map((m) => m[1]);
  const recorded = recordingRules.map((r) => r.record);
  const foreign = /^(up|process_(resident_memory_bytes|start_time_seconds)|(prometheus|alertmanager)_\w+)$/;
  const read = [...prometheusAlerts, ...recordingRules].flatMap((r) => metricsOf(r.expr));
  expect(new Set(read).size).toBeGreaterThan(25);
  for (const name of read)
    if (!foreign.test(name))
      expect(
        [...documented, ...recorded, ...documented.map((d) => `${d}_bucket`)],
        `${name} is in no table`,
      ).toContain(name);
});

test("docs/alerting.md lists every alert with its severity and duration", () => {
  const rows = [...readRepository("docs/alerting.md").matchAll(/^\| `(\w+)` +\| (critical|warning).*$/gm)];
  const listed = rows.map((m) => {
    const cells = m[0].split("|").map((cell) => cell.trim().replaceAll("`", ""));
    return [cells[1], cells[2], cells[4]].join(" | ");
  });
  const real = alertRules.map((a) =>
    [a.alert, a.labels.severity + (a.labels.containment ? ", containment" : ""), a.for ?? ""].join(" | "),
  );
  expect(listed.sort()).toEqual([...new Set(real)].sort());
});

test("Loki watches the log of every job for longer than its heartbeat", () => {
  const jobs = lokiAlerts.map(({ alert, expr, for: lasts }) => {
    const errors: number[] = [];
    parser.parse(expr).iterate({ enter: (node) => void (node.type.isError && errors.push(node.from)) });
    expect(errors, expr).toEqual([]);
    const [, job, window] = /^absent_over_time\(\{job="([a-z-]+)"\}.*\[(\w+)\]\)$/.exec(expr) ?? [];
    expect(alert).toBe("MissingLogs");
    // Silence for the window, as long again: ten minutes in all. One heartbeat may be lost.
    expect(durationSeconds(window ?? "") + durationSeconds(lasts ?? "")).toBe(600);
    expect(durationSeconds(window ?? "") * 1000).toBeGreaterThan(HEARTBEAT_MS);
    expect(600_000).toBeGreaterThan(2 * HEARTBEAT_MS);
    return job;
  });
  expect(jobs.sort()).toEqual([...services.keys(), "predictive-monitor"].sort());
});

test("the judge of PromQL can say no", () => {
  expect(metricsOf('sum by (job) (rate(a_total{b="c"}[5m])) > 1 and d')).toEqual(["a_total", "d"]);
  expect(() => metricsOf("sum by (job (")).toThrow("not PromQL");
  expect(ruleFiles.length).toBeGreaterThan(5);
});
