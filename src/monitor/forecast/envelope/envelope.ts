import type { EnvelopeSettings } from "../settings.ts";

/*
 * Memory under a garbage collector is a sawtooth: its slope says nothing, its peaks and troughs do. Turning points are found
 * by reversal, lines are fitted through the peaks and through the troughs, and both must climb before the peaks' line is
 * believed. Rows of one array, O(1) a sample; a fit costs a fixed number of points and happens only at a turning point.
 */

/** Turning points kept of each sort. */
const POINTS = 16;

const T_FIRST = 0;
const T_LAST = 1;
/** +1 climbing, -1 falling, 0 not known yet. */
const DIRECTION = 2;
const HIGH = 3;
const T_HIGH = 4;
const LOW = 5;
const T_LOW = 6;
/** Usual swing, and the longest of the recent times between turning points. */
const SWING = 7;
const GAP = 8;
const T_TURN = 9;
const T_OVER = 10;
const PEAK_COUNT = 11;
const TROUGH_COUNT = 12;
/** Variance of a peak (trough) around its neighbours, learned over many cycles; survives a reset. */
const PEAK_SPREAD = 13;
const TROUGH_SPREAD = 14;
/** Fitted: value at the time of the fit, slope, standard error of the slope; peaks, then troughs. */
const FIT = 15;
const FIT_TIME = 21;
const PEAKS = 22;
const TROUGHS = PEAKS + 2 * POINTS;
export const ENVELOPE_STRIDE = TROUGHS + 2 * POINTS;

/** Weight of the newest cycle in the usual swing and spread. */
const CYCLE_WEIGHT = 0.2;
/** Until learned, a turning point scatters by this share of the swing; and the degrees of freedom that guess is worth. */
const SPREAD_GUESS = 0.1;
const SPREAD_FREEDOM = 3;

/** Prepares row `o`, forgetting everything. */
export function startEnvelope(s: Float64Array, o: number): void {
  s.fill(0, o, o + ENVELOPE_STRIDE);
  s[o + T_FIRST] = Number.NaN;
  s[o + PEAK_SPREAD] = Number.NaN;
  s[o + TROUGH_SPREAD] = Number.NaN;
  s[o + T_OVER] = Number.NaN;
}

/** Forgets turning points (after an action); keeps what was learned of the usual swing and scatter. */
export function resetEnvelope(s: Float64Array, o: number): void {
  const kept = [SWING, GAP, PEAK_SPREAD, TROUGH_SPREAD].map((k) => [k, s[o + k] as number] as const);
  startEnvelope(s, o);
  for (const [k, value] of kept) s[o + k] = value;
}

function remember(
  s: Float64Array,
  o: number,
  which: { count: number; points: number; spread: number },
  t: number,
  u: number,
): void {
  const n = s[o + which.count] as number;
  if (n > 0) {
    const last = o + which.points + 2 * ((n - 1) % POINTS);
    const difference = u - (s[last + 1] as number);
    const old = s[o + which.spread] as number;
    const term = 0.5 * difference * difference;
    s[o + which.spread] = Number.isNaN(old) ? term : old + CYCLE_WEIGHT * (term - old);
  }
  const slot = o + which.points + 2 * (n % POINTS);
  s[slot] = t;
  s[slot + 1] = u;
  s[o + which.count] = n + 1;
}

/** Least squares through the points younger than `memoryS`; the slope's error is pulled towards the usual scatter. */
function fitLine(
  s: Float64Array,
  o: number,
  which: { count: number; points: number; spread: number; fit: number },
  now: number,
  c: EnvelopeSettings,
): void {
  const kept = Math.min(POINTS, s[o + which.count] as number);
  const memoryS = Math.max(c.memoryS, c.memoryGaps * (s[o + GAP] as number));
  let n = 0;
  let st = 0;
  let su = 0;
  for (let k = 0; k < kept; k++) {
    const t = (s[o + which.points + 2 * k] as number) - now;
    if (t < -memoryS) continue;
    n++;
    st += t;
    su += s[o + which.points + 2 * k + 1] as number;
  }
  s[o + which.fit] = Number.NaN;
  if (n < c.minPoints) return;
  const mt = st / n;
  const mu = su / n;
  let stt = 0;
  let stu = 0;
  let suu = 0;
  for (let k = 0; k < kept; k++) {
    const t = (s[o + which.points + 2 * k] as number) - now;
    if (t < -memoryS) continue;
    const u = (s[o + which.points + 2 * k + 1] as number) - mu;
    stt += (t - mt) * (t - mt);
    stu += (t - mt) * u;
    suu += u * u;
  }
  if (stt <= 0) return;
  const slope = stu / stt;
  const residual = Math.max(0, suu - slope * stu);
  const guess = (SPREAD_GUESS * (s[o + SWING] as number)) ** 2;
  const spread = s[o + which.spread] as number;
  const prior = Number.isNaN(spread) ? guess : Math.max(spread, 0.25 * guess);
  const variance = (residual + SPREAD_FREEDOM * prior) / (n - 2 + SPREAD_FREEDOM);
  s[o + which.fit] = mu - slope * mt;
  s[o + which.fit + 1] = slope;
  s[o + which.fit + 2] = Math.sqrt(variance / stt);
}

