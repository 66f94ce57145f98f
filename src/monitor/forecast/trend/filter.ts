import type { FilterSettings } from "../settings.ts";
import * as at from "./layout.ts";
import { boundedLog, normalCdf } from "./math.ts";

/*
 * A mixture of one steady level and a few ramps, each an extended Kalman filter over (level, slope) that is observed
 * through a logarithm: ramps are straight in SLO units, noise is proportional to the level. Ramps are born from the steady
 * level as it was then, so a ramp is measured from where it started and not by its own slope alone; that is what makes
 * it visible long before a window of least squares sees it. Weights are posterior probabilities (Shiryaev's change
 * detection with a ramp instead of a jump; merging as in the Gordon-Smith multi-process filter). Innovations are clipped and
 * their likelihood has Cauchy tails, so that a spike is no evidence for anything.
 */

const WEIGHT_FLOOR = 1e-9;
const LEVEL_FLOOR = 0.02;

/** Starts the mixture afresh at the sample under way, with log-variance `variance`. */
export function startFilter(s: Float64Array, o: number, variance: number): void {
  const h = o + at.H0;
  const timeS = s[o + at.T_LAST] as number;
  const level = Math.max(s[o + at.NOW_LEVEL] as number, LEVEL_FLOOR);
  s[h + at.H_LEVEL] = level;
  s[h + at.H_SLOPE] = 0;
  s[h + at.H_LL] = level * level * variance;
  s[h + at.H_LB] = 0;
  s[h + at.H_BB] = 0;
  s[h + at.H_WEIGHT] = 1;
  s[h + at.H_BORN] = timeS;
  s[o + at.HYPOTHESES] = 1;
  s[o + at.LAST_BIRTH] = timeS;
  s[o + at.SIDE] = 0;
}

/** Moves every hypothesis ahead to the sample under way; some of the ramps' weight returns to "steady". */
function predict(s: Float64Array, o: number, c: FilterSettings): void {
  const d = s[o + at.NOW_D] as number;
  const n = (s[o + at.HYPOTHESES] as number) | 0;
  const first = o + at.H0;
  const drift = c.steadyDrift * (s[first] as number);
  s[first + at.H_LL] = (s[first + at.H_LL] as number) + (drift * drift * d) / 600;
  if (n === 1) return;
  const q = (c.slopeDrift * c.slopeDrift * d) / 600;
  const back = Math.min(1, d / c.rampLastsS);
  let w = s[first + at.H_WEIGHT] as number;
  const level0 = s[first] as number;
  let mean = w * level0;
  let square = w * ((s[first + at.H_LL] as number) + level0 * level0);
  for (let k = 1, h = first + at.H_SIZE; k < n; k++, h += at.H_SIZE) {
    const slope = s[h + at.H_SLOPE] as number;
    const lb = s[h + at.H_LB] as number;
    const bb = s[h + at.H_BB] as number;
    const level = Math.max(LEVEL_FLOOR, (s[h] as number) + slope * d);
    const ll = (s[h + at.H_LL] as number) + 2 * d * lb + d * d * bb + (q * d * d) / 3;
    s[h] = level;
    s[h + at.H_LL] = ll;
    s[h + at.H_LB] = lb + d * bb + (q * d) / 2;
    s[h + at.H_BB] = bb + q;
    const weight = s[h + at.H_WEIGHT] as number;
    const given = weight * back;
    s[h + at.H_WEIGHT] = weight - given;
    w += given;
    mean += given * level;
    square += given * (ll + level * level);
  }
  mean /= w;
  s[first] = mean;
  s[first + at.H_LL] = Math.max(1e-9, square / w - mean * mean);
  s[first + at.H_WEIGHT] = w;
}

