import type { Forecast } from "../../kernel/decision.ts";

/**
 * The linear predictor' memory: the last `window` good samples of every series, in two rings.
 * One typed array for all series, so that ten thousand of them cost three megabytes and no garbage.
 */
export interface LinearBank {
  readonly size: number;
  /** Samples kept a series. */
  readonly window: number;
  readonly time: Float64Array;
  readonly value: Float64Array;
  readonly count: Int32Array;
  readonly head: Int32Array;
}

/** Fewest samples a line is fitted to: with fewer, R^2 says nothing. */
const MIN_LINEAR_SAMPLES = 5;

/** An empty bank for `size` series of `window` samples each. */
export function createLinearBank(options: { size: number; window: number }): LinearBank {
  const { size, window } = options;
  if (!Number.isInteger(window) || window < MIN_LINEAR_SAMPLES)
    throw new RangeError(`window must be a whole number of samples >= ${MIN_LINEAR_SAMPLES}, not ${window}`);
  return {
    size,
    window,
    time: new Float64Array(size * window),
    value: new Float64Array(size * window),
    count: new Int32Array(size),
    head: new Int32Array(size),
  };
}

/**
 * Takes one sample of series `i`: `timeS` seconds (any origin), `value` in the signal's unit.
 * A value that is not a finite number >= 0, or a time that does not go forward, is missing: it changes nothing.
 * @returns whether the sample was taken.
 */
export function pushLinear(bank: LinearBank, i: number, timeS: number, value: number): boolean {
  if (!(value >= 0) || value === Infinity || !Number.isFinite(timeS)) return false;
  const { window } = bank;
  const base = i * window;
  const head = bank.head[i] as number;
  const count = bank.count[i] as number;
  if (count > 0) {
    const newest = bank.time[base + ((head + window - 1) % window)] as number;
    if (timeS <= newest) return false;
  }
  bank.time[base + head] = timeS;
  bank.value[base + head] = value;
  bank.head[i] = head + 1 === window ? 0 : head + 1;
  if (count < window) bank.count[i] = count + 1;
  return true;
}

/** Forgets series `i`: after an action, what came before it says nothing of what comes. */
export function resetLinear(bank: LinearBank, i: number): void {
  bank.count[i] = 0;
  bank.head[i] = 0;
}

/**
 * Ordinary least squares over the window, read `horizonS` seconds after the newest sample; never below zero nor above
 * `max`, the largest value that there can be.
 * R^2 of a constant series is 0: a line explains nothing there.
 * Source: the founding algorithm (ADR 0003); two passes about the mean, so that Unix times lose no digits.
 * @returns undefined with fewer than `MIN_LINEAR_SAMPLES` samples.
 */
export function forecastLinear(
  bank: LinearBank,
  i: number,
  horizonS: number,
  max = Number.POSITIVE_INFINITY,
): Forecast | undefined {
  const count = bank.count[i] as number;
  if (count < MIN_LINEAR_SAMPLES) return undefined;
  const { time, value, window } = bank;
  const base = i * window;
  const end = base + count;
  const newest = time[base + (((bank.head[i] as number) + window - 1) % window)] as number;
  let meanT = 0;
  let meanY = 0;
  for (let k = base; k < end; k++) {
    meanT += (time[k] as number) - newest;
    meanY += value[k] as number;
  }
  meanT /= count;
  meanY /= count;
  let tt = 0;
  let ty = 0;
  let yy = 0;
  for (let k = base; k < end; k++) {
    const dt = (time[k] as number) - newest - meanT;
    const dy = (value[k] as number) - meanY;
    tt += dt * dt;
    ty += dt * dy;
    yy += dy * dy;
  }
  const slope = ty / tt;
  return {
    predictor: "linear",
    value: Math.min(max, Math.max(0, meanY + slope * (horizonS - meanT))),
    slopePerSecond: slope,
    r2: yy > 0 ? Math.min(1, (ty * ty) / (tt * yy)) : 0,
    sampleCount: count,
  };
}
