import {
  ENVELOPE_STRIDE,
  type EnvelopeView,
  resetEnvelope,
  startEnvelope,
  stepEnvelope,
  viewEnvelope,
} from "./envelope/envelope.ts";
import {
  type FilterSettings,
  type TrendConstants,
  type TrendKind,
  type TrendSensitivity,
  type TrendSettings,
  trendSettings,
} from "./settings.ts";
import { exceedance, meanLevel, type Outlook, outlook, startFilter, stepFilter } from "./trend/filter.ts";
import { actingMargin, forgetSwing, stepHabit, stepTraffic, trafficExplains } from "./trend/habit.ts";
import * as at from "./trend/layout.ts";
import { forgetLevel, stepLevel } from "./trend/level.ts";
import { forgetLag, stepNoise } from "./trend/noise.ts";

/** What the trend predictor must know of a series. */
export interface TrendSpec {
  readonly kind: TrendKind;
  /** Level to stay below and level of certain breakage, in the signal's unit; 0 < slo. */
  readonly slo: number;
  readonly limit: number;
  /** Largest value there can be, in the signal's unit; undefined: no bound. */
  readonly max?: number | undefined;
  /** How far ahead the forecast looks, s. */
  readonly horizonS: number;
  /** Seconds between samples, and the window of the rate behind each (the PromQL window; 0 for a gauge). */
  readonly cycleS: number;
  readonly rateWindowS: number;
  readonly sensitivity: TrendSensitivity;
  /** Constants set otherwise than the sensitivity has them; the same object for series that share them. */
  readonly constants?: TrendConstants | undefined;
}

/** One sample. A value that is not a finite number >= 0 is missing, as is one that is not newer than the last. */
export interface TrendSample {
  /** Seconds, any fixed origin. */
  readonly timeS: number;
  /** In the signal's unit. */
  readonly value: number;
  /** Requests behind the value in the rate window; undefined: unknown. */
  readonly support?: number | undefined;
  /** Window of the rate behind it, s, where it is not the spec's. */
  readonly rateWindowS?: number | undefined;
}

/** Which path spoke for acting. */
type TrendTrigger = "trend" | "level" | "envelope";
/** Why none did. */
type TrendNoTriggerReason =
  | "insufficient_samples"
  | "no_excess_expected"
  | "weak_probability"
  | "explained_by_traffic"
  | "awaiting_cycles";

/** What the predictor says of a series, with the numbers it stands on. */
export interface TrendVerdict {
  /** Forecast at the horizon after `nowS`, and its 90 % interval, in the signal's unit. NaN before the first sample. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Signal units a second. */
  readonly slopePerSecond: number;
  /** Probability (0..1) that the level exceeds `margin` at the look-ahead. */
  readonly probability: number;
  /** Least probability to act on, and the level it speaks of, in the signal's unit. */
  readonly required: number;
  readonly margin: number;
  readonly trigger: TrendTrigger | undefined;
  readonly noTriggerReason: TrendNoTriggerReason | undefined;
  /** Good samples since the start or the last reset. */
  readonly sampleCount: number;
  /** Log-sd of one sample: about its coefficient of variation. */
  readonly noise: number;
}

/** State of any number of series, in typed arrays. Opaque; serializable as it is. */
export interface TrendBank {
  readonly size: number;
  readonly specs: readonly TrendSpec[];
  readonly plans: readonly TrendSettings[];
  readonly state: Float64Array;
  /** Row of each series in `envelopes`, or -1. */
  readonly envelopeRow: Int32Array;
  readonly envelopes: Float64Array;
}

const NORMAL_90 = 1.6449;
/** Log-variance of a level known from one sample only. */
const FIRST_VARIANCE = 0.25;
/** A sample this many sd below the level speaks against extrapolating it. */
const FALLEN_BACK_SD = 2;
const FALLING_SD = 3;
/** After a longer silence, s, a ramp from before it says nothing: the series starts afresh. */
const LONGEST_GAP_S = 600;
/** The filter steps no more often than this, s: samples that come faster say the same thing several times. */
const STEP_S = 24;

