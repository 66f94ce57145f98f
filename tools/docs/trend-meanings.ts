import type { EnvelopeSettings, FilterSettings } from "../../src/monitor/forecast/settings.ts";

/** What each constant of the trend predictor is, for docs/configuration.md. Levels in units of the SLO, times in seconds. */
export const filterMeanings: Readonly<Record<keyof FilterSettings, string>> = {
  offset:
    'added to value / SLO before the logarithm: what counts as "near zero" for a signal that is often zero',
  noiseHalfLifeS: "half-life of the noise estimate",
  noiseGuess: "noise assumed before any is measured",
  noiseGuessWeight: "how many measurements that guess weighs",
  noiseFloor: "smallest noise believed",
  variancePerRequest:
    "log-variance of one sample is at least this over the number of requests behind it (P95 of a lognormal); 0: not used",
  binomial: "the value is a share of the requests behind it: the noise is binomial",
  steadyDrift: "random walk of a steady level: noise gathered in ten minutes",
  slopeSpread: "spread of a new ramp's slope around zero, SLO a second",
  slopeDrift: "random walk of a ramp's slope: spread gathered in ten minutes, SLO a second",
  rampEveryS: "mean time until a steady series starts to ramp",
  rampLastsS: "mean time until a ramp turns steady",
  birthEveryS: "time between the births of ramp hypotheses",
  correlationS: "noise is taken to be correlated over the rate window or this long, whichever is more",
  clip: "innovations are clipped to this many standard deviations",
  releaseS: "samples clipped on one side for this long are believed",
  horizonFactor: "the level is forecast for so many horizons ahead of the last sample",
  margin: "the level that must be exceeded is this, less what noise takes off",
  marginPerNoise: "what each unit of noise takes off the margin",
  marginLeast: "the margin is at least this",
  probability: "least probability that the level will exceed the margin",
  minSamples:
    "steps of the filter (samples, at cycles of 24 s and more) before the predictor may speak of a trend",
  habitAdd:
    "after a swing that turned back by itself at a level, the margin is at least that level plus this",
  usualAdd:
    "the margin is at least the mean level of the last hour or so plus this: running high is no fault by itself",
  habitCap: "what habit and usual level may raise the margin to",
  habitReversal: "a fall by this much counts as turning back",
  habitHalfLifeS: "half-life of the memory of swings",
  trafficMargin: "margin while traffic rose along with the level; 0: not used",
  levelPath: "level path on or off: a step is answered once it has lasted",
  levelHoldS: "how long an excursion must last for the level path",
  levelSignificance: "and how far it must be from the steady level, in standard deviations of its mean",
};

/** The same for the envelope of memory. */
export const envelopeMeanings: Readonly<Record<keyof EnvelopeSettings, string>> = {
  reversal: "a turning point needs a reversal of at least this",
  reversalShare: "and of at least this share of the usual swing",
  memoryS: "turning points older than this are forgotten",
  memoryGaps:
    "or older than this many times the longest recent time between turning points, whichever is more",
  quietS: "without a cycle for this long the ramp filter takes over",
  minPoints: "peaks (and troughs) needed for a line",
  slopeErrors: "both slopes must exceed this many standard errors",
  horizonFactor: "how far ahead the peaks are extended, in horizons",
  slopeRatio: "how much steeper than the troughs the peaks may be believed to climb",
  overLevel: "above this level the envelope speaks at once,",
  overS: "once it has lasted this long",
};
