import type { Decision, Hold, Reason, Verdict } from "../kernel/decision.ts";
import type { Observation } from "../kernel/observation.ts";
import type { Series } from "../kernel/target.ts";
import type { Instant } from "../kernel/time.ts";

/** What is true of a target, whichever of its signals is judged. */
export interface TargetSituation {
  /** Monotonic time left of the cooldown, milliseconds. */
  readonly cooldownLeftMs: number;
  /** An earlier action's outcome is still unknown. */
  readonly intentUnresolved: boolean;
}

export interface SeriesInput {
  readonly series: Series;
  readonly observation: Observation;
  /** Every predictor heard, the linear one first. */
  readonly verdicts: readonly Verdict[];
  readonly inRisk: boolean;
  readonly situation: TargetSituation;
  /** Time until which samples still speak of before the last action, milliseconds left; 0 when none do. */
  readonly settlingLeftMs: number;
  readonly now: Instant;
}

const DATA_HOLD = {
  missing: "data_missing",
  stale: "data_stale",
  invalid: "data_invalid",
  unreachable: "data_unreachable",
} as const satisfies Record<string, Hold>;

/**
 * The decision on one series: data first, then the predictors, then the gates of its target.
 * The first predictor that speaks is named; the first gate that holds it back is the reason.
 */
export function decideSeries(input: SeriesInput): Decision {
  const { series, observation, verdicts, situation, now } = input;
  const speaking = verdicts.find((v) => v.trigger !== undefined && v.quiet === undefined);
  const shown = speaking ?? mostTelling(verdicts);
  const ok = observation.status === "ok";
  let reason: Reason;
  let leftMs = 0;
  if (!ok) reason = DATA_HOLD[observation.status];
  else if (input.settlingLeftMs > 0) {
    reason = "settling";
    leftMs = input.settlingLeftMs;
  } else if (speaking?.trigger === undefined) reason = shown?.quiet ?? "insufficient_samples";
  else if (situation.intentUnresolved) reason = "intent_unresolved";
  else if (situation.cooldownLeftMs > 0) {
    reason = "cooldown_active";
    leftMs = situation.cooldownLeftMs;
  } else reason = speaking.trigger;
  return {
    target: series.target.name,
    signal: series.signal.name,
    act: ok && reason === speaking?.trigger,
    reason,
    trigger: ok ? (speaking ?? shown)?.trigger : undefined,
    predictor: shown?.predictor ?? "linear",
    source: observation.source,
    current: ok ? observation.value : undefined,
    verdicts,
    slo: series.signal.thresholds.slo,
    limit: series.signal.thresholds.limit,
    inRisk: input.inRisk,
    cooldownActive: situation.cooldownLeftMs > 0,
    untilMs: leftMs > 0 ? now.wallMs + leftMs : undefined,
    detail: ok ? undefined : observation.detail,
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
  for (const quiet of HELD_BACK) for (const v of verdicts) if (v.quiet === quiet) return v;
  return verdicts.find((v) => v.quiet !== "predictor_off") ?? verdicts[0];
}

const TRIGGER_RANK = { pre_timeout: 3, strong: 2, level: 2, trend: 1, envelope: 1, confirmed: 1 } as const;

/**
 * One action a target a cycle: the most urgent decision keeps it, the others say that it covers them.
 * @param decisions the decisions of one target.
 */
export function coverByMostUrgent(decisions: readonly Decision[]): readonly Decision[] {
  let best: Decision | undefined;
  for (const d of decisions) if (d.act && (best === undefined || urgency(d) > urgency(best))) best = d;
  if (best === undefined) return decisions;
  return decisions.map((d) =>
    d.act && d !== best ? { ...d, act: false, reason: "covered_by_other_signal" as const } : d,
  );
}

/** Trigger first, then probability. */
export function urgency(d: Decision): number {
  const rank = d.trigger === undefined ? 0 : TRIGGER_RANK[d.trigger];
  return 2 * rank + (d.verdicts.find((v) => v.predictor === d.predictor)?.probability ?? 0);
}
