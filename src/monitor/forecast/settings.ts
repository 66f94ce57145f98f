/** The shapes of signal that the trend predictor knows. */
export type TrendKind = "latency" | "ratio" | "memory" | "backlog";

/** How readily the predictor speaks: `strict` least, `eager` most. */
export type TrendSensitivity = "strict" | "default" | "eager";

/**
 * Constants of the ramp filter (`trend/`). Levels are in units of the SLO, times in seconds, noise in natural-log units.
 * Chosen on the tuning seeds of `src/lab/bench/decisions`, judged on held-out seeds and a second generator.
 */
export interface FilterSettings {
  /** Added to value / SLO before the logarithm: what counts as "near zero" for a signal that is often zero. */
  readonly offset: number;
  /** Half-life of the noise estimate, s. */
  readonly noiseHalfLifeS: number;
  /** Noise assumed before any is measured (log-sd), and how many measurements that guess weighs. */
  readonly noiseGuess: number;
  readonly noiseGuessWeight: number;
  /** Smallest log-sd believed. */
  readonly noiseFloor: number;
  /** Log-variance of one sample is at least this over the number of requests behind it (P95 of a lognormal); 0: not used. */
  readonly variancePerRequest: number;
  /** The value is a share of the requests behind it: the noise is binomial. */
  readonly binomial: boolean;
  /** Random walk of a steady level: log-sd gathered in ten minutes. */
  readonly steadyDrift: number;
  /** Spread of a new ramp's slope, SLO a second (sd around zero). */
  readonly slopeSpread: number;
  /** Random walk of a ramp's slope: sd gathered in ten minutes, SLO a second. */
  readonly slopeDrift: number;
  /** Mean seconds until a steady series starts to ramp, and until a ramp turns steady. */
  readonly rampEveryS: number;
  readonly rampLastsS: number;
  /** Seconds between the births of ramp hypotheses. */
  readonly birthEveryS: number;
  /** Noise is taken to be correlated over the rate window or this long, whichever is more, s. */
  readonly correlationS: number;
  /** Innovations are clipped to this many sd; samples clipped on one side for `releaseS` are believed. */
  readonly clip: number;
  readonly releaseS: number;
  /** The level is forecast for `horizonFactor` horizons ahead of the last sample. */
  readonly horizonFactor: number;
  /** Acting margin: `margin - marginPerNoise * noise`, at least `marginLeast`, SLO. */
  readonly margin: number;
  readonly marginPerNoise: number;
  readonly marginLeast: number;
  /** Least probability that the level will exceed the margin. */
  readonly probability: number;
  /** Steps of the filter (samples, at cycles of 24 s and more) before the predictor may speak of a trend. */
  readonly minSamples: number;
  /** After a swing that turned back by itself at level c, the margin is at least c + `habitAdd`, at most `habitCap`, SLO. */
  readonly habitAdd: number;
  /** The margin is at least the mean level of the last hour or so plus this: running high is no fault by itself. */
  readonly usualAdd: number;
  readonly habitCap: number;
  /** What counts as turning back: a fall by this much, SLO; and the half-life of the memory, s. */
  readonly habitReversal: number;
  readonly habitHalfLifeS: number;
  /** Margin while traffic rose along with the level, SLO. */
  readonly trafficMargin: number;
  /** Level path: on or off, seconds an excursion must last, its distance from the steady level (sd of its mean). */
  readonly levelPath: boolean;
  readonly levelHoldS: number;
  readonly levelSignificance: number;
}

/** Constants of the memory envelope (`envelope/`). Levels in units of the SLO, times in seconds. */
export interface EnvelopeSettings {
  /** A turning point needs a reversal of at least this, and of this share of the usual swing. */
  readonly reversal: number;
  readonly reversalShare: number;
  /** Turning points older than this are forgotten; without a cycle for `quietS` the ramp filter takes over. */
  readonly memoryS: number;
  /** ...or older than this many times the longest recent time between turning points, whichever is more. */
  readonly memoryGaps: number;
  readonly quietS: number;
  /** Peaks (and troughs) needed for a line. */
  readonly minPoints: number;
  /** Both slopes must exceed this many standard errors. */
  readonly slopeErrors: number;
  /** How far ahead the peaks are extended, in horizons; and how much steeper than the troughs they may be believed. */
  readonly horizonFactor: number;
  readonly slopeRatio: number;
  /** Above this level for `overS` the envelope speaks at once. */
  readonly overLevel: number;
  readonly overS: number;
}

