import {
  createLinearBank,
  forecastLinear,
  type LinearBank,
  pushLinear,
  resetLinear,
} from "../forecast/linear/linear.ts";
import { createTrendBank, evaluate, pushSample, resetSeries, type TrendBank } from "../forecast/predictor.ts";
import { noteAlarm } from "../forecast/score/alarms.ts";
import { carryOver, createScoreBank, type ScoreBank } from "../forecast/score/bank.ts";
import { judgement } from "../forecast/score/judgement.ts";
import { forget as forgetScores, noteForecast, noteSample } from "../forecast/score/note.ts";
import { summary } from "../forecast/score/summary.ts";
import type { Verdict } from "../kernel/decision.ts";
import type { Series } from "../kernel/target.ts";
import { FRESH_LINEAR_MEMORY, judgeLinear, type LinearMemory } from "../rules/linear.ts";
import {
  chanceAbove,
  FRESH_TREND_MEMORY,
  judgeSaturated,
  judgeTrend,
  type TrendMemory,
} from "../rules/trend.ts";
import type { LoopSettings, PredictorScore } from "./types.ts";

/** Every predictor, in the order in which they are evaluated and named. */
const PREDICTORS = ["linear", "trend"] as const;
const LINEAR = 0;
const TREND = 1;

/** What both predictors know of every series, and how good their forecasts have been. */
export interface Predictors {
  readonly linear: LinearBank;
  readonly trend: TrendBank;
  readonly scores: ScoreBank;
  readonly signals: readonly string[];
}

/** What the predictors remember of a series beside their samples. */
export interface PredictorMemory {
  readonly linear: LinearMemory;
  readonly trend: TrendMemory;
}

export const FRESH_MEMORY: PredictorMemory = { linear: FRESH_LINEAR_MEMORY, trend: FRESH_TREND_MEMORY };

/** Empty predictors for a plan. */
export function createPredictors(plan: readonly Series[], settings: LoopSettings): Predictors {
  const { horizonS } = settings.rules;
  const cycleS = settings.cycleMs / 1000;
  // A forecast for less than a cycle ahead is not scored: the next sample would be its own.
  const scoredS = Math.max(horizonS, 2 * cycleS);
  const signals = [...new Set(plan.map((s) => s.signal.name))];
  return {
    signals,
    linear: createLinearBank({ size: plan.length, window: settings.linearWindow }),
    trend: createTrendBank(
      plan.map(({ signal }) => ({
        kind: signal.shape,
        slo: signal.thresholds.slo,
        limit: signal.thresholds.limit,
        max: signal.max,
        horizonS,
        cycleS,
        rateWindowS: signal.windowed ? settings.rateWindowMs / 1000 : 0,
        sensitivity: settings.sensitivity,
        constants: settings.constants[signal.shape],
      })),
    ),
    scores: createScoreBank({
      size: plan.length,
      predictors: [
        { name: "linear" },
        // Its interval speaks of the level under the noise, so it is held against a mean of samples.
        { name: "trend", nominalCoverage: 0.9, meanOverS: Math.min(scoredS, Math.max(120, 4 * cycleS)) },
      ],
      groups: signals,
      groupOf: plan.map((s) => signals.indexOf(s.signal.name)),
      horizonS: scoredS,
      cycleS,
    }),
  };
}

/** Carries on what `before` knows. `fromIndex[k]`: position of series k in the old plan, -1 when it is new. */
export function carryPredictors(before: Predictors, now: Predictors, fromIndex: readonly number[]): void {
  carryOver(before.scores, now.scores, fromIndex);
  fromIndex.forEach((i, k) => {
    if (i < 0) return;
    const { count, head, window, time, value } = before.linear;
    const n = count[i] as number;
    const oldest = ((head[i] as number) - n + window) % window;
    for (let j = 0; j < n; j++) {
      const at = i * window + ((oldest + j) % window);
      pushLinear(now.linear, k, time[at] as number, value[at] as number);
    }
    carryTrend(before.trend, i, now.trend, k);
  });
}

export interface TakenSample {
  /** Seconds on the monotonic clock. */
  readonly timeS: number;
  readonly value: number;
  readonly support: number | undefined;
  /** Window of the rate behind it, seconds, where it is not the configured one. */
  readonly rateWindowS?: number | undefined;
}

/** A value of which only a least is known, and that is above the SLO. */
export interface Saturated {
  readonly value: number;
  /** Rate window behind it, milliseconds. */
  readonly windowMs: number;
}

/** Shows every predictor one sample of series `i`. */
export function showSample(w: Predictors, series: Series, sample: TakenSample): void {
  const i = series.index;
  noteSample(w.scores, i, { timeS: sample.timeS, value: sample.value, slo: series.signal.thresholds.slo });
  pushLinear(w.linear, i, sample.timeS, sample.value);
  pushSample(w.trend, i, sample);
}

