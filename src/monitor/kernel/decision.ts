/** Why the monitor acts. */
export type Trigger = LinearTrigger | TrendTrigger;

/** Rules of the linear predictor. */
type LinearTrigger = "pre_timeout" | "strong" | "confirmed";

/**
 * Rules of the trend predictor: `trend`, the level is expected past its margin with enough probability; `level`, it is
 * past the SLO already and stays; `envelope`, the peaks and troughs of memory both climb towards the SLO.
 */
export type TrendTrigger = "trend" | "level" | "envelope";

/** Every trigger there is. */
export const TRIGGERS = [
  "pre_timeout",
  "strong",
  "confirmed",
  "trend",
  "level",
  "envelope",
] as const satisfies readonly Trigger[];

/** What asks for an action: a predictor, an alert that fires, a person, or the end of an alert, which takes back what was done. */
export type Cause = Trigger | "alert" | "person" | "undo";

/** Every cause there is. */
export const CAUSES = [...TRIGGERS, "alert", "person", "undo"] as const satisfies readonly Cause[];

/** Why a predictor does not speak for acting. */
export type NoTriggerReason =
  | "predictor_off"
  | "insufficient_samples"
  | "r2_below_min"
  | "below_slo"
  | "weak_probability"
  | "no_excess_expected"
  | "explained_by_traffic"
  | "awaiting_cycles"
  | "awaiting_confirmation";

/** A guard of `src/monitor/guards`, by its stable name. */
export type GuardName = string;

/** Why nothing is done although something is watched: no trigger, no data, or another action that covers it. */
export type Hold =
  | NoTriggerReason
  | "data_missing"
  | "data_stale"
  | "data_invalid"
  | "data_unreachable"
  | "settling"
  | "covered_by_other_signal"
  | "covered_by_playbook"
  | "already_contained"
  | "watched_only"
  | "undo_under_way"
  | "journal_unavailable";

/** Machine-readable reason of a decision: stable names, used as metric label and in logs. */
export type Reason = Trigger | Hold | GuardName;

/** What one predictor forecasts of one series. */
export interface Forecast {
  readonly predictor: string;
  /** In the signal's unit, at the horizon. */
  readonly value: number;
  /** Signal units a second. */
  readonly slopePerSecond: number;
  /** Coefficient of determination, 0..1; absent for predictors that have none. */
  readonly r2?: number;
  /** 90 % interval of the level at the horizon, in the signal's unit; absent for predictors that give none. */
  readonly low?: number;
  readonly high?: number;
  readonly sampleCount: number;
}

/** One predictor heard. */
export interface Verdict {
  readonly predictor: string;
  readonly forecast: Forecast | undefined;
  /** 0..1; 0 when there is no forecast. */
  readonly probability: number;
  readonly trigger: Trigger | undefined;
  readonly noTriggerReason: NoTriggerReason | undefined;
  /** Level that the probability speaks of and least probability to act on; absent: the predictor' scale is fixed. */
  readonly margin?: number;
  readonly required?: number;
  /** Set while recent forecasts of this predictor for this signal were badly calibrated: in one line, with numbers. */
  readonly miscalibrated?: string;
}

/** The decision on one series in one cycle: every number it stands on, and the rule that spoke last. */
export interface Decision {
  readonly target: string;
  readonly signal: string;
  readonly act: boolean;
  readonly reason: Reason;
  /** The trigger that spoke, also when a gate held it back. */
  readonly trigger: Trigger | undefined;
  /** The predictor that spoke, or the one whose numbers are shown. */
  readonly predictor: string;
  readonly source: string;
  readonly current: number | undefined;
  /** Set where `current` is only the least that it can be. */
  readonly atLeast?: true;
  readonly verdicts: readonly Verdict[];
  readonly slo: number;
  readonly limit: number;
  readonly inRisk: boolean;
  readonly cooldownActive: boolean;
  /** Wall-clock milliseconds until which a gate holds, where it knows. */
  readonly untilMs: number | undefined;
  /** What was wrong with the data, or why a guard holds, where that is the reason. */
  readonly detail: string | undefined;
  /** What the guard that is the reason is for, in words. */
  readonly because?: string;
}

/** What the predictor that a decision names said. */
export function namedVerdict({ verdicts, predictor }: Decision): Verdict | undefined {
  return verdicts.find((v) => v.predictor === predictor);
}