/** Makes room by merging the two neighbouring ramps that are closest in relative age (moment matching). */
function mergeClosest(s: Float64Array, o: number, timeS: number): void {
  const n = (s[o + at.HYPOTHESES] as number) | 0;
  let best = o + at.H0 + at.H_SIZE;
  let least = Number.POSITIVE_INFINITY;
  for (let k = 1, h = best; k < n - 1; k++, h += at.H_SIZE) {
    const ratio =
      (timeS - (s[h + at.H_BORN] as number) + 60) / (timeS - (s[h + at.H_SIZE + at.H_BORN] as number) + 60);
    if (ratio < least) {
      least = ratio;
      best = h;
    }
  }
  const other = best + at.H_SIZE;
  const wa = s[best + at.H_WEIGHT] as number;
  const wb = s[other + at.H_WEIGHT] as number;
  const f = wa / (wa + wb);
  const g = 1 - f;
  const dl = (s[best] as number) - (s[other] as number);
  const db = (s[best + at.H_SLOPE] as number) - (s[other + at.H_SLOPE] as number);
  const fg = f * g;
  for (let j = at.H_LEVEL; j <= at.H_BB; j++)
    s[best + j] = f * (s[best + j] as number) + g * (s[other + j] as number);
  s[best + at.H_LL] = (s[best + at.H_LL] as number) + fg * dl * dl;
  s[best + at.H_LB] = (s[best + at.H_LB] as number) + fg * dl * db;
  s[best + at.H_BB] = (s[best + at.H_BB] as number) + fg * db * db;
  s[best + at.H_WEIGHT] = wa + wb;
  const end = o + at.H0 + n * at.H_SIZE;
  s.copyWithin(other, other + at.H_SIZE, end);
  s[o + at.HYPOTHESES] = n - 1;
}

/** A ramp is born from the steady level, with a share of its weight. */
function giveBirth(s: Float64Array, o: number, timeS: number, c: FilterSettings): void {
  const since = timeS - (s[o + at.LAST_BIRTH] as number);
  s[o + at.LAST_BIRTH] = timeS;
  if ((s[o + at.HYPOTHESES] as number) >= at.MAX_HYPOTHESES) mergeClosest(s, o, timeS);
  const n = (s[o + at.HYPOTHESES] as number) | 0;
  const first = o + at.H0;
  const h = first + n * at.H_SIZE;
  const given = (s[first + at.H_WEIGHT] as number) * Math.min(0.5, since / c.rampEveryS);
  s[first + at.H_WEIGHT] = (s[first + at.H_WEIGHT] as number) - given;
  s[h] = s[first] as number;
  s[h + at.H_SLOPE] = 0;
  s[h + at.H_LL] = s[first + at.H_LL] as number;
  s[h + at.H_LB] = 0;
  s[h + at.H_BB] = c.slopeSpread * c.slopeSpread;
  s[h + at.H_WEIGHT] = given;
  s[h + at.H_BORN] = timeS;
  s[o + at.HYPOTHESES] = n + 1;
}

/**
 * Takes the sample under way.
 * @returns +1 or -1 when every hypothesis had to clip it on that side, else 0.
 */
function update(s: Float64Array, o: number, clip: number): number {
  const n = (s[o + at.HYPOTHESES] as number) | 0;
  const observed = s[o + at.NOW_LEVEL] as number;
  const r = s[o + at.NOW_R] as number;
  // Clipping goes by one sample's own noise, so that a burst of many correlated samples pulls no harder than a few.
  const alone = s[o + at.R_LAST] as number;
  const clip2 = clip * clip;
  let total = 0;
  let sides = 0;
  for (let k = 0, h = o + at.H0; k < n; k++, h += at.H_SIZE) {
    const level = s[h] as number;
    const inverse = 1 / level;
    let e = boundedLog(observed * inverse);
    // Loadings on the log of the level.
    const ll = (s[h + at.H_LL] as number) * inverse;
    const lb = (s[h + at.H_LB] as number) * inverse;
    const f = ll * inverse + r;
    const precision = 1 / f;
    const z2 = e * e * precision;
    const sd = Math.sqrt(f);
    const weight = (s[h + at.H_WEIGHT] as number) / ((1 + z2) * sd);
    s[h + at.H_WEIGHT] = weight;
    total += weight;
    const most2 = clip2 * (ll * inverse + alone);
    if (e * e > most2) {
      sides += e > 0 ? 1 : -1;
      e = e > 0 ? Math.sqrt(most2) : -Math.sqrt(most2);
    }
    const gain = ll * precision;
    const slopeGain = lb * precision;
    s[h] = Math.max(LEVEL_FLOOR, level + gain * e);
    s[h + at.H_SLOPE] = (s[h + at.H_SLOPE] as number) + slopeGain * e;
    s[h + at.H_BB] = Math.max(0, (s[h + at.H_BB] as number) - slopeGain * lb);
    s[h + at.H_LB] = (s[h + at.H_LB] as number) - gain * lb;
    s[h + at.H_LL] = Math.max(1e-12, (s[h + at.H_LL] as number) - gain * ll);
  }
  const scale = 1 / total;
  for (let k = 0, h = o + at.H0 + at.H_WEIGHT; k < n; k++, h += at.H_SIZE) {
    s[h] = Math.max((s[h] as number) * scale, WEIGHT_FLOOR);
  }
  return sides === n ? 1 : sides === -n ? -1 : 0;
}