const PEAK = { count: PEAK_COUNT, points: PEAKS, spread: PEAK_SPREAD, fit: FIT };
const TROUGH = { count: TROUGH_COUNT, points: TROUGHS, spread: TROUGH_SPREAD, fit: FIT + 3 };

function turn(s: Float64Array, o: number, timeS: number, c: EnvelopeSettings): void {
  const swing = (s[o + HIGH] as number) - (s[o + LOW] as number);
  const usual = s[o + SWING] as number;
  s[o + SWING] = usual === 0 ? swing : usual + CYCLE_WEIGHT * (swing - usual);
  const since = s[o + T_TURN] as number;
  if (since > 0) s[o + GAP] = Math.max(timeS - since, 0.9 * (s[o + GAP] as number));
  s[o + T_TURN] = timeS;
  s[o + FIT_TIME] = timeS;
  fitLine(s, o, PEAK, timeS, c);
  fitLine(s, o, TROUGH, timeS, c);
}

/** Takes one good sample: `u` = value / SLO at `timeS`. */
export function stepEnvelope(
  s: Float64Array,
  o: number,
  timeS: number,
  u: number,
  c: EnvelopeSettings,
): void {
  s[o + T_LAST] = timeS;
  if (Number.isNaN(s[o + T_FIRST] as number)) {
    s[o + T_FIRST] = timeS;
    s[o + HIGH] = u;
    s[o + LOW] = u;
    s[o + T_HIGH] = timeS;
    s[o + T_LOW] = timeS;
  }
  if (!(u > c.overLevel)) s[o + T_OVER] = Number.NaN;
  else if (Number.isNaN(s[o + T_OVER] as number)) s[o + T_OVER] = timeS;
  const direction = s[o + DIRECTION] as number;
  const reversal = Math.max(c.reversal, c.reversalShare * (s[o + SWING] as number));
  if (direction >= 0) {
    if (u > (s[o + HIGH] as number)) {
      s[o + HIGH] = u;
      s[o + T_HIGH] = timeS;
    } else if (u < (s[o + HIGH] as number) - reversal) {
      // A peak is behind us. Without a trough before it, it is only where we came in.
      if (direction > 0) {
        remember(s, o, PEAK, s[o + T_HIGH] as number, s[o + HIGH] as number);
        turn(s, o, timeS, c);
      }
      s[o + DIRECTION] = -1;
      s[o + LOW] = u;
      s[o + T_LOW] = timeS;
      return;
    }
  }
  if (direction <= 0) {
    if (u < (s[o + LOW] as number)) {
      s[o + LOW] = u;
      s[o + T_LOW] = timeS;
    } else if (u > (s[o + LOW] as number) + reversal) {
      if (direction < 0) {
        remember(s, o, TROUGH, s[o + T_LOW] as number, s[o + LOW] as number);
        turn(s, o, timeS, c);
      }
      s[o + DIRECTION] = 1;
      s[o + HIGH] = u;
      s[o + T_HIGH] = timeS;
    }
  }
}

/** What the envelope says at a time. */
export interface EnvelopeView {
  /** False: no cycles seen for long enough; the ramp filter should be asked. */
  cycles: boolean;
  /** False: too early to say whether there are cycles. */
  settled: boolean;
  /** Where the peaks will be at the look-ahead, SLO; NaN without two lines. */
  peak: number;
  /** Slope of the peaks' line as far as it is believed, SLO a second. */
  slope: number;
  /** Both lines climb significantly. */
  climbing: boolean;
  /** Above the limit long enough to act at once. */
  over: boolean;
}

/** Fills `out` with the view at `timeS`, the peaks extended by `aheadS`. */
export function viewEnvelope(
  s: Float64Array,
  o: number,
  at: { timeS: number; aheadS: number },
  c: EnvelopeSettings,
  out: EnvelopeView,
): void {
  const { timeS } = at;
  const lastTurn = s[o + T_TURN] as number;
  const patience = Math.max(c.quietS, 2 * (s[o + GAP] as number));
  const since = lastTurn > 0 ? lastTurn : (s[o + T_FIRST] as number);
  out.cycles = lastTurn > 0 && timeS - since < patience;
  out.settled = out.cycles || timeS - since >= patience;
  out.over = timeS - (s[o + T_OVER] as number) >= c.overS;
  out.peak = Number.NaN;
  out.slope = 0;
  out.climbing = false;
  const peakNow = s[o + FIT] as number;
  const troughNow = s[o + FIT + 3] as number;
  if (!out.cycles || Number.isNaN(peakNow) || Number.isNaN(troughNow)) return;
  const peakSlope = s[o + FIT + 1] as number;
  const troughSlope = s[o + FIT + 4] as number;
  out.climbing =
    peakSlope > c.slopeErrors * (s[o + FIT + 2] as number) &&
    troughSlope > c.slopeErrors * (s[o + FIT + 5] as number);
  out.slope = Math.min(peakSlope, c.slopeRatio * Math.max(0, troughSlope));
  const line = peakNow + peakSlope * (timeS - (s[o + FIT_TIME] as number));
  const running = (s[o + DIRECTION] as number) > 0 ? (s[o + HIGH] as number) : Number.NEGATIVE_INFINITY;
  out.peak = Math.max(line, running) + at.aheadS * out.slope;
}
