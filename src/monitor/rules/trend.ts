import type { Forecast, NoTriggerReason, TrendTrigger, Verdict } from "../kernel/decision.ts";
import type { Thresholds } from "../kernel/signal.ts";

/** What the trend predictor' filter says of a series, as far as the decision needs it. */
interface TrendReading {
  /** At the horizon, in the signal's unit; NaN before the first sample. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly slopePerSecond: number;
  /** Probability (0..1) that the level exceeds `margin`, and the least one to act on. */
  readonly probability: number;
  readonly required: number;
  readonly margin: number;
  readonly trigger: TrendTrigger | undefined;
  readonly noTriggerReason: NoTriggerReason | undefined;
  readonly sampleCount: number;
}

/** Hysteresis of the trend predictor' risk state, from cycle to cycle. */
export interface TrendMemory {
  readonly inRisk: boolean;
}

export const FRESH_TREND_MEMORY: TrendMemory = { inRisk: false };

export interface TrendInput {
  readonly reading: TrendReading;
  readonly thresholds: Thresholds;
  readonly memory: TrendMemory;
  /** True when there is a usable sample this cycle. */
  readonly known: boolean;
  readonly on: boolean;
}

/**
 * The trend predictor heard: its own gates (samples, width of the interval, traffic) are inside its reading; the risk
 * state follows its forecast as the linear predictor' does. Its probability already weighs how sure it is, so that it
 * needs neither R^2 nor a second cycle to confirm (measured, ADR 0004).
 */
export function judgeTrend(input: TrendInput): { verdict: Verdict; memory: TrendMemory } {
  const { reading, thresholds, memory, on } = input;
  const usable = input.known && Number.isFinite(reading.value) && Number.isFinite(reading.probability);
  if (!usable) {
    const noTriggerReason: NoTriggerReason = on ? "insufficient_samples" : "predictor_off";
    return {
      verdict: {
        predictor: "trend",
        forecast: undefined,
        probability: 0,
        trigger: undefined,
        noTriggerReason,
      },
      memory,
    };
  }
  const { value, low, high, slopePerSecond, sampleCount, probability, required, margin, trigger } = reading;
  const forecast: Forecast = { predictor: "trend", value, low, high, slopePerSecond, sampleCount };
  const inRisk = memory.inRisk ? value >= thresholds.exit : value > thresholds.slo || trigger !== undefined;
  const noTriggerReason = on ? reading.noTriggerReason : "predictor_off";
  return {
    verdict: { predictor: "trend", forecast, probability, trigger, noTriggerReason, margin, required },
    memory: inRisk === memory.inRisk ? memory : { inRisk },
  };
}

/**
 * Probability (0..1) that the level at the horizon exceeds `level`, read off a 90 % interval as a normal one.
 * For the bookkeeping: it speaks of the SLO, where the predictor' own probability speaks of its margin.
 */
export function chanceAbove(level: number, forecast: { value: number; high: number }): number {
  const sd = (forecast.high - forecast.value) / 1.6449;
  if (!(sd > 0)) return forecast.value > level ? 1 : 0;
  const z = (forecast.value - level) / sd;
  // Logistic stand-in for the normal distribution, within 0.01 everywhere (Bowling et al. 2009).
  return 1 / (1 + Math.exp(-(0.07056 * z * z * z + 1.5976 * z)));
}
