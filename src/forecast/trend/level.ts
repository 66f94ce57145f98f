import type { FilterSettings } from "../settings.ts";
import * as at from "./layout.ts";

/** Samples closer than this are not told apart here: a decaying spike must have time to decay. */
const SPACING_S = 19;
/** An excursion starts at this many sd above the steady level. */
const ANOMALY_SD = 3;
/** Share of the height predicted from the first rise that must be reached. */
const SHAPE_SHARE = 0.85;
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
 * @param sloX ln(1 + offset); @param steady the steady level before this sample; @param level and x: the sample.
 */
export function stepLevel(
  s: Float64Array,
  o: number,
  sample: { timeS: number; level: number; x: number; steady: number; sloX: number; rateWindowS: number },
  c: FilterSettings,
): void {
  const { timeS, level, x, steady } = sample;
  if (timeS - (s[o + at.T_KEPT] as number) < SPACING_S) return;
  const variance = s[o + at.R_LAST] as number;
  const spacing = timeS - (s[o + at.T_KEPT] as number);
  s[o + at.T_KEPT] = timeS;
  s[o + at.X1] = s[o + at.X1 + 1] as number;
  s[o + at.X1 + 1] = s[o + at.X3] as number;
  s[o + at.X3] = x;
  s[o + at.R1] = s[o + at.R1 + 1] as number;
  s[o + at.R1 + 1] = s[o + at.R3] as number;
  s[o + at.R3] = variance;
  s[o + at.LEVEL] = 0;
  const above = level / steady - 1;
  // ln(1 + a) > k sd, without the logarithm where it is plainly not so.
  if (above <= 0 || Math.log(1 + above) <= ANOMALY_SD * Math.sqrt(variance)) {
    s[o + at.EX_SINCE] = Number.NaN;
    s[o + at.EX_COUNT] = 0;
    return;
  }
  const count = (s[o + at.EX_COUNT] as number) + 1;
  s[o + at.EX_COUNT] = count;
  if (count === 1) {
    s[o + at.EX_SINCE] = timeS;
    s[o + at.EX_FIRST] = level;
    return;
  }
  if (count === 2) {
    s[o + at.EX_SECOND] = level;
    s[o + at.EX_SPACING] = spacing;
  }
  if (timeS - (s[o + at.EX_SINCE] as number) >= c.levelHoldS) judge(s, o, sample, c);
}

function judge(
  s: Float64Array,
  o: number,
  sample: { timeS: number; level: number; x: number; steady: number; sloX: number; rateWindowS: number },
  c: FilterSettings,
): void {
  const { x, sloX, level, steady } = sample;
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
  const overSlo = x > sloX && (x + before) / 2 > sloX;
  const top = three ? Math.max(before, oldest) : before;
  const decaying = x < top - 0.5 * sd - 0.02;
  const rise = (s[o + at.EX_SECOND] as number) - (s[o + at.EX_FIRST] as number);
  const factor = (SHAPE_SHARE * sample.rateWindowS) / (s[o + at.EX_SPACING] as number);
  const asHighAsAStep = count > 3 || level >= steady + factor * rise;
  s[o + at.LEVEL] = significant && overSlo && !decaying && asHighAsAStep ? 1 : 0;
}
