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
 * Learns from the sample under way. Noise variance: mean of half the squared difference of x to two minutes ago, each capped
 * at nine times the mean so far (a fault or a spike is not noise).
 */
export function stepNoise(s: Float64Array, o: number, c: FilterSettings): void {
  const timeS = s[o + at.T_LAST] as number;
  const x = s[o + at.NOW_X] as number;
  const ring = o + at.LAG;
  const head = (s[o + at.LAG_HEAD] as number) | 0;
  // The youngest entry that is old enough, looked for backwards from the newest.
  let slot = head;
  for (let k = 0; k < at.LAG_SLOTS; k++) {
    slot = slot === 0 ? at.LAG_SLOTS - 1 : slot - 1;
    const age = timeS - (s[ring + 2 * slot] as number);
    if (!(age >= LAG_S - LAG_TOLERANCE_S)) continue;
    if (age <= LAG_S + 2 * LAG_TOLERANCE_S) learn(s, o, x - (s[ring + 2 * slot + 1] as number), c);
    break;
  }
  const newest = ring + 2 * (head === 0 ? at.LAG_SLOTS - 1 : head - 1);
  if (timeS - (s[newest] as number) < SLOT_S) return;
  s[ring + 2 * head] = timeS;
  s[ring + 2 * head + 1] = x;
  s[o + at.LAG_HEAD] = head + 1 === at.LAG_SLOTS ? 0 : head + 1;
}

function learn(s: Float64Array, o: number, difference: number, c: FilterSettings): void {
  const v = s[o + at.NOISE] as number;
  const count = (s[o + at.NOISE_COUNT] as number) + 1;
  s[o + at.NOISE_COUNT] = count;
  const term = Math.min(0.5 * difference * difference, 9 * v);
  const gain = Math.max(
    (Math.LN2 * (s[o + at.NOW_D] as number)) / c.noiseHalfLifeS,
    1 / (count + c.noiseGuessWeight),
  );
  s[o + at.NOISE] = Math.max(v + Math.min(1, gain) * (term - v), c.noiseFloor * c.noiseFloor);
}
