import { describe, expect, it } from "vitest";
import { openLog } from "../../common/telemetry/logger.ts";
import type { Outcome } from "../kernel/action.ts";
import { createLogReporter, rank } from "./log.ts";
import { blindOf, decisionOf, INTENT, outcomeOf, recordOf, reportOf } from "./report.testkit.ts";

function logged(tell: (reporter: ReturnType<typeof createLogReporter>) => void) {
  const lines: string[] = [];
  const log = openLog({
    job: "predictive-monitor",
    stream: { write: (line) => void lines.push(line) },
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  });
  tell(createLogReporter(log.logger));
  return lines.map((line) => {
    expect(line.endsWith("\n")).toBe(true);
    return JSON.parse(line) as Record<string, unknown>;
  });
}

/** Nothing nested: what a log store can index without being told how. */
function flat(fields: Record<string, unknown>) {
  return Object.entries(fields).filter(([, v]) => typeof v === "object" && v !== null);
}

describe("the prediction cycle line", () => {
  it("comes once a cycle, with the contract's fields, flat, the most urgent series first", () => {
    const lines = logged((r) => r.cycle(reportOf()));
    expect(lines).toHaveLength(1);
    const line = lines[0]!;
    expect(line).toMatchObject({
      level: "info",
      job: "predictive-monitor",
      message: "prediction cycle",
      ts: "2026-01-02T03:04:05.678Z",
      unix_ts: Math.floor(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000),
      breach_any: true,
      action_taken: "mitigation",
      since_last_mitigation_sec: 0,
      target: "product-api",
      metric: "p95_latency",
      current: 1234.57,
      forecast: 6500.12,
      slope: 29.25,
      r2: 0.987654,
      probability: 1,
      threshold: 300,
      in_risk_state: true,
      cooldown_active: false,
      decision: "pre_timeout",
    });
    expect(line.decision_detail).toMatch(/^acting: /);
    expect(flat(line).map(([key]) => key)).toEqual(["signals"]);
  });

  it("lists every signal with the same flat fields, unknown as null and never as zero", () => {
    const [line] = logged((r) => r.cycle(reportOf()));
    const signals = line!.signals as Record<string, unknown>[];
    expect(signals.map((s) => s.metric)).toEqual(["p95_latency", "backlog"]);
    for (const s of signals) {
      expect(flat(s)).toEqual([]);
      expect(Object.keys(s)).toEqual(Object.keys(signals[0]!));
    }
    expect(signals[1]).toMatchObject({
      current: null,
      forecast: null,
      slope: null,
      r2: null,
      probability: null,
      trigger: null,
      threshold: 300,
      decision: "data_missing",
      decision_detail: "not acting: no data (prometheus: no such series)",
    });
  });

  it("says null where there was no mitigation yet, and nothing of series where there are none", () => {
    const [line] = logged((r) => r.cycle(reportOf({ sinceLastMitigationS: undefined, decisions: [] })));
    expect(line).toMatchObject({ since_last_mitigation_sec: null, series: 0, signals: [] });
    expect(line).not.toHaveProperty("decision");
  });

  it("never prints what is not a number", () => {
    const odd = decisionOf({ current: Number.NaN });
    const [line] = logged((r) => r.cycle(reportOf({ decisions: [odd] })));
    expect(line!.current).toBeNull();
  });

  it("gives the end of a gate as a time", () => {
    const held = decisionOf({
      act: false,
      reason: "cooldown_active",
      untilMs: Date.UTC(2026, 0, 2, 3, 9, 5),
    });
    const [line] = logged((r) => r.cycle(reportOf({ decisions: [held] })));
    expect(line).toMatchObject({ decision: "cooldown_active", decision_until: "2026-01-02T03:09:05.000Z" });
  });

  it("stays below what log stores accept with thousands of series, and says how many it left out", () => {
    const decisions = [...Array(5000)].map((_, i) => blindOf({ target: `target-${i}` }));
    decisions.push(decisionOf());
    const [line] = logged((r) => r.cycle(reportOf({ decisions })));
    expect(JSON.stringify(line).length).toBeLessThan(64_000);
    expect(line).toMatchObject({ series: 5001, signals_omitted: 5001 - 64, metric: "p95_latency" });
  });
});

describe("the lines of an action", () => {
  it("mitigation executed: mode, metric, forecast and threshold, flat", () => {
    const [line] = logged((r) => r.action(recordOf()));
    expect(line).toMatchObject({
      level: "info",
      message: "mitigation executed",
      mode: "auto",
      target: "product-api",
      metric: "p95_latency",
      forecast: 6500.12,
      threshold: 5000,
      outcome: "applied",
      outcome_detail: "app:8000: said so",
      intent: "intent-1",
      decision: "pre_timeout",
    });
    expect(Number.isInteger(line!.unix_ts)).toBe(true);
    expect(flat(line!)).toEqual([]);
  });

  it.each<[Outcome["status"], string, string]>([
    ["partial", "warn", "mitigation executed"],
    ["failed", "error", "mitigation failed"],
    ["refused", "error", "mitigation refused"],
    ["dropped", "error", "mitigation dropped"],
  ])("that came to %s", (status, level, message) => {
    const [line] = logged((r) => r.action(recordOf({ outcome: outcomeOf(status) })));
    expect(line).toMatchObject({ level, message, outcome: status });
  });

  it("whose answer was lost claims nothing", () => {
    const [line] = logged((r) => r.action(recordOf({ outcome: undefined })));
    expect(line).toMatchObject({ level: "error", message: "mitigation outcome unknown" });
    expect(line).not.toHaveProperty("outcome");
  });

  it("in shadow mode says so, and has no outcome", () => {
    const [line] = logged((r) => r.action(recordOf({ mode: "shadow", outcome: undefined })));
    expect(line).toMatchObject({ level: "info", mode: "shadow", decision: "pre_timeout" });
    expect(line).not.toHaveProperty("outcome");
  });

  it("reconciled, and a notice, are warnings under their own names", () => {
    const lines = logged((r) => {
      r.reconciled(INTENT, outcomeOf("applied"));
      r.notice("warm-up failed", { source: "prometheus", detail: "down" });
    });
    expect(lines).toMatchObject([
      { level: "warn", message: "mitigation reconciled", intent: "intent-1", outcome: "applied" },
      { level: "warn", message: "warm-up failed", source: "prometheus", detail: "down" },
    ]);
  });
});

describe("rank", () => {
  it("puts acting before held back, that before in risk, that before calm", () => {
    const held = decisionOf({ act: false, reason: "cooldown_active" });
    const risky = decisionOf({ act: false, reason: "weak_probability", trigger: undefined });
    const order = [decisionOf(), held, risky, blindOf()].map(rank);
    expect(order).toEqual(order.toSorted((a, b) => b - a));
    expect(new Set(order).size).toBe(4);
  });
});
