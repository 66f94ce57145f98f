import { createRandom, type Random } from "./random.ts";
import { type Generator, GRID_S, type Kind, type Scenario, type Truth } from "./shapes.ts";

/** Which seeds: constants may be chosen on `tuning` only; figures are quoted from `held-out`. */
export type SeedSet = "tuning" | "held-out";

/** One measured sample, as a decider sees it. */
export interface Sample {
  /** Seconds since the start of the run. */
  timeS: number;
  /** In the signal's unit; NaN: missing. */
  value: number;
  /** Requests behind the value in the rate window; undefined: unknown. */
  support: number | undefined;
}

/** A run: the measured series and what is true of it. Times in seconds, values in the signal's unit. */
export interface Run {
  readonly scenario: Scenario;
  readonly cv: number;
  readonly slo: number;
  readonly limit: number;
  readonly cycleS: number;
  readonly rateWindowS: number;
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** Requests in the rate window; NaN where the signal has none. */
  readonly support: Float64Array;
  readonly truth: Truth;
}

/** Thresholds as the daemon's defaults have them, in each signal's unit. */
export const THRESHOLDS: Readonly<Record<Kind, { slo: number; limit: number }>> = {
  latency: { slo: 300, limit: 5000 },
  ratio: { slo: 0.05, limit: 0.5 },
  memory: { slo: 270e6, limit: 300e6 },
  backlog: { slo: 100, limit: 200 },
};

const RATE_WINDOW_S = 60;
/** A gauge of memory is read, not sampled: its noise is this share of the scenario's. */
const MEMORY_NOISE_SHARE = 0.1;
/** Log-variance of a P95 over one request: order statistics of a lognormal of log-sd 0.7, p(1-p)/n / density^2. */
const P95_SAMPLING = 2.2;

/** Unit-variance log-noise, one value a sample. */
function noiseSource(random: Random, generator: Generator, cycleS: number): () => number {
  if (generator === "reference") {
    // White noise on 10 s steps, averaged over 60 s.
    const steps = Math.max(1, Math.round(cycleS / 10));
    const ring = new Float64Array(6);
    for (let i = 0; i < 6; i++) ring[i] = random.normal();
    let at = 0;
    return () => {
      for (let i = 0; i < steps; i++) {
        ring[at] = random.normal();
        at = (at + 1) % 6;
      }
      let sum = 0;
      for (let i = 0; i < 6; i++) sum += ring[i] as number;
      return sum / Math.sqrt(6);
    };
  }
  // First-order autoregression with its own correlation time, and now and then a fat tail.
  const keep = Math.exp(-cycleS / random.between(10, 60));
  let state = random.normal();
  return () => {
    state = keep * state + Math.sqrt(1 - keep * keep) * random.normal();
    return random.next() < 0.01 ? state + 1.5 * random.normal() : state;
  };
}

/** Level over the rate window ending at each grid point: its mean; the variant's level is not smeared. */
function windowed(level: Float64Array, generator: Generator, kind: Kind): Float64Array {
  if (kind === "memory" || kind === "backlog" || generator === "variant") return level;
  const width = RATE_WINDOW_S / GRID_S;
  const out = new Float64Array(level.length);
  let sum = (level[0] as number) * width;
  for (let k = 0; k < level.length; k++) {
    sum += (level[k] as number) - (level[Math.max(0, k - width)] as number);
    out[k] = sum / width;
  }
  return out;
}

/** Builds the run named by its arguments; the same arguments give the same run. */
export function buildRun(of: {
  scenario: Scenario;
  cv: number;
  seed: number;
  set: SeedSet;
  generator: Generator;
  cycleS?: number;
}): Run {
  const { scenario, cv, generator } = of;
  const random = createRandom(`${of.set}/${generator}/${scenario.name}/${cv}/${of.seed}`);
  const truth = scenario.build(random, generator);
  const cycleS = of.cycleS ?? 30;
  const { slo, limit } = THRESHOLDS[scenario.kind];
  const level = windowed(truth.level, generator, scenario.kind);
  const durationS = (level.length - 1) * GRID_S;
  const first = random.between(0, cycleS);
  const count = Math.floor((durationS - first) / cycleS);
  const times = new Float64Array(count);
  const values = new Float64Array(count);
  const support = new Float64Array(count);
  const perS = truth.requestsPerS ?? random.logBetween(generator === "reference" ? 5 : 1, 200);
  const cvHere = scenario.kind === "memory" ? cv * MEMORY_NOISE_SHARE : cv;
  const noise = noiseSource(random, generator, cycleS);
  const resetShare = truth.resetsEveryS === undefined ? 0 : cycleS / truth.resetsEveryS;
  for (let i = 0; i < count; i++) {
    const jitter = generator === "variant" ? random.between(-1, 1) : 0;
    const t = first + i * cycleS + jitter;
    const k = Math.max(0, Math.min(level.length - 1, Math.round(t / GRID_S)));
    times[i] = Math.max(0, t);
    const load = truth.load === undefined ? 1 : (truth.load[k] as number);
    const requests = Math.round(perS * RATE_WINDOW_S * load * Math.exp(0.1 * random.normal()));
    support[i] = scenario.kind === "latency" || scenario.kind === "ratio" ? requests : Number.NaN;
    const gone = random.next() < (truth.missing ?? 0) || random.next() < resetShare;
    let u = level[k] as number;
    if (scenario.kind === "ratio") {
      const p = Math.min(1, u * slo * Math.exp(0.5 * cv * noise()));
      u = requests === 0 ? Number.NaN : random.binomial(requests, p) / requests / slo;
    } else {
      const sampling =
        generator === "variant" && scenario.kind === "latency" ? P95_SAMPLING / (requests + 1) : 0;
      const s2 = Math.log(1 + cvHere * cvHere + Math.min(sampling, 1));
      u *= Math.exp(Math.sqrt(s2) * noise() - s2 / 2);
    }
    values[i] = gone ? Number.NaN : u * slo;
  }
  return { scenario, cv, slo, limit, cycleS, rateWindowS: RATE_WINDOW_S, times, values, support, truth };
}

/** The noise-free level at a time, in the signal's unit; NaN beyond the run. */
export function trueValueAt(run: Run, timeS: number): number {
  const k = Math.round(timeS / GRID_S);
  return k < run.truth.level.length ? (run.truth.level[k] as number) * run.slo : Number.NaN;
}
