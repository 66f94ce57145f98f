import type { Decision, Hold, Reason, Verdict } from "../kernel/decision.ts";
import type { Observation } from "../kernel/observation.ts";
import type { Series } from "../kernel/target.ts";
import type { Instant } from "../kernel/time.ts";

export interface SeriesInput {
  readonly series: Series;
  readonly observation: Observation;
  /** Every predictor heard, the linear one first. */
  readonly verdicts: readonly Verdict[];
  readonly inRisk: boolean;
  /** Time until which samples still speak of before the last action, milliseconds left; 0 when none do. */
  readonly settlingLeftMs: number;
  /** The target was acted on within its cooldown: shown, not asked. */
  readonly cooldownActive: boolean;
  readonly now: Instant;
}

const DATA_HOLD = {
  missing: "data_missing",
  stale: "data_stale",
  invalid: "data_invalid",
  unreachable: "data_unreachable",
} as const satisfies Record<string, Hold>;

/**
 * What the rules make of one series: data first, then the predictors. The first predictor that triggers is named. Whether
 * it may be acted on is for the guards.
 */
export function decideSeries(input: SeriesInput): Decision {
  const { series, observation, verdicts, now } = input;
  const triggered = verdicts.find((v) => v.trigger !== undefined && v.noTriggerReason === undefined);
  const shown = triggered ?? mostTelling(verdicts);
  const ok = observation.status === "ok";
  const atLeast = ok ? observation.atLeast : undefined;
  let reason: Reason;
  let leftMs = 0;
  if (!ok) reason = DATA_HOLD[observation.status];
  else if (input.settlingLeftMs > 0) {
    reason = "settling";
    leftMs = input.settlingLeftMs;
  } else if (triggered?.trigger === undefined) reason = shown?.noTriggerReason ?? "insufficient_samples";
  else reason = triggered.trigger;
  return {
    target: series.target.name,
    signal: series.signal.name,
    act: ok && reason === triggered?.trigger,
    reason,
    trigger: ok ? (triggered ?? shown)?.trigger : undefined,
    predictor: shown?.predictor ?? "linear",
    source: observation.source,
    current: ok ? observation.value : undefined,
    verdicts,
    slo: series.signal.thresholds.slo,
    limit: series.signal.thresholds.limit,
    inRisk: input.inRisk,
    cooldownActive: input.cooldownActive,
    untilMs: leftMs > 0 ? now.wallMs + leftMs : undefined,
    ...(atLeast === undefined ? {} : { atLeast: true }),
    detail: ok ? atLeast : observation.detail,
  };
}

/** What a predictor says when it nearly spoke, the nearest first. */
const HELD_BACK = [
  "awaiting_confirmation",
  "explained_by_traffic",
  "r2_below_min",
  "weak_probability",
] as const;

/** The predictor to show when none speaks: one that was held back, else one that is on, else the first. */
function mostTelling(verdicts: readonly Verdict[]): Verdict | undefined {
  for (const noTriggerReason of HELD_BACK)
    for (const v of verdicts) if (v.noTriggerReason === noTriggerReason) return v;
  const on = verdicts.filter((v) => v.noTriggerReason !== "predictor_off");
  return on.find((v) => v.forecast !== undefined) ?? on[0] ?? verdicts[0];
}

const TRIGGER_RANK = { pre_timeout: 3, strong: 2, level: 2, trend: 1, envelope: 1, confirmed: 1 } as const;

/** Trigger first, then probability. */
export function urgency(d: Decision): number {
  const rank = d.trigger === undefined ? 0 : TRIGGER_RANK[d.trigger];
  return 2 * rank + (d.verdicts.find((v) => v.predictor === d.predictor)?.probability ?? 0);
}