function checkSpec(spec: TrendSpec, i: number): void {
  const positive = ["slo", "limit", "horizonS", "cycleS"] as const;
  for (const field of positive) {
    if (!(spec[field] > 0) || spec[field] === Number.POSITIVE_INFINITY)
      throw new RangeError(`specs[${i}].${field} must be a finite number > 0, not ${spec[field]}`);
  }
  if (!(spec.rateWindowS >= 0))
    throw new RangeError(`specs[${i}].rateWindowS must be >= 0, not ${spec.rateWindowS}`);
}

/** A bank for `specs`, series i following `specs[i]`. Throws RangeError on a threshold or time that is not positive. */
export function createTrendBank(specs: readonly TrendSpec[]): TrendBank {
  specs.forEach(checkSpec);
  const cache = new Map<string, TrendSettings>();
  const plans = specs.map((spec) => {
    const key = `${spec.kind}/${spec.sensitivity}/${JSON.stringify(spec.constants ?? {})}`;
    const known = cache.get(key) ?? trendSettings(spec.kind, spec.sensitivity, spec.constants);
    cache.set(key, known);
    return known;
  });
  const envelopeRow = new Int32Array(specs.length).fill(-1);
  let rows = 0;
  plans.forEach((plan, i) => {
    if (plan.envelope !== undefined) envelopeRow[i] = rows++ * ENVELOPE_STRIDE;
  });
  const bank: TrendBank = {
    size: specs.length,
    specs,
    plans,
    state: new Float64Array(specs.length * at.STRIDE),
    envelopeRow,
    envelopes: new Float64Array(rows * ENVELOPE_STRIDE),
  };
  for (let i = 0; i < specs.length; i++) {
    const { filter } = plans[i] as TrendSettings;
    const spec = specs[i] as TrendSpec;
    const o = i * at.STRIDE;
    bank.state[o + at.NOISE] = filter.noiseGuess * filter.noiseGuess;
    bank.state[o + at.PER_SLO] = 1 / spec.slo;
    bank.state[o + at.SHARED] = sharing(spec.rateWindowS, spec.cycleS, filter);
    for (let k = at.L_SHORT; k <= at.N_LONG; k++) bank.state[o + k] = Number.NaN;
    forget(bank.state, o);
    const row = envelopeRow[i] as number;
    if (row >= 0) startEnvelope(bank.envelopes, row);
  }
  return bank;
}

/** How many samples share a rate window, at least 1. */
function sharing(rateWindowS: number, cycleS: number, { correlationS }: FilterSettings): number {
  return Math.max(1, Math.max(rateWindowS, correlationS) / Math.max(cycleS, STEP_S));
}

function forget(s: Float64Array, o: number): void {
  s[o + at.COUNT] = 0;
  s[o + at.STEPS] = 0;
  s[o + at.WAITING_SUM] = 0;
  s[o + at.WAITING] = 0;
  s[o + at.T_LAST] = Number.NEGATIVE_INFINITY;
  s[o + at.SIDE] = 0;
  forgetLag(s, o);
  forgetLevel(s, o);
  forgetSwing(s, o);
}

/** Log-variance of a sample: the noise so far, or more when the requests behind it are few. `steady`: SLO + offset. */
function sampleVariance(
  filter: FilterSettings,
  slo: number,
  noise: number,
  steady: number,
  support: number,
): number {
  if (!filter.binomial) return Math.max(noise, filter.variancePerRequest / support);
  // Binomial at the expected level (what was seen would make 0 of 3 a certainty), half an error added.
  const p = Math.min(0.5, Math.max(0, steady - filter.offset) * slo + 0.5 / (support + 1));
  const scale = steady * slo;
  return Math.max(noise, (p * (1 - p)) / support / (scale * scale));
}

/**
 * Takes one sample of series `i`; O(1) time, no allocation. Pushing a history in order gives the state of having lived it.
 * @returns whether the sample was taken; false: missing (NaN, infinite, negative), not newer, or without any request.
 */