/** An action changed the world: what came before says nothing of what comes. */
export function forgetSeries(w: Predictors, i: number): void {
  resetLinear(w.linear, i);
  resetSeries(w.trend, i);
  forgetScores(w.scores, i);
}

export interface EvaluateInput {
  readonly predictors: Predictors;
  readonly series: Series;
  readonly settings: LoopSettings;
  readonly memory: PredictorMemory;
  /** Monotonic seconds. */
  readonly nowS: number;
  /** Whether there is a usable sample this cycle, and whether it is a new one. */
  readonly known: boolean;
  readonly fresh: boolean;
  /** Set where the sample of this cycle is no exact one. */
  readonly saturated?: Saturated | undefined;
  /** Per signal: what is wrong with each predictor' recent calibration. */
  readonly complaints: Complaints;
}

/** Evaluates every predictor on one series, and keeps its forecasts to be scored. */
export function evaluatePredictors(input: EvaluateInput): { verdicts: Verdict[]; memory: PredictorMemory } {
  const { predictors: w, series, settings, memory, known, fresh, saturated } = input;
  const exact = known && saturated === undefined;
  const { signal, index: i } = series;
  const { thresholds } = signal;
  const linear = judgeLinear({
    forecast: exact ? forecastLinear(w.linear, i, settings.rules.horizonS, signal.max) : undefined,
    thresholds,
    rules: settings.rules,
    memory: memory.linear,
    fresh,
    on: signal.linear,
  });
  const trend =
    saturated === undefined
      ? judgeTrend({
          reading: evaluate(w.trend, i, input.nowS),
          thresholds,
          memory: memory.trend,
          known,
          on: signal.trend,
        })
      : judgeSaturated({ ...saturated, memory: memory.trend, nowS: input.nowS, on: signal.trend });
  if (fresh && saturated === undefined) book(input, linear.verdict, trend.verdict);
  const complaint = input.complaints.get(signal.name);
  const both = [linear.verdict, trend.verdict];
  const verdicts =
    complaint === undefined
      ? both
      : both.map((v, k) => (complaint[k] === undefined ? v : { ...v, miscalibrated: complaint[k] }));
  const same = linear.memory === memory.linear && trend.memory === memory.trend;
  return { verdicts, memory: same ? memory : { linear: linear.memory, trend: trend.memory } };
}

function book(
  { predictors: w, series, settings, nowS }: EvaluateInput,
  linear: Verdict,
  trend: Verdict,
): void {
  const i = series.index;
  const dueS = nowS + settings.rules.horizonS;
  const { slo } = series.signal.thresholds;
  if (linear.forecast !== undefined) {
    const { value } = linear.forecast;
    noteForecast(w.scores, i, LINEAR, { madeS: nowS, dueS, value, probability: linear.probability });
  }
  if (trend.forecast?.high !== undefined && trend.forecast.low !== undefined) {
    const { value, low, high } = trend.forecast;
    const probability = chanceAbove(slo, { value, high });
    noteForecast(w.scores, i, TREND, { madeS: nowS, dueS, value, low, high, probability, eventLevel: slo });
  }
  for (const [k, v] of [linear, trend].entries())
    if (v.trigger !== undefined && v.noTriggerReason === undefined)
      noteAlarm(w.scores, i, k, { timeS: nowS });
}

/** Per signal, where anything is wrong with a predictor' recent calibration: what, in the order of `PREDICTORS`. */
export type Complaints = ReadonlyMap<string, readonly (string | undefined)[]>;

/** How every predictor has done lately, signal by signal. */
export function scoresOf(w: Predictors): PredictorScore[] {
  return w.signals.flatMap((signal, group) =>
    PREDICTORS.map((predictor, k) => ({
      predictor,
      signal,
      summary: summary(w.scores, k, group),
      judgement: judgement(w.scores, k, group),
    })),
  );
}

/** What a decision has to say of the predictors it heard. */
export function complaintsOf(w: Predictors): Complaints {
  const complaints = new Map<string, readonly (string | undefined)[]>();
  for (const [group, signal] of w.signals.entries()) {
    const given = PREDICTORS.map((_, k) => judgement(w.scores, k, group));
    if (given.some((j) => j.verdict === "poor"))
      complaints.set(
        signal,
        given.map((j) => (j.verdict === "poor" ? j.detail : undefined)),
      );
  }
  return complaints;
}

function carryTrend(from: TrendBank, i: number, to: TrendBank, k: number): void {
  if (JSON.stringify(from.specs[i]) !== JSON.stringify(to.specs[k])) return;
  const stride = from.state.length / from.size;
  to.state.set(from.state.subarray(i * stride, (i + 1) * stride), k * stride);
  const a = from.envelopeRow[i] as number;
  const b = to.envelopeRow[k] as number;
  if (a < 0 || b < 0) return;
  const rows = from.envelopeRow.reduce((n, r) => (r >= 0 ? n + 1 : n), 0);
  const size = from.envelopes.length / rows;
  to.envelopes.set(from.envelopes.subarray(a, a + size), b);
}
