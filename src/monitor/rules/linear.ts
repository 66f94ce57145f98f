import type { Forecast, NoTriggerReason, Trigger, Verdict } from "../kernel/decision.ts";
import type { Thresholds } from "../kernel/signal.ts";
import { CONFIRM_CYCLES, type Rules } from "./rules.ts";

/** What the linear predictor remembers of a series from cycle to cycle. */
export interface LinearMemory {
  /** Hysteresis: entered above the SLO, left below the exit threshold. */
  readonly inRisk: boolean;
  /** Cycles in a row with the probability in the confirmation band while in risk. */
  readonly pending: number;
}

export const FRESH_LINEAR_MEMORY: LinearMemory = { inRisk: false, pending: 0 };

/** Probability of the founding algorithm: 0 at the SLO, 1 at the hard limit, linear between. @internal for its tests */
export function linearProbability(forecast: number, thresholds: Thresholds): number {
  return Math.min(1, Math.max(0, (forecast - thresholds.slo) / (thresholds.limit - thresholds.slo)));
}

/** Values so large that the fit overflowed forecast nothing: no comparison with NaN may open a gate. */
function meaningful(forecast: Forecast | undefined): Forecast | undefined {
  return forecast !== undefined && Number.isFinite(forecast.value) && Number.isFinite(forecast.r2)
    ? forecast
    : undefined;
}

export interface LinearInput {
  /** Undefined: too few samples, or no new sample this cycle. */
  readonly forecast: Forecast | undefined;
  readonly thresholds: Thresholds;
  readonly rules: Rules;
  readonly memory: LinearMemory;
  /** False: the sample is the one already judged, so it cannot confirm itself. */
  readonly fresh: boolean;
  /** False: the predictor is off for this signal. Its forecast is still made and shown. */
  readonly on: boolean;
}

/**
 * The founding decision for one series (contract, "Decision logic"): hysteresis, then pre-timeout, strong,
 * confirmed, all behind the quality gate. The trigger is named also where the gate holds it back.
 * Without a forecast the risk state stays and a pending confirmation lapses: unknown confirms nothing.
 */
export function judgeLinear(input: LinearInput): { verdict: Verdict; memory: LinearMemory } {
  const { thresholds, rules, memory } = input;
  const forecast = meaningful(input.forecast);
  if (forecast === undefined) {
    const verdict: Verdict = {
      predictor: "linear",
      forecast,
      probability: 0,
      trigger: undefined,
      noTriggerReason: input.on ? "insufficient_samples" : "predictor_off",
    };
    return { verdict, memory: memory.pending === 0 ? memory : { inRisk: memory.inRisk, pending: 0 } };
  }
  const probability = linearProbability(forecast.value, thresholds);
  const inRisk = memory.inRisk ? forecast.value >= thresholds.exit : forecast.value > thresholds.slo;
  const inBand = inRisk && probability >= rules.probConfirmMin && probability < rules.probStrong;
  const pending = inBand ? Math.min(memory.pending + (input.fresh ? 1 : 0), CONFIRM_CYCLES) : 0;

  let trigger: Trigger | undefined;
  if (forecast.value >= rules.preTimeoutRatio * thresholds.limit) trigger = "pre_timeout";
  else if (inRisk && probability >= rules.probStrong) trigger = "strong";
  else if (pending >= CONFIRM_CYCLES) trigger = "confirmed";

  let noTriggerReason: NoTriggerReason | undefined;
  if (!input.on) noTriggerReason = "predictor_off";
  else if ((forecast.r2 as number) < rules.minR2 && (trigger !== undefined || inRisk))
    noTriggerReason = "r2_below_min";
  else if (trigger === undefined)
    noTriggerReason = !inRisk ? "below_slo" : inBand ? "awaiting_confirmation" : "weak_probability";

  const same = memory.inRisk === inRisk && memory.pending === pending;
  return {
    verdict: { predictor: "linear", forecast, probability, trigger, noTriggerReason },
    memory: same ? memory : { inRisk, pending },
  };
}
