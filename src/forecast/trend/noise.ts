import type { FilterSettings } from "../settings.ts";
import * as at from "./layout.ts";

/** Differences are taken over two minutes: longer than the rate window that correlates neighbouring samples. */
const LAG_S = 120;
const LAG_TOLERANCE_S = 15;
/** A ring slot a sixth of the lag: eight of them reach back two minutes at any cycle. */
const SLOT_S = LAG_S / 8;

/** Empties the ring of earlier samples (after an action the level may jump). */
export function forgetLag(s: Float64Array, o: number): void {
  s[o + at.LAG_HEAD] = 0;
  for (let k = 0; k < at.LAG_SLOTS; k++) s[o + at.LAG + 2 * k] = Number.NaN;
}

/**
 * Takes x = ln(level) at `timeS`, `d` seconds after the sample before. Noise variance: mean of half the squared difference
 * to two minutes ago, each capped at nine times the mean so far (a fault or a spike is not noise).
 */
export function stepNoise(
  s: Float64Array,
  o: number,
  sample: { timeS: number; d: number; x: number },
  c: FilterSettings,
): void {
  const { timeS, x } = sample;
  const head = s[o + at.LAG_HEAD] as number;
  const newest = o + at.LAG + 2 * ((head + at.LAG_SLOTS - 1) % at.LAG_SLOTS);
  // The youngest entry that is old enough.
  for (let k = 1; k <= at.LAG_SLOTS; k++) {
    const slot = o + at.LAG + 2 * ((head + at.LAG_SLOTS - k) % at.LAG_SLOTS);
    const age = timeS - (s[slot] as number);
    if (!(age >= LAG_S - LAG_TOLERANCE_S)) continue;
    if (age > LAG_S + 2 * LAG_TOLERANCE_S) break;
    const v = s[o + at.NOISE] as number;
    const count = (s[o + at.NOISE_COUNT] as number) + 1;
    s[o + at.NOISE_COUNT] = count;
    const difference = x - (s[slot + 1] as number);
    const term = Math.min(0.5 * difference * difference, 9 * v);
    const gain = Math.max((Math.LN2 * sample.d) / c.noiseHalfLifeS, 1 / (count + c.noiseGuessWeight));
    s[o + at.NOISE] = Math.max(v + Math.min(1, gain) * (term - v), c.noiseFloor * c.noiseFloor);
    break;
  }
  if (!(timeS - (s[newest] as number) < SLOT_S)) {
    const slot = o + at.LAG + 2 * head;
    s[slot] = timeS;
    s[slot + 1] = x;
    s[o + at.LAG_HEAD] = (head + 1) % at.LAG_SLOTS;
  }
}
