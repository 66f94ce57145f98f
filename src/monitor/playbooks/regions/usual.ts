/** How far back the usual rate looks, seconds: in that time it can change by a factor of e. */
const KEPT_S = 7200;
/** Rates, and seconds, from which on there is a past to compare with; of a region that was silent so far, seconds. */
const LEAST_RATES = 5;
const LEAST_S = 20;
const LEAST_SILENT_S = 300;
/** A past is young for so long, seconds. */
export const YOUNG_S = 600;
/** How many times its usual rate a region must send to flood: by a past of nearly nothing, and by one that is not young. */
const FLOOD_TIMES_NEW = 10;
const FLOOD_TIMES = 3;
/** How the growth of all others counts: the more they grow, the more they differ in it by themselves. */
const COMMON_POWER = 1.25;
/** Beyond so many times the usual, or so many times below it, a rate is odd; so far beyond its bursts is a flood. */
const ODD_TIMES = 1.5;
const AWAY_TIMES = 10;
/** What is odd for no longer was a burst, seconds: regions do that by themselves, e.g. on the minute. */
const BURST_S = 60;
/** So many times higher a burst may be than those before to count in full: once is no habit. */
const BURST_TIMES = 2;
/** What is odd for so long is how it is now, seconds: twice the known past, within these. */
const RELEARN_LEAST_S = 120;
const RELEARN_MOST_S = 4 * 3600;
/** A usual rate is taken to be at least this, messages a second: ten times nearly nothing is still nearly nothing. */
export const LEAST_USUAL = 0.1;

/**
 * What a region's inbound rate usually is, in a few numbers: one that follows it by a small step only, however far away it
 * is, as a running median does; and what its bursts reach. What is odd is not learned, unless it lasts: then it is how it is
 * now, and the past is forgotten.
 */
export interface Usual {
  /** Messages a second; undefined while there is too little past. */
  rate: number | undefined;
  /** Mean of the first rates; seconds and rates of the past. */
  mean: number;
  knownS: number;
  rates: number;
  /** What bursts reach. */
  high: number;
  /** What is odd now: for how long, and the highest rate in it. */
  oddS: number;
  oddTop: number;
}

export function createUsual(): Usual {
  return { rate: undefined, mean: 0, knownS: 0, rates: 0, high: 0, oddS: 0, oddTop: 0 };
}

/** Whether `level` (messages a second) is far above what the region does by itself; `common`: how much all others grew. */
export function floods({ rate, knownS, high }: Usual, level: number, common = 1): boolean {
  if (rate === undefined) return false;
  const newness = Math.max(0, 1 - knownS / YOUNG_S);
  const times = FLOOD_TIMES + (FLOOD_TIMES_NEW - FLOOD_TIMES) * newness;
  return level >= Math.max(common ** COMMON_POWER * times * Math.max(rate, LEAST_USUAL), ODD_TIMES * high);
}

/** Learns that the rate has been `level` for `seconds`. */
export function learn(usual: Usual, level: number, seconds: number): void {
  const rate = Math.max(usual.rate ?? 0, LEAST_USUAL);
  const isAway = rate > LEAST_USUAL && level * AWAY_TIMES < rate;
  if (usual.rate !== undefined && (isAway || level > Math.max(ODD_TIMES * rate, usual.high))) {
    usual.oddS += seconds;
    usual.oddTop = Math.max(usual.oddTop, level);
    if (usual.oddS >= Math.min(RELEARN_MOST_S, Math.max(RELEARN_LEAST_S, 2 * usual.knownS)))
      Object.assign(usual, createUsual());
    return;
  }
  if (usual.oddTop > rate && usual.oddS <= BURST_S) {
    usual.high = Math.max(usual.high, Math.min(usual.oddTop, BURST_TIMES * Math.max(rate, usual.high)));
    follow(usual, usual.oddTop, usual.oddS);
  }
  usual.oddS = usual.oddTop = 0;
  usual.high *= Math.exp(-seconds / KEPT_S);
  follow(usual, level, seconds);
}

function follow(usual: Usual, level: number, seconds: number): void {
  usual.rates += 1;
  usual.knownS += seconds;
  if (usual.rate !== undefined) {
    const step = Math.exp(seconds / Math.min(2 * usual.knownS, KEPT_S));
    const rate = Math.max(usual.rate, LEAST_USUAL);
    usual.rate = Math.min(Math.max(level, usual.rate / step), rate * step);
    return;
  }
  usual.mean += (level - usual.mean) * (seconds / usual.knownS);
  const isSilent = level < LEAST_USUAL;
  // What is still rising or has only just been seen is not usual yet.
  const isSteady = isSilent || Math.max(level / usual.mean, usual.mean / level) <= ODD_TIMES;
  if (isSteady && usual.rates >= LEAST_RATES && usual.knownS >= (isSilent ? LEAST_SILENT_S : LEAST_S))
    usual.rate = usual.mean;
}
