import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { createMetricsReporter } from "./metrics.ts";
import { blindOf, decisionOf, INTENT, outcomeOf, recordOf, reportOf } from "./report.testkit.ts";

function setup() {
  const registry = new Registry();
  return { registry, reporter: createMetricsReporter(registry) };
}

/** Sample lines of one metric. */
async function series(registry: Registry, name: string): Promise<string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

const L = '{target="product-api",signal="p95_latency"}';
const B = '{target="product-api",signal="backlog"}';

describe("the monitor's metrics", () => {
  it("show the newest cycle, and what is unknown has no series", async () => {
    const { registry, reporter } = setup();
    reporter.cycle(reportOf());
    expect(await series(registry, "predict_forecast")).toEqual([`predict_forecast${L} 6500.123456`]);
    expect(await series(registry, "predict_probability")).toEqual([`predict_probability${L} 1`]);
    expect(await series(registry, "predict_r2")).toEqual([`predict_r2${L} 0.98765432`]);
    expect(await series(registry, "predict_observed")).toEqual([`predict_observed${L} 1234.56789`]);
    expect(await series(registry, "predict_in_risk_state")).toEqual([
      `predict_in_risk_state${B} 0`,
      `predict_in_risk_state${L} 1`,
    ]);
    expect(await series(registry, "predict_slo")).toContain(`predict_slo${L} 300`);
    expect(await series(registry, "predict_hard_limit")).toContain(`predict_hard_limit${L} 5000`);
    expect(await series(registry, "predict_cooldown_active")).toEqual([
      'predict_cooldown_active{target="product-api"} 0',
    ]);
    expect(await series(registry, "predict_since_last_mitigation_seconds")).toEqual([
      'predict_since_last_mitigation_seconds{target="product-api"} 0.4',
    ]);
    expect(await series(registry, "predict_decisions_total")).toEqual([
      'predict_decisions_total{reason="data_missing"} 1',
      'predict_decisions_total{reason="pre_timeout"} 1',
    ]);
    expect(await series(registry, "predict_source_up")).toEqual(['predict_source_up{source="prometheus"} 1']);
    expect(await series(registry, "predict_observations_total")).toContain(
      'predict_observations_total{source="prometheus",status="missing"} 1',
    );
    expect(await series(registry, "predict_cycles_total")).toEqual(["predict_cycles_total 1"]);
    expect(await series(registry, "predict_cycle_duration_seconds_sum")).toEqual([
      "predict_cycle_duration_seconds_sum 0.125",
    ]);
  });

  it("forget what is no longer known, so that an old forecast is not shown as a new one", async () => {
    const { registry, reporter } = setup();
    reporter.cycle(reportOf());
    reporter.cycle(
      reportOf({ decisions: [blindOf({ signal: "p95_latency" })], sinceByTarget: new Map(), sources: [] }),
    );
    for (const name of ["predict_forecast", "predict_probability", "predict_r2", "predict_observed"])
      expect(await series(registry, name), name).toEqual([]);
    expect(await series(registry, "predict_since_last_mitigation_seconds")).toEqual([]);
    expect(await series(registry, "predict_cycles_total")).toEqual(["predict_cycles_total 2"]);
  });

  it("drop the series of a target that is gone", async () => {
    const { registry, reporter } = setup();
    reporter.cycle(reportOf());
    reporter.cycle(reportOf({ decisions: [decisionOf({ target: "other" })] }));
    const text = await registry.metrics();
    expect(text).not.toMatch(/predict_(forecast|slo|cooldown_active)\{target="product-api"/);
  });

  it("count mitigations from 0 before there was one, and say when a source is down", async () => {
    const { registry, reporter } = setup();
    const down = { ...reportOf().sources[0]!, ok: 0, missing: 0, unreachable: 2 };
    reporter.cycle(reportOf({ sinceByTarget: new Map(), sources: [down] }));
    const counted = await series(registry, "predict_mitigations_total");
    expect(counted.map((line) => line.split(" ").at(-1))).toEqual(Array.from({ length: 10 }, () => "0"));
    for (const outcome of ["applied", "partial", "refused", "failed", "unknown"])
      expect(counted.filter((line) => line.includes(`outcome="${outcome}"`))).toHaveLength(2);
    expect(await series(registry, "predict_since_last_mitigation_seconds")).toEqual([]);
    expect(await series(registry, "predict_source_up")).toEqual(['predict_source_up{source="prometheus"} 0']);
  });

  it("count every mitigation once, at its end", async () => {
    const { registry, reporter } = setup();
    reporter.action(recordOf());
    reporter.action(recordOf({ outcome: undefined }));
    reporter.reconciled(INTENT, outcomeOf("unknown"));
    reporter.action(recordOf({ mode: "shadow", outcome: undefined }));
    const name = 'predict_mitigations_total{target="product-api",signal="p95_latency",outcome=';
    expect(await series(registry, "predict_mitigations_total")).toEqual([
      `${name}"applied"} 1`,
      `${name}"unknown"} 1`,
      `${name}"shadow"} 1`,
    ]);
  });

  it("count notices by event", async () => {
    const { registry, reporter } = setup();
    reporter.notice("journal unavailable", { error: "ENOSPC" });
    expect(await series(registry, "predict_notices_total")).toEqual([
      'predict_notices_total{event="journal unavailable"} 1',
    ]);
  });
});
