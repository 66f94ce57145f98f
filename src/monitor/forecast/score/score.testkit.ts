/** Test support: forecasters that are calibrated by construction, and ones that are not, on series with a memory. */
import { createScoreBank, type ScoreBank } from "./bank.ts";
import { noteForecast, noteSample } from "./note.ts";

/** Seeded uniform numbers in (0, 1): a linear congruence modulo 2^32, its high bits mixed down. */
export function uniform(seed: number): () => number {
  let state = (Math.imul(seed, 2654435761) + 0x9e3779b9) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
    x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
    return (((x ^ (x >>> 16)) >>> 0) + 0.5) / 4294967296;
  };
}

function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
}

/** Standard normal distribution function (logistic form of Bowling et al. 2009; error below 2e-4). */
function cdf(z: number): number {
  return 1 / (1 + Math.exp(-z * (1.5976 + 0.07056 * z * z)));
}

export interface World {
  readonly seed: number;
  readonly hours: number;
  /** Series, and how many of them share every value. */
  readonly size: number;
  readonly shared: boolean;
  /** Time over which the log level forgets itself, s; its sd is 1, the SLO lies `sloZ` sd above the mean. */
  readonly memoryS: number;
  readonly sloZ: number;
  /** What the forecaster does wrong: its sd times `spread`, its mean plus `bias` (sd). Right: 1 and 0. */
  readonly spread: number;
  readonly bias: number;
  readonly cycleS?: number;
}

/** Lives through the world's hours; `each` is called after every cycle with hours gone. The bank has one group. */
export function live(world: World, each?: (bank: ScoreBank, hour: number) => void): ScoreBank {
  const cycleS = world.cycleS ?? 30;
  const horizonS = 180;
  const next = uniform(world.seed);
  const bank = createScoreBank({
    size: world.size,
    predictors: [{ name: "w", nominalCoverage: 0.9 }],
    groups: ["p95_latency"],
    groupOf: new Int32Array(world.size),
    horizonS,
    cycleS,
  });
  const keep = Math.exp(-cycleS / world.memoryS);
  const ahead = Math.exp(-horizonS / world.memoryS);
  const sd = Math.sqrt(1 - ahead * ahead);
  const x = Float64Array.from({ length: world.size }, () => normal(next));
  if (world.shared) x.fill(x[0] as number);
  const slo = 300 * Math.exp(world.sloZ);
  for (let t = 0; t <= world.hours * 3600; t += cycleS) {
    const common = normal(next);
    for (let i = 0; i < world.size; i++) {
      const push = world.shared ? common : normal(next);
      const now = (x[i] as number) * keep + push * Math.sqrt(1 - keep * keep);
      x[i] = now;
      noteSample(bank, i, { timeS: t, value: 300 * Math.exp(now), slo });
      const mean = now * ahead + world.bias * sd;
      const said = sd * world.spread;
      noteForecast(bank, i, 0, {
        madeS: t,
        dueS: t + horizonS,
        value: 300 * Math.exp(mean),
        low: 300 * Math.exp(mean - 1.6449 * said),
        high: 300 * Math.exp(mean + 1.6449 * said),
        probability: cdf((mean - world.sloZ) / said),
      });
    }
    each?.(bank, t / 3600);
  }
  return bank;
}