export function pushSample(bank: TrendBank, i: number, sample: TrendSample): boolean {
  const { timeS, value, support } = sample;
  if (!(value >= 0) || value === Number.POSITIVE_INFINITY || support === 0) return false;
  const s = bank.state;
  const o = i * at.STRIDE;
  const last = s[o + at.T_LAST] as number;
  if (!(timeS > last) || timeS === Number.POSITIVE_INFINITY) return false;
  if (timeS - last > LONGEST_GAP_S) forget(s, o);
  const plan = bank.plans[i] as TrendSettings;
  const { filter } = plan;
  const u = value * (s[o + at.PER_SLO] as number);
  const row = bank.envelopeRow[i] as number;
  if (row >= 0 && plan.envelope !== undefined) stepEnvelope(bank.envelopes, row, timeS, u, plan.envelope);
  const level = u + filter.offset;
  const x = Math.log(Math.max(level, 1e-3));
  const first = s[o + at.COUNT] === 0;
  s[o + at.T_LAST] = timeS;
  s[o + at.NOW_D] = first ? 0 : timeS - last;
  s[o + at.NOW_X] = x;
  s[o + at.COUNT] = (s[o + at.COUNT] as number) + 1;
  stepNoise(s, o, filter);
  const noise = s[o + at.NOISE] as number;
  const known = support !== undefined && support > 0;
  const steady = first ? level : (s[o + at.H0] as number);
  const variance = known
    ? sampleVariance(filter, 1 / (s[o + at.PER_SLO] as number), noise, steady, support)
    : noise;
  s[o + at.R_LAST] = variance;
  // A lognormal's mean lies half a log-variance above its median; the level meant is the mean.
  s[o + at.NOW_LEVEL] = level * (1 + 0.5 * noise);
  const { rateWindowS, cycleS } = bank.specs[i] as TrendSpec;
  const windowS = sample.rateWindowS ?? rateWindowS;
  s[o + at.SHARED] = sharing(windowS, cycleS, filter);
  if (!first && filter.levelPath) stepLevel(s, o, steady, windowS, filter);
  s[o + at.WAITING_SUM] = (s[o + at.WAITING_SUM] as number) + (s[o + at.NOW_LEVEL] as number);
  s[o + at.WAITING] = (s[o + at.WAITING] as number) + 1;
  if (first || timeS - (s[o + at.T_STEP] as number) >= STEP_S) {
    advance(s, o, filter);
    if (known && filter.trafficMargin > 0) stepTraffic(s, o, support);
  }
  return true;
}

/** One step of the filter, with the mean of the samples since the last. */
function advance(s: Float64Array, o: number, filter: FilterSettings): void {
  const timeS = s[o + at.T_LAST] as number;
  const steps = s[o + at.STEPS] as number;
  s[o + at.NOW_D] = steps === 0 ? 0 : timeS - (s[o + at.T_STEP] as number);
  s[o + at.NOW_LEVEL] = (s[o + at.WAITING_SUM] as number) / (s[o + at.WAITING] as number);
  // Samples that share a rate window are worth less than their number.
  s[o + at.NOW_R] = (s[o + at.R_LAST] as number) * (s[o + at.SHARED] as number);
  s[o + at.T_STEP] = timeS;
  s[o + at.STEPS] = steps + 1;
  s[o + at.WAITING_SUM] = 0;
  s[o + at.WAITING] = 0;
  if (steps === 0) {
    startFilter(s, o, FIRST_VARIANCE);
    return;
  }
  reanchor(s, o, stepFilter(s, o, filter), filter.releaseS);
  stepHabit(s, o, meanLevel(s, o) - filter.offset, filter);
}

/** Samples that every hypothesis clipped on one side for long enough are believed: the level has jumped. */
function reanchor(s: Float64Array, o: number, side: number, releaseS: number): void {
  const timeS = s[o + at.T_LAST] as number;
  if (side !== s[o + at.SIDE]) {
    s[o + at.SIDE] = side;
    s[o + at.SIDE_SINCE] = timeS;
  }
  if (side === 0 || timeS - (s[o + at.SIDE_SINCE] as number) < releaseS) return;
  startFilter(s, o, s[o + at.NOW_R] as number);
}

const scratch: Outlook = { level: 0, variance: 0, slope: 0 };
const view: EnvelopeView = { cycles: false, settled: false, peak: 0, slope: 0, climbing: false, over: false };

