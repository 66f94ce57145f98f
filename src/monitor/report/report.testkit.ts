import type { ActionRecord, TickReport } from "../cycle/types.ts";
import type { Intent, Outcome } from "../kernel/action.ts";
import type { Decision } from "../kernel/decision.ts";
import { explain } from "../rules/explain.ts";

const AT = { wallMs: Date.UTC(2026, 0, 2, 3, 4, 5), monoMs: 1_000_000 };

/** A decision that acts on latency; every test changes what it is about. */
export function decisionOf(over: Partial<Decision> = {}): Decision {
  return {
    target: "product-api",
    signal: "p95_latency",
    act: true,
    reason: "pre_timeout",
    trigger: "pre_timeout",
    predictor: "linear",
    source: "prometheus",
    current: 1234.56789,
    verdicts: [
      {
        predictor: "linear",
        forecast: {
          predictor: "linear",
          value: 6500.123456,
          slopePerSecond: 29.25,
          r2: 0.98765432,
          sampleCount: 20,
        },
        probability: 1,
        trigger: "pre_timeout",
        noTriggerReason: undefined,
      },
    ],
    slo: 300,
    limit: 5000,
    inRisk: true,
    cooldownActive: false,
    untilMs: undefined,
    detail: undefined,
    ...over,
  };
}

/** A decision that knows nothing: no value, no forecast. */
export function blindOf(over: Partial<Decision> = {}): Decision {
  return decisionOf({
    signal: "backlog",
    act: false,
    reason: "data_missing",
    trigger: undefined,
    current: undefined,
    detail: "prometheus: no such series",
    inRisk: false,
    verdicts: [
      {
        predictor: "linear",
        forecast: undefined,
        probability: 0,
        trigger: undefined,
        noTriggerReason: "insufficient_samples",
      },
    ],
    ...over,
  });
}

export function reportOf(over: Partial<TickReport> = {}): TickReport {
  return {
    at: AT,
    mode: "auto",
    decisions: [blindOf(), decisionOf()],
    observations: [],
    scores: () => [],
    actions: [],
    playbooks: [],
    guards: {
      holding: [],
      blocked: [],
      measured: [],
      verifications: [],
    },
    verified: [],
    sources: [
      {
        name: "prometheus",
        ok: 1,
        missing: 1,
        stale: 0,
        invalid: 0,
        unreachable: 0,
        detail: undefined,
        durationMs: 12,
      },
    ],
    breachAny: true,
    actionTaken: "mitigation",
    sinceLastMitigationS: 0.4,
    sinceByTarget: new Map([["product-api", 0.4]]),
    durationMs: 125,
    ...over,
  };
}

export const INTENT: Intent = {
  id: "intent-1",
  kind: "mitigate",
  target: "product-api",
  signal: "p95_latency",
  trigger: "pre_timeout",
  predictor: "linear",
  forecast: 6500.123456,
  threshold: 5000,
  epoch: 7,
  at: AT,
  bootId: "boot-1",
};

export function outcomeOf(status: Outcome["status"]): Outcome {
  return { intentId: INTENT.id, status, instances: [], detail: "app:8000: said so", at: AT };
}

export function recordOf(over: Partial<ActionRecord> = {}): ActionRecord {
  const decision = decisionOf();
  return {
    mode: "auto",
    intent: INTENT,
    decision,
    detail: explain(decision),
    outcome: outcomeOf("applied"),
    ...over,
  };
}
