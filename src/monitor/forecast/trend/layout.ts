/**
 * Where things lie in the state of one series: one row of `STRIDE` doubles in the bank, so that a step touches one run of
 * cache lines. Levels are (value / SLO + offset), x is their logarithm, times are seconds.
 */

/** Samples taken since the start or the last reset. */
export const COUNT = 0;
export const T_LAST = 1;
/** Noise: log-variance and the number of differences it stands on. Survives a reset. */
export const NOISE = 2;
export const NOISE_COUNT = 3;
/** Log-variance of the last sample: the noise, or more when few requests were behind it. */
export const R_LAST = 4;
/** Hypotheses in use, and when the last ramp was born. */
export const HYPOTHESES = 5;
export const LAST_BIRTH = 6;
/** On which side every hypothesis clips its innovation, and since when. */
export const SIDE = 7;
export const SIDE_SINCE = 8;
/** The running excursion from the steady level: since when (NaN: none), samples, its first value, the one some 30 s later, their distance in time. */
export const EX_SINCE = 9;
export const EX_COUNT = 10;
export const EX_FIRST = 11;
export const EX_SECOND = 12;
export const EX_SPACING = 13;
/** Last three x, newest last, their log-variances, and when the newest was kept. */
export const X1 = 14;
export const X3 = 16;
export const R1 = 17;
export const R3 = 19;
export const T_KEPT = 20;
/** 1 when the level path speaks. */
export const LEVEL = 21;
/** Habit: where swings turned back by themselves, and the swing under way. The first survives a reset. */
export const CEILING = 22;
export const SWING_LOW = 23;
export const SWING_HIGH = 24;
/** Short and long means of the level and of the traffic. Survive a reset. */
export const L_SHORT = 25;
export const L_LONG = 26;
export const N_SHORT = 27;
export const N_LONG = 28;
/** Ring of earlier (t, x), for differences two minutes apart. */
export const LAG_HEAD = 29;
export const LAG = 30;
export const LAG_SLOTS = 9;
/** Hypotheses, oldest first; number 0 is "steady". Each: level, slope, three covariances, weight, time of birth. */
export const H0 = LAG + 2 * LAG_SLOTS;
export const H_LEVEL = 0;
export const H_SLOPE = 1;
export const H_LL = 2;
export const H_LB = 3;
export const H_BB = 4;
export const H_WEIGHT = 5;
export const H_BORN = 6;
export const H_SIZE = 7;
/** Steady, and three ramps of different age. */
export const MAX_HYPOTHESES = 3;

/** Long mean of the level, SLO; 0 before the first sample. Survives a reset. */
export const USUAL = H0 + H_SIZE * MAX_HYPOTHESES;
/**
 * The sample under way, left here by `pushSample` for the steps that follow (its time is T_LAST, its log-variance R_LAST):
 * seconds since the one before, x, the level with the noise's bias taken off, and its log-variance for the filter.
 */
export const NOW_D = USUAL + 1;
export const NOW_X = USUAL + 2;
export const NOW_LEVEL = USUAL + 3;
export const NOW_R = USUAL + 4;
/** What the spec says, at hand: 1 / SLO, and how many samples share a rate window (at least 1). Survive a reset. */
export const PER_SLO = USUAL + 5;
export const SHARED = USUAL + 6;
/** Samples that come faster than the filter steps: their sum and number, when it last stepped, and how often it has. */
export const WAITING_SUM = USUAL + 7;
export const WAITING = USUAL + 8;
export const T_STEP = USUAL + 9;
export const STEPS = USUAL + 10;

export const STRIDE = USUAL + 11;
