import type { FilterSettings } from "../settings.ts";
import * as at from "./layout.ts";

const SHORT_S = 120;
const LONG_S = 2400;
/** Traffic explains a rise when it grew by more than this share, and by this much of the level's growth. */
const TRAFFIC_RISE = 0.12;
const TRAFFIC_SHARE = 0.3;

/** Forgets the swing under way; what earlier swings taught is kept. */
export function forgetSwing(s: Float64Array, o: number): void {
  s[o + at.SWING_LOW] = Number.NaN;
  s[o + at.SWING_HIGH] = Number.NaN;
}

/**
 * Follows swings of the filtered level (SLO units): a rise that turned back by itself below the SLO teaches that rising so
 * far is nothing unusual here. A swing cut short by an action teaches nothing.
 */
export function stepHabit(s: Float64Array, o: number, level: number, c: FilterSettings): void {
  const d = s[o + at.NOW_D] as number;
  const usual = s[o + at.USUAL] as number;
  s[o + at.USUAL] = usual === 0 ? level : usual + (d / (d + LONG_S)) * (level - usual);
  const ceiling = s[o + at.CEILING] as number;
  s[o + at.CEILING] = ceiling * (1 - Math.min(1, (Math.LN2 * d) / c.habitHalfLifeS));
  const low = s[o + at.SWING_LOW] as number;
  const high = s[o + at.SWING_HIGH] as number;
  if (Number.isNaN(low)) {
    s[o + at.SWING_LOW] = level;
  } else if (Number.isNaN(high)) {
    if (level < low) s[o + at.SWING_LOW] = level;
    else if (level > low + c.habitReversal) s[o + at.SWING_HIGH] = level;
  } else if (level > high) {
    s[o + at.SWING_HIGH] = level;
  } else if (level < high - Math.max(c.habitReversal, 0.25 * (high - low))) {
    s[o + at.CEILING] = Math.max(s[o + at.CEILING] as number, Math.min(high, 1));
    s[o + at.SWING_LOW] = level;
    s[o + at.SWING_HIGH] = Number.NaN;
  }
}

/** Follows the level under way and the traffic (requests in the rate window, > 0): short and long means of both. */
export function stepTraffic(s: Float64Array, o: number, requests: number): void {
  const level = s[o + at.NOW_LEVEL] as number;
  if (Number.isNaN(s[o + at.N_SHORT] as number)) {
    s[o + at.N_SHORT] = requests;
    s[o + at.N_LONG] = requests;
    s[o + at.L_SHORT] = level;
    s[o + at.L_LONG] = level;
    return;
  }
  const d = s[o + at.NOW_D] as number;
  const short = d / (d + SHORT_S);
  const long = d / (d + LONG_S);
  s[o + at.N_SHORT] = (s[o + at.N_SHORT] as number) + short * (requests - (s[o + at.N_SHORT] as number));
  s[o + at.N_LONG] = (s[o + at.N_LONG] as number) + long * (requests - (s[o + at.N_LONG] as number));
  s[o + at.L_SHORT] = (s[o + at.L_SHORT] as number) + short * (level - (s[o + at.L_SHORT] as number));
  s[o + at.L_LONG] = (s[o + at.L_LONG] as number) + long * (level - (s[o + at.L_LONG] as number));
}

/** Whether traffic rose along with the level: a matter of capacity, which no mitigation mends. False when unknown. */
export function trafficExplains(s: Float64Array, o: number): boolean {
  const traffic = (s[o + at.N_SHORT] as number) / (s[o + at.N_LONG] as number) - 1;
  const level = (s[o + at.L_SHORT] as number) / (s[o + at.L_LONG] as number) - 1;
  return traffic > TRAFFIC_RISE && traffic > TRAFFIC_SHARE * level;
}

/** The level (SLO) that the forecast must exceed for this series, now. */
export function actingMargin(s: Float64Array, o: number, c: FilterSettings): number {
  const noise = Math.sqrt(s[o + at.NOISE] as number);
  let margin = Math.max(c.marginLeast, c.margin - c.marginPerNoise * noise);
  const ceiling = s[o + at.CEILING] as number;
  const usual = s[o + at.USUAL] as number;
  margin = Math.max(margin, Math.min(c.habitCap, Math.max(ceiling + c.habitAdd, usual + c.usualAdd)));
  return c.trafficMargin > margin && trafficExplains(s, o) ? c.trafficMargin : margin;
}