/** One step of the mixture with the sample under way. Answers as `update` does. */
export function stepFilter(s: Float64Array, o: number, c: FilterSettings): number {
  predict(s, o, c);
  const timeS = s[o + at.T_LAST] as number;
  if (timeS - (s[o + at.LAST_BIRTH] as number) >= c.birthEveryS - 1) giveBirth(s, o, timeS, c);
  return update(s, o, c.clip);
}

/** The mixture's mean level now, SLO + offset. */
export function meanLevel(s: Float64Array, o: number): number {
  const n = (s[o + at.HYPOTHESES] as number) | 0;
  let sum = 0;
  for (let k = 0, h = o + at.H0; k < n; k++, h += at.H_SIZE) {
    sum += (s[h + at.H_WEIGHT] as number) * (s[h] as number);
  }
  return sum;
}

/** The mixture read `aheadS` after the last sample: mean and variance of the level, and mean slope. */
export interface Outlook {
  level: number;
  variance: number;
  slope: number;
}

/** Probability that the level is above `margin` (SLO + offset) `aheadS` seconds after the last sample, 0..1. */
export function exceedance(s: Float64Array, o: number, aheadS: number, margin: number): number {
  const n = (s[o + at.HYPOTHESES] as number) | 0;
  let p = 0;
  for (let k = 0, h = o + at.H0; k < n; k++, h += at.H_SIZE) {
    const weight = s[h + at.H_WEIGHT] as number;
    if (weight < 1e-4) continue;
    const level = (s[h] as number) + (s[h + at.H_SLOPE] as number) * aheadS;
    const variance =
      (s[h + at.H_LL] as number) +
      2 * aheadS * (s[h + at.H_LB] as number) +
      aheadS * aheadS * (s[h + at.H_BB] as number);
    p += weight * normalCdf((level - margin) / Math.sqrt(variance + 1e-9));
  }
  return Math.min(1, p);
}

/** Fills `out` with the mixture's forecast `aheadS` seconds after the last sample. */
export function outlook(s: Float64Array, o: number, aheadS: number, out: Outlook): void {
  const n = (s[o + at.HYPOTHESES] as number) | 0;
  let mean = 0;
  let square = 0;
  let slope = 0;
  for (let k = 0, h = o + at.H0; k < n; k++, h += at.H_SIZE) {
    const weight = s[h + at.H_WEIGHT] as number;
    const b = s[h + at.H_SLOPE] as number;
    const level = (s[h] as number) + b * aheadS;
    const variance =
      (s[h + at.H_LL] as number) +
      2 * aheadS * (s[h + at.H_LB] as number) +
      aheadS * aheadS * (s[h + at.H_BB] as number);
    mean += weight * level;
    slope += weight * b;
    square += weight * (variance + level * level);
  }
  out.level = mean;
  out.slope = slope;
  out.variance = Math.max(0, square - mean * mean);
}
