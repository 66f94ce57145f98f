import { count, score } from "./aggregate.ts";
import { forgetAlarm, judgeAlarms } from "./alarms.ts";
import { rowAt, type ScoreBank, type ScoredPredictor } from "./bank.ts";
import * as at from "./layout.ts";

/** A forecast to be held against what comes. All times share one origin; all levels are in the signal's unit. */
export interface ScoredForecast {
  readonly madeS: number;
  /** When its time comes: later than `madeS` by more than a cycle. */
  readonly dueS: number;
  /** What it expects; undefined: it expects no value. */
  readonly value?: number | undefined;
  /** Its interval for the outcome (a sample, or the mean that the predictor speaks of); both or none. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  /** Probability (0..1) that the outcome lies above `eventLevel`; undefined: it gives none. */
  readonly probability?: number | undefined;
  /** Level of that event; undefined: the SLO in force when its time comes. */
  readonly eventLevel?: number | undefined;
}

export interface ScoredSample {
  readonly timeS: number;
  /** In the signal's unit. */
  readonly value: number;
  /** The SLO in force, in the signal's unit; > 0. */
  readonly slo: number;
}

/** Whether the forecast can be scored at all: what is sampleProblem or speaks of nothing is not kept. */
function sensible(bank: ScoreBank, w: number, f: ScoredForecast): boolean {
  const { madeS, dueS, value, low, high, probability, eventLevel } = f;
  if (!Number.isFinite(madeS) || !Number.isFinite(dueS) || dueS - madeS <= bank.cycleS) return false;
  if (value !== undefined && !Number.isFinite(value)) return false;
  if ((low === undefined) !== (high === undefined)) return false;
  if (low !== undefined && high !== undefined) {
    if (!(low <= high) || Number.isNaN((bank.predictors[w] as ScoredPredictor).nominalCoverage)) return false;
  }
  if (probability !== undefined && !(probability >= 0 && probability <= 1)) return false;
  if (eventLevel !== undefined && !Number.isFinite(eventLevel)) return false;
  return value !== undefined || low !== undefined || probability !== undefined;
}

/** A slot at most once around the ring: cheaper than a remainder of doubles. */
function wrap(slot: number, bank: ScoreBank): number {
  return slot >= bank.pending ? slot - bank.pending : slot;
}

/** How long after its due time a forecast still waits for its outcome, s. */
function patienceS(bank: ScoreBank, w: number): number {
  const { meanOverS } = bank.predictors[w] as Required<ScoredPredictor>;
  return meanOverS > 0 ? meanOverS / 2 : bank.cycleS;
}

/**
 * Keeps a forecast of predictor `w` (an index into `predictors`) of series `i` until its time comes; O(1).
 * Where the cycle is short only some are kept: one every max(cycle, horizon / 12), the others are counted as thinned out.
 * @returns whether it was kept; false also for a forecast that is not finite, falls due before an earlier one, gives a
 * probability outside 0..1, an interval without a nominal coverage to judge it by, or nothing to judge.
 */
export function noteForecast(bank: ScoreBank, i: number, w: number, forecast: ScoredForecast): boolean {
  if (!sensible(bank, w, forecast)) return false;
  const { rows } = bank;
  const row = rowAt(bank, i, w);
  const { madeS, dueS } = forecast;
  dropOverdue(bank, i, w, madeS);
  const pending = rows[row + at.COUNT] as number;
  // A quarter of a cycle is allowed for ticks that come a little early.
  const tooSoon =
    madeS - (rows[row + at.LAST_MADE] as number) < (bank.spacingS[w] as number) - bank.cycleS / 4;
  if (tooSoon || pending === bank.pending) {
    count(bank, i, w, at.THINNED);
    return false;
  }
  const head = rows[row + at.HEAD] as number;
  if (pending > 0) {
    const newest = row + at.ROW_HEAD + wrap(head + pending - 1, bank) * at.SLOT;
    if (dueS < (rows[newest + at.DUE] as number)) return false;
  }
  const slot = row + at.ROW_HEAD + wrap(head + pending, bank) * at.SLOT;
  rows[slot + at.DUE] = dueS;
  rows[slot + at.VALUE] = forecast.value ?? Number.NaN;
  rows[slot + at.LOW] = forecast.low ?? Number.NaN;
  rows[slot + at.HIGH] = forecast.high ?? Number.NaN;
  rows[slot + at.PROBABILITY] = forecast.probability ?? Number.NaN;
  rows[slot + at.EVENT_LEVEL] = forecast.eventLevel ?? Number.NaN;
  rows[slot + at.SUM] = 0;
  rows[slot + at.SAMPLES] = 0;
  rows[row + at.COUNT] = pending + 1;
  rows[row + at.LAST_MADE] = madeS;
  return true;
}

/** Forecasts that no sample came for make room: a silent series must not keep its ring full. */
function dropOverdue(bank: ScoreBank, i: number, w: number, nowS: number): void {
  const row = rowAt(bank, i, w);
  const patience = patienceS(bank, w) + bank.cycleS;
  while ((bank.rows[row + at.COUNT] as number) > 0) {
    const slot = row + at.ROW_HEAD + (bank.rows[row + at.HEAD] as number) * at.SLOT;
    const due = bank.rows[slot + at.DUE] as number;
    if (nowS <= due + patience) return;
    settleOne(bank, { i, w, row, slot, timeS: nowS, slo: Number.NaN, observed: Number.NaN });
  }
}

