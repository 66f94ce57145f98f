import type { FilterSettings } from "../settings.ts";
import * as at from "./layout.ts";

/** Samples closer than this are not told apart here: a decaying spike must have time to decay. */
const SPACING_S = 14;
/** An excursion starts at this many sd above the steady level. */
const ANOMALY_SD = 3;
/** Share of the height predicted from the first rise that must be reached. */
const SHAPE_SHARE = 0.85;
/** A sample this many sd below the highest of the last three means that the excursion decays. */
const DECAY_SD = 1;
/** The first rise is taken over at least this long, s: over less it would be noise. */
const RISE_S = 27;
/** How long after its start an excursion is asked for the shape of a step, in rate windows. */
const SHAPE_WINDOWS = 1.5;
/** Noise of neighbouring samples is correlated: sd of the mean of two and of three, relative to one. */
const MEAN_OF_2 = 0.87;
const MEAN_OF_3 = 0.75;

/** Ends any excursion. */
export function forgetLevel(s: Float64Array, o: number): void {
  s[o + at.EX_SINCE] = Number.NaN;
  s[o + at.EX_COUNT] = 0;
  s[o + at.LEVEL] = 0;
  s[o + at.T_KEPT] = Number.NEGATIVE_INFINITY;
  for (let k = at.X1; k <= at.X3; k++) s[o + k] = Number.NaN;
}

/**
 * The level path: a step that no trend foresees. Speaks when the last samples lie significantly above the steady level
 * and above the SLO, for `levelHoldS` since the excursion began, without decaying, and as high as a lasting step must
 * be by now: over a rate window W a step of height h rises by h d / W in d seconds, a spike that is over does not go on.
 * @param steady the steady level before the sample under way, SLO + offset; @param rateWindowS seconds.
 */
export function stepLevel(
  s: Float64Array,
  o: number,
  steady: number,
  rateWindowS: number,
  c: FilterSettings,
): void {
  const timeS = s[o + at.T_LAST] as number;
  if (timeS - (s[o + at.T_KEPT] as number) < SPACING_S) return;
  const level = s[o + at.NOW_LEVEL] as number;
  const x = s[o + at.NOW_X] as number;
  const variance = s[o + at.R_LAST] as number;
  s[o + at.T_KEPT] = timeS;
  s[o + at.X1] = s[o + at.X1 + 1] as number;
  s[o + at.X1 + 1] = s[o + at.X3] as number;
  s[o + at.X3] = x;
  s[o + at.R1] = s[o + at.R1 + 1] as number;
  s[o + at.R1 + 1] = s[o + at.R3] as number;
  s[o + at.R3] = variance;
  s[o + at.LEVEL] = 0;
  const above = level / steady - 1;
  const least = ANOMALY_SD * Math.sqrt(variance);
  // ln(1 + a) <= a: no logarithm where it is plainly no anomaly.
  if (above <= least || Math.log(1 + above) <= least) {
    s[o + at.EX_SINCE] = Number.NaN;
    s[o + at.EX_COUNT] = 0;
    return;
  }
  const count = (s[o + at.EX_COUNT] as number) + 1;
  s[o + at.EX_COUNT] = count;
  if (count === 1) {
    s[o + at.EX_SINCE] = timeS;
    s[o + at.EX_FIRST] = level;
    s[o + at.EX_SPACING] = 0;
    return;
  }
  const lasted = timeS - (s[o + at.EX_SINCE] as number);
  if (s[o + at.EX_SPACING] === 0 && lasted >= RISE_S) {
    s[o + at.EX_SECOND] = level;
    s[o + at.EX_SPACING] = lasted;
  }
  if (lasted >= c.levelHoldS) {
    s[o + at.LEVEL] = isLasting(s, o, steady, rateWindowS, c) ? 1 : 0;
  }
}

/** Whether the excursion under way is significant, above the SLO, not decaying and as high as a lasting step. */
function isLasting(
  s: Float64Array,
  o: number,
  steady: number,
  rateWindowS: number,
  c: FilterSettings,
): boolean {
  const level = s[o + at.NOW_LEVEL] as number;
  const x = s[o + at.NOW_X] as number;
  const sloX = Math.log(1 + c.offset);
  const count = s[o + at.EX_COUNT] as number;
  const before = s[o + at.X1 + 1] as number;
  const three = count >= 3;
  const oldest = s[o + at.X1] as number;
  const mean = three ? (x + before + oldest) / 3 : (x + before) / 2;
  const variance = three
    ? ((s[o + at.R1] as number) + (s[o + at.R1 + 1] as number) + (s[o + at.R3] as number)) / 3
    : ((s[o + at.R1 + 1] as number) + (s[o + at.R3] as number)) / 2;
  const sd = Math.sqrt(variance);
  const significant = mean - Math.log(steady) >= c.levelSignificance * sd * (three ? MEAN_OF_3 : MEAN_OF_2);
  // Two samples a minute apart tell little of the shape: then both must lie above.
  const overSlo = x > sloX && (three ? (x + before) / 2 : before) > sloX;
  const top = three ? Math.max(before, oldest) : before;
  const decaying = x < top - DECAY_SD * sd - 0.02;
  const rise = (s[o + at.EX_SECOND] as number) - (s[o + at.EX_FIRST] as number);
  const factor = (SHAPE_SHARE * rateWindowS) / (s[o + at.EX_SPACING] as number);
  const lasted = (s[o + at.T_LAST] as number) - (s[o + at.EX_SINCE] as number);
  const asHighAsAStep = lasted >= SHAPE_WINDOWS * rateWindowS || level >= steady + factor * rise;
  return significant && overSlo && !decaying && asHighAsAStep;
}