/** What a kind of signal is judged by; `envelope` where cycles are to be looked through. */
export interface TrendSettings {
  readonly filter: FilterSettings;
  readonly envelope: EnvelopeSettings | undefined;
}

/** A P95 in log space: noise is proportional to the level. */
const LATENCY: FilterSettings = {
  offset: 0,
  noiseHalfLifeS: 3600,
  noiseGuess: 0.2,
  noiseGuessWeight: 8,
  noiseFloor: 0.05,
  variancePerRequest: 2.2,
  binomial: false,
  steadyDrift: 0.02,
  slopeSpread: 1e-3,
  slopeDrift: 2e-4,
  rampEveryS: 3600,
  rampLastsS: 3600,
  birthEveryS: 120,
  correlationS: 60,
  clip: 3.5,
  releaseS: 118,
  horizonFactor: 1,
  margin: 0.94,
  marginPerNoise: 0.65,
  marginLeast: 0.78,
  probability: 0.83,
  minSamples: 9,
  habitAdd: 0.15,
  usualAdd: 0.12,
  habitCap: 1.03,
  habitReversal: 0.1,
  habitHalfLifeS: 43_200,
  trafficMargin: 1,
  levelPath: true,
  levelHoldS: 58,
  levelSignificance: 4,
};

/** A ratio of counts: near zero most of the time, binomial noise, so a fifth of the SLO is "near zero". */
const RATIO: FilterSettings = {
  ...LATENCY,
  offset: 0.2,
  variancePerRequest: 0,
  binomial: true,
  trafficMargin: 0,
};

/**
 * A queue: empty most of the time, bursts that drain. Slow growth is what kills it, so slopes are expected to be small
 * (a burst is clipped and re-anchored) and the look is further ahead.
 */
const BACKLOG: FilterSettings = {
  ...LATENCY,
  offset: 0.1,
  noiseFloor: 0.1,
  variancePerRequest: 0,
  steadyDrift: 0.04,
  slopeSpread: 2.5e-4,
  rampLastsS: 7200,
  clip: 2.5,
  releaseS: 88,
  horizonFactor: 5 / 3,
  margin: 0.9,
  marginPerNoise: 0,
  trafficMargin: 0,
  levelPath: false,
};

/** Memory without cycles. With cycles the envelope speaks. */
const MEMORY: FilterSettings = {
  ...LATENCY,
  noiseFloor: 0.01,
  variancePerRequest: 0,
  trafficMargin: 0,
};

const ENVELOPE: EnvelopeSettings = {
  reversal: 0.05,
  reversalShare: 0.35,
  memoryS: 3600,
  memoryGaps: 10,
  quietS: 2400,
  minPoints: 2,
  slopeErrors: 2,
  horizonFactor: 10 / 3,
  slopeRatio: 1.5,
  overLevel: 1.02,
  overS: 88,
};

const BY_KIND: Readonly<Record<TrendKind, FilterSettings>> = {
  latency: LATENCY,
  ratio: RATIO,
  memory: MEMORY,
  backlog: BACKLOG,
};

/** What `strict` and `eager` change: the probability asked for. */
const PROBABILITY_SHIFT: Readonly<Record<TrendSensitivity, number>> = {
  strict: 0.08,
  default: 0,
  eager: -0.13,
};

/** Constants that an operator sets otherwise, for one kind of signal. */
export interface TrendConstants {
  readonly filter?: Readonly<Partial<FilterSettings>> | undefined;
  /** For memory only. */
  readonly envelope?: Readonly<Partial<EnvelopeSettings>> | undefined;
}

/** The constants for a kind of signal at a sensitivity; those given win over both. */
export function trendSettings(
  kind: TrendKind,
  sensitivity: TrendSensitivity,
  given: TrendConstants = {},
): TrendSettings {
  const filter = BY_KIND[kind];
  const probability = filter.probability + PROBABILITY_SHIFT[sensitivity];
  return {
    filter: { ...filter, probability, ...given.filter },
    envelope: kind === "memory" ? { ...ENVELOPE, ...given.envelope } : undefined,
  };
}
