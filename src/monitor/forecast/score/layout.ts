/**
 * Where things lie in the arrays of a score bank. A row is one predictor on one series: a head and a ring of pending
 * forecasts. An aggregate is one predictor on one group of series. All doubles, times in seconds.
 */

/** Pending forecasts a row can hold at most; fewer where the horizon and the cycle need fewer. */
export const MAX_PENDING = 16;
export const DECILES = 10;
/** True alarms whose lead times are kept. */
export const LEADS = 64;

// Head of a row.
export const HEAD = 0;
export const COUNT = 1;
/** When the newest kept forecast was made. */
export const LAST_MADE = 2;
/** Block in which the row last had a forecast scored. */
export const LAST_BLOCK = 3;
/** State of the alarm, its first and its newest trigger. */
export const ALARM = 4;
export const ALARM_S = 5;
export const TRIGGER_S = 6;
/** Block in which the row last had a probability scored that spoke. */
export const LAST_SPOKEN = 7;
export const ROW_HEAD = 8;

// A pending forecast: one cache line. NaN where the predictor gave nothing.
export const DUE = 0;
export const VALUE = 1;
export const LOW = 2;
export const HIGH = 3;
export const PROBABILITY = 4;
export const EVENT_LEVEL = 5;
/** Outcome gathered so far, where it is a mean. */
export const SUM = 6;
export const SAMPLES = 7;
export const SLOT = 8;

// Counters of an aggregate, never forgotten.
export const SCORED = 0;
export const UNSCORED = 1;
export const VOIDED = 2;
export const THINNED = 3;
export const BELOW_FLOOR = 4;
export const ALARMS_TRUE = 5;
export const ALARMS_FALSE = 6;
export const ALARMS_UNKNOWABLE = 7;
export const ALARMS_LATE = 8;
export const BREACHES_ANNOUNCED = 9;
export const BREACHES_UNANNOUNCED = 10;
export const BREACHES_UNKNOWABLE = 11;
export const LAST_SCORED = 12;
/** The open block: its number (NaN: none yet). */
export const BLOCK = 13;

// The open block. Probabilities: number, sum of p(1-p), series seen, sum of (outcome - p) by decile.
export const OPEN = 14;
export const OPEN_N = OPEN;
export const OPEN_PQ = OPEN + 1;
export const OPEN_SERIES = OPEN + 2;
export const OPEN_D = OPEN + 3;
/** Intervals: number, sum of (covered - nominal). */
export const OPEN_COVER_N = OPEN_D + DECILES;
export const OPEN_COVER_D = OPEN_COVER_N + 1;
/** Probabilities that spoke, those beyond the first decile: number, sum of p(1-p), series. */
export const OPEN_SPOKEN_N = OPEN_COVER_D + 1;
export const OPEN_SPOKEN_PQ = OPEN_SPOKEN_N + 1;
export const OPEN_SPOKEN_SERIES = OPEN_SPOKEN_PQ + 1;
export const OPEN_END = OPEN_SPOKEN_SERIES + 1;

// Sums that fade by one half every half-life.
export const FADING = OPEN_END;
export const APE_N = FADING;
export const APE = FADING + 1;
export const COVER_N = FADING + 2;
export const COVERED = FADING + 3;
export const PROB_N = FADING + 4;
export const SQUARED = FADING + 5;
export const DECILE_N = FADING + 6;
export const DECILE_P = DECILE_N + DECILES;
export const DECILE_HITS = DECILE_P + DECILES;
/** Sum of (outcome - p) by decile over closed blocks: its sign is what the next block is tested for. */
export const LEARNED = DECILE_HITS + DECILES;
/** Three tests over closed blocks, each: sum of block deviations, number of forecasts. */
export const TEST_CALIBRATION = LEARNED + DECILES;
export const TEST_COVERAGE = TEST_CALIBRATION + 2;
export const TEST_SPOKEN = TEST_COVERAGE + 2;
export const T_SUM = 0;
export const T_N = 1;
export const FADING_END = TEST_SPOKEN + 2;

// Sums of squared weights: they fade twice as fast. By test: squared deviations, their variance by model, squared numbers.
export const SQUARES_CALIBRATION = FADING_END;
export const SQUARES_COVERAGE = FADING_END + 3;
export const SQUARES_SPOKEN = FADING_END + 6;
export const Q_SEEN = 0;
export const Q_MODEL = 1;
export const Q_N = 2;
export const FADING_SQUARES_END = FADING_END + 9;

// Ring of lead times, s.
export const LEAD_HEAD = FADING_SQUARES_END;
export const LEAD_COUNT = LEAD_HEAD + 1;
export const LEAD = LEAD_HEAD + 2;
export const AGGREGATE = LEAD + LEADS;

// States of an alarm. Spent: it has been counted, and further triggers without a pause belong to it.
export const ALARM_NONE = 0;
export const ALARM_OPEN = 1;
export const ALARM_SPENT = 2;

/** Adds to one of the sums and counters of a row or an aggregate. */
export function add(s: Float64Array, at: number, by: number): void {
  s[at] = (s[at] as number) + by;
}