/** What the predictor says of series `i` at `nowS` (same origin as the samples). Changes nothing. */
export function evaluate(bank: TrendBank, i: number, nowS: number): TrendVerdict {
  const spec = bank.specs[i] as TrendSpec;
  const { filter, envelope } = bank.plans[i] as TrendSettings;
  const s = bank.state;
  const o = i * at.STRIDE;
  const count = s[o + at.COUNT] as number;
  const noise = Math.sqrt(s[o + at.NOISE] as number);
  const row = bank.envelopeRow[i] as number;
  const margin = actingMargin(s, o, filter);
  if (count === 0) return silent({ required: filter.probability, margin: margin * spec.slo, noise });
  const since = Math.max(0, nowS - (s[o + at.T_STEP] as number));
  outlook(s, o, since + spec.horizonS, scratch);
  const half = NORMAL_90 * Math.sqrt(scratch.variance);
  let forecast = scratch.level - filter.offset;
  let slope = scratch.slope;
  let probability = exceedance(s, o, spec.horizonS * filter.horizonFactor, margin + filter.offset);
  let trigger: TrendTrigger | undefined;
  let noTriggerReason: TrendNoTriggerReason | undefined;
  if ((s[o + at.STEPS] as number) < filter.minSamples) noTriggerReason = "insufficient_samples";
  else if (probability >= filter.probability && !hasFallenBack(s, o)) trigger = "trend";
  else if (forecast <= margin) noTriggerReason = "no_excess_expected";
  else noTriggerReason = trafficExplains(s, o) ? "explained_by_traffic" : "weak_probability";
  if (row >= 0 && envelope !== undefined) {
    viewEnvelope(
      bank.envelopes,
      row,
      { timeS: nowS, aheadS: spec.horizonS * envelope.horizonFactor },
      envelope,
      view,
    );
    if (view.cycles && !Number.isNaN(view.peak)) {
      forecast = view.peak - (envelope.horizonFactor - 1) * spec.horizonS * view.slope;
      slope = view.slope;
      probability = view.climbing ? Math.min(1, Math.max(0, view.peak)) : 0;
    }
    if (view.over) [trigger, noTriggerReason] = ["level", undefined];
    else if (view.cycles)
      [trigger, noTriggerReason] =
        view.climbing && view.peak > 1 ? ["envelope", undefined] : [undefined, "no_excess_expected"];
    else if (!view.settled) [trigger, noTriggerReason] = [undefined, "awaiting_cycles"];
  } else if (s[o + at.LEVEL] === 1) {
    trigger = "level";
    noTriggerReason = undefined;
  }
  const { slo, max = Number.POSITIVE_INFINITY } = spec;
  const inRange = (level: number) => Math.min(max, Math.max(0, level) * slo);
  return {
    value: inRange(forecast),
    low: inRange(forecast - half),
    high: inRange(forecast + half),
    slopePerSecond: slope * spec.slo,
    probability,
    required: filter.probability,
    margin: margin * spec.slo,
    trigger,
    noTriggerReason,
    sampleCount: count,
    noise,
  };
}

/** Whether the newest sample lies clearly below the filter's level or the two before: a spike must not be extrapolated. */
function hasFallenBack(s: Float64Array, o: number): boolean {
  const sd = Math.sqrt(s[o + at.R_LAST] as number);
  const x = s[o + at.NOW_X] as number;
  const before = Math.max(s[o + at.X1] as number, s[o + at.X1 + 1] as number);
  return x < Math.log(meanLevel(s, o)) - FALLEN_BACK_SD * sd || x < before - FALLING_SD * sd;
}

function silent(known: { required: number; margin: number; noise: number }): TrendVerdict {
  return {
    value: Number.NaN,
    low: Number.NaN,
    high: Number.NaN,
    slopePerSecond: 0,
    probability: 0,
    required: known.required,
    margin: known.margin,
    trigger: undefined,
    noTriggerReason: "insufficient_samples",
    sampleCount: 0,
    noise: known.noise,
  };
}

/**
 * Forgets the level, its ramps and excursions of series `i`, as after a mitigation. Kept, because an action does not
 * change them: the noise, how far this series swings by itself, the usual traffic.
 */
export function resetSeries(bank: TrendBank, i: number): void {
  forget(bank.state, i * at.STRIDE);
  const row = bank.envelopeRow[i] as number;
  if (row >= 0) resetEnvelope(bank.envelopes, row);
}