interface Settling {
  readonly i: number;
  readonly w: number;
  readonly row: number;
  readonly slot: number;
  readonly timeS: number;
  readonly slo: number;
  /** NaN: no sample came for it. */
  readonly observed: number;
}

/** Takes the oldest pending forecast off its ring: scored, or counted as unscored. */
function settleOne(bank: ScoreBank, s: Settling): void {
  if (Number.isNaN(s.observed)) count(bank, s.i, s.w, at.UNSCORED);
  else score(bank, s);
  const { rows } = bank;
  rows[s.row + at.HEAD] = wrap((rows[s.row + at.HEAD] as number) + 1, bank);
  at.add(rows, s.row + at.COUNT, -1);
}

/** Outcome is the sample nearest the due time, at most a cycle away. */
function settleByNearest(bank: ScoreBank, i: number, w: number, sample: ScoredSample): void {
  const { rows } = bank;
  const row = rowAt(bank, i, w);
  const { timeS, slo } = sample;
  const before = bank.lastS[i] as number;
  while ((rows[row + at.COUNT] as number) > 0) {
    const slot = row + at.ROW_HEAD + (rows[row + at.HEAD] as number) * at.SLOT;
    const due = rows[slot + at.DUE] as number;
    if (due > timeS) return;
    const nearer = due - before < timeS - due;
    const distance = nearer ? due - before : timeS - due;
    const value = nearer ? (bank.lastValue[i] as number) : sample.value;
    settleOne(bank, { i, w, row, slot, timeS, slo, observed: distance <= bank.cycleS ? value : Number.NaN });
  }
}

/** Outcome is the mean of the samples around the due time; at least half of those expected must have come. */
function settleByMean(bank: ScoreBank, i: number, w: number, sample: ScoredSample): void {
  const { rows } = bank;
  const row = rowAt(bank, i, w);
  const { timeS, slo } = sample;
  const half = patienceS(bank, w);
  const head = rows[row + at.HEAD] as number;
  const pending = rows[row + at.COUNT] as number;
  for (let k = 0; k < pending; k++) {
    const slot = row + at.ROW_HEAD + wrap(head + k, bank) * at.SLOT;
    const due = rows[slot + at.DUE] as number;
    if (timeS < due - half) break;
    if (timeS > due + half) continue;
    at.add(rows, slot + at.SUM, sample.value);
    at.add(rows, slot + at.SAMPLES, 1);
  }
  const least = Math.max(1, Math.floor(half / bank.cycleS));
  while ((rows[row + at.COUNT] as number) > 0) {
    const slot = row + at.ROW_HEAD + (rows[row + at.HEAD] as number) * at.SLOT;
    if ((rows[slot + at.DUE] as number) + half > timeS) return;
    const n = rows[slot + at.SAMPLES] as number;
    const observed = n >= least ? (rows[slot + at.SUM] as number) / n : Number.NaN;
    settleOne(bank, { i, w, row, slot, timeS, slo, observed });
  }
}

/**
 * Takes one sample of series `i`: scores the forecasts whose time has come, tells breaches, judges open alarms. Amortized
 * O(1): a forecast is looked at once, or once a sample of its mean. Note a tick's sample before its forecasts and alarms.
 * @returns whether it was taken; false: missing (NaN, infinite, negative) or not newer than the last.
 * Throws RangeError on an SLO that is not a finite number > 0.
 */
export function noteSample(bank: ScoreBank, i: number, sample: ScoredSample): boolean {
  const { timeS, value, slo } = sample;
  if (!(slo > 0) || slo === Number.POSITIVE_INFINITY)
    throw new RangeError(`slo must be a finite number > 0, not ${slo}`);
  if (!(value >= 0) || value === Number.POSITIVE_INFINITY || !Number.isFinite(timeS)) return false;
  if (timeS <= (bank.lastS[i] as number)) return false;
  for (let w = 0; w < bank.predictors.length; w++) {
    if ((bank.predictors[w] as Required<ScoredPredictor>).meanOverS > 0) settleByMean(bank, i, w, sample);
    else settleByNearest(bank, i, w, sample);
  }
  judgeAlarms(bank, i, sample);
  bank.lastS[i] = timeS;
  bank.lastValue[i] = value;
  return true;
}

/**
 * An action changed the world of series `i`: its pending forecasts are void, its open alarms unknowable, and a breach within the
 * alarm window after it is held against nobody. Call it for every series of the target, after `noteAlarm`.
 */
export function forget(bank: ScoreBank, i: number): void {
  const { rows } = bank;
  for (let w = 0; w < bank.predictors.length; w++) {
    const row = rowAt(bank, i, w);
    const pending = rows[row + at.COUNT] as number;
    for (let k = 0; k < pending; k++) count(bank, i, w, at.VOIDED);
    rows[row + at.COUNT] = 0;
    rows[row + at.LAST_MADE] = Number.NEGATIVE_INFINITY;
    forgetAlarm(bank, i, w);
  }
  bank.forgottenS[i] = bank.lastS[i] as number;
}
