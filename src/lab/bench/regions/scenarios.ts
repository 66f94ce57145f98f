import type { Random } from "../decisions/random.ts";
import type { Incident } from "./run.ts";

export interface Scenario {
  readonly name: string;
  /** Whether a region stands out, or none. */
  readonly wants: "region" | "none";
  build(random: Random): Incident;
}

const NAMES = ["us-east-1", "eu-central-1", "sa-east-1", "us-west-2", "ap-south-1", "af-south-1"];
const HOUR_S = 3600;

/** A calm gateway of random size, pace, noise and reserve. */
interface Calm extends Incident {
  readonly usual: readonly number[];
  readonly total: number;
}

function calm(random: Random, more: { usual?: readonly number[]; reserve?: number } = {}): Calm {
  const regions = NAMES.slice(0, 3 + Math.floor(random.between(0, 4)));
  const usual = more.usual ?? regions.map(() => random.logBetween(3, 100));
  const total = usual.reduce((sum, rate) => sum + rate, 0);
  const reserve = more.reserve ?? random.between(1.6, 3);
  const cycleS = [1, 2, 5, 10, 15, 30][Math.floor(random.between(0, 6))] ?? 30;
  return {
    regions: NAMES.slice(0, usual.length),
    usual,
    total,
    pastS: Math.round(random.between(600, 2400)),
    lengthS: 600,
    cycleS,
    ...(random.next() < 0.4 ? { scrapeS: random.next() < 0.5 ? 15 : 5 } : {}),
    noise: random.between(0.05, 0.3),
    rate: (i) => usual[i] ?? 0,
    capacity: () => reserve * total,
    culprits: [],
    mayBeNone: true,
  };
}

/** Any region of the gateway. */
function pick(random: Random, gateway: Calm): number {
  return Math.floor(random.between(0, gateway.usual.length));
}

/** A rate that is 5 to 60 times the usual and more than the gateway can take. */
function floodRate(random: Random, gateway: Calm, i: number, least = 5): number {
  const rate = random.logBetween(least, 60) * (gateway.usual[i] ?? 0);
  return Math.max(rate, random.between(1.1, 2) * gateway.capacity(0));
}

/** `gateway` with regions that flood from the onset on. */
function flooded(random: Random, gateway: Calm, who: readonly number[], least?: number): Incident {
  const rates = new Map(who.map((i) => [i, floodRate(random, gateway, i, least)]));
  return {
    ...gateway,
    rate: (i, t) => (t >= 0 ? (rates.get(i) ?? gateway.rate(i, t)) : gateway.rate(i, t)),
    culprits: who.map((i) => gateway.regions[i] ?? ""),
    mayBeNone: false,
  };
}

function flood(random: Random, gateway: Calm = calm(random), least?: number): Incident {
  return flooded(random, gateway, [pick(random, gateway)], least);
}

/** One region is always 10 to 30 times as big as the others. */
function lopsided(random: Random): Calm {
  const small = Array.from({ length: 3 }, () => random.between(5, 15));
  return calm(random, { usual: [10 * random.logBetween(10, 30), ...small] });
}

/** The consumer passes on only a share of what usually comes. */
function slow(random: Random, gateway: Calm): Incident {
  const share = random.between(0.2, 0.8);
  return {
    ...gateway,
    capacity: (t) => (t >= 0 ? share * gateway.total : gateway.capacity(t)),
    culprits: [],
  };
}

/** Minutes of rising, then on. */
function ramp(random: Random): Incident {
  const gateway = calm(random);
  const i = pick(random, gateway);
  const peak = floodRate(random, gateway, i);
  const riseS = random.between(120, 420);
  const base = gateway.usual[i] ?? 0;
  const risen = (t: number) => base * (peak / base) ** Math.min(1, t / riseS);
  return {
    ...gateway,
    lengthS: 1200,
    rate: (r, t) => (r === i && t >= 0 ? risen(t) : gateway.rate(r, t)),
    culprits: [gateway.regions[i] ?? ""],
    mayBeNone: false,
  };
}

/** The downstream of some regions takes nearly nothing; of one alone it stands out. */
function stalled(random: Random, gateway: Calm, who: readonly number[]): Incident {
  const rest = random.between(0, 0.1);
  return {
    ...gateway,
    downstream: (i, t) => (who.includes(i) && t >= 0 ? rest * (gateway.usual[i] ?? 0) : undefined),
    culprits: who.map((i) => gateway.regions[i] ?? ""),
    mayBeNone: who.length > 1,
  };
}

/** The biggest region's traffic goes over to the smallest, and the consumer is slow. */
function failOver(random: Random): Incident {
  const gateway = lopsided(random);
  const last = gateway.usual.length - 1;
  const moved = (i: number) => (i === last ? (gateway.usual[0] ?? 0) + (gateway.usual[last] ?? 0) : 0);
  return {
    ...slow(random, gateway),
    rate: (i, t) => (t >= 0 && (i === 0 || i === last) ? moved(i) : gateway.rate(i, t)),
  };
}

/** Day and night, each region at its own hour; the consumer is slow at some hour. */
function daily(random: Random): Incident {
  const gateway = calm(random, { reserve: 6 });
  const hours = gateway.usual.map(() => random.between(0, 24));
  const swing = random.between(1.3, 2.2);
  const rate = (i: number, t: number) =>
    (gateway.usual[i] ?? 0) * swing ** Math.sin(((t / HOUR_S + (hours[i] ?? 0)) / 24) * 2 * Math.PI);
  const share = random.between(0.2, 0.6);
  return {
    ...gateway,
    cycleS: 30,
    pastS: 4 * HOUR_S,
    rate,
    capacity: (t) => (t >= 0 ? share * gateway.total : 6 * swing * gateway.total),
  };
}

/** The watch begins some time into the incident, on a gateway that has run for hours. */
function lateWatch(random: Random, incident: Incident): Incident {
  return {
    ...incident,
    pastS: Math.round(random.between(2, 6)) * HOUR_S,
    watchFromS: random.between(60, 240),
    lengthS: 700,
  };
}

/** Devices connect within a minute, the monitor looks on from the first; later the consumer is slow. */
function coldStart(random: Random): Incident {
  const gateway = lopsided(random);
  const pastS = random.between(60, 500);
  const joins = gateway.usual.map(() => random.between(5, 60));
  return {
    ...slow(random, gateway),
    pastS: Math.round(pastS),
    rate: (i, t) => (gateway.usual[i] ?? 0) * Math.min(1, (t + pastS) / (joins[i] ?? 1)),
  };
}

function newcomer(random: Random): Incident {
  const gateway = calm(random);
  const last = gateway.usual.length - 1;
  const rate = floodRate(random, gateway, last);
  return {
    ...gateway,
    born: (i) => (i === last ? 0 : -Infinity),
    rate: (i, t) => (i === last ? rate : gateway.rate(i, t)),
    culprits: [],
  };
}

function returning(random: Random): Incident {
  const gateway = calm(random);
  const i = pick(random, gateway);
  const awayS = random.between(300, 0.6 * gateway.pastS);
  return {
    ...slow(random, gateway),
    rate: (r, t) => (r === i && t < 0 && t >= -awayS ? 0 : gateway.rate(r, t)),
  };
}

const alike = (random: Random): Incident => {
  const gateway = calm(random);
  const times = random.logBetween(5, 40);
  const own = gateway.usual.map(() => times * Math.exp(0.15 * random.normal()));
  return { ...gateway, rate: (i, t) => (gateway.usual[i] ?? 0) * (t >= 0 ? (own[i] ?? 1) : 1) };
};

/** A surge that is no fault, beside a region that is stalled. */
function stalledBesideSurge(random: Random): Incident {
  const gateway = calm(random, { reserve: 8 });
  const incident = stalled(random, gateway, [0]);
  return { ...incident, rate: (i, t) => gateway.rate(i, t) * (i === 1 && t >= 0 ? 4 : 1) };
}

/** Every scenario, those with a culprit first. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "one region floods", wants: "region", build: (r) => flood(r) },
  {
    name: "a small one floods beside a big one",
    wants: "region",
    build: (r) => {
      const g = lopsided(r);
      return flooded(r, g, [1 + Math.floor(r.between(0, 3))]);
    },
  },
  { name: "the big one floods", wants: "region", build: (r) => flooded(r, lopsided(r), [0]) },
  {
    name: "two flood (either is right)",
    wants: "region",
    build: (r) => flooded(r, calm(r, { usual: [20, 30, 10, 40, 15] }), [1, 3]),
  },
  { name: "a flood that rises for minutes", wants: "region", build: ramp },
  {
    name: "one floods, devices publish together",
    wants: "region",
    build: (r) => ({ ...flood(r, calm(r, { reserve: 4 })), together: true }),
  },
  {
    name: "one floods (15 times at least), past of a minute",
    wants: "region",
    build: (r) => {
      const { scrapeS: _none, ...gateway } = calm(r);
      const quick = { ...gateway, cycleS: r.next() < 0.5 ? 1 : 2, pastS: Math.round(r.between(45, 90)) };
      return flood(r, quick, 15);
    },
  },
  {
    name: "one floods, onset in a gap of 3 minutes",
    wants: "region",
    build: (r) => ({ ...flood(r), blindFromS: -120, blindUntilS: 60 }),
  },
  {
    name: "one floods, gateway restarts",
    wants: "region",
    build: (r) => ({ ...flood(r), restartS: Math.round(r.between(5, 40)) }),
  },
  {
    name: "one floods while another is away",
    wants: "region",
    build: (r) => {
      const g = calm(r);
      const i = flooded(r, g, [0]);
      return { ...i, rate: (n, t) => (n === 1 && t > -300 ? 0 : i.rate(n, t)) };
    },
  },
  { name: "the flood is on when the watch begins", wants: "region", build: (r) => lateWatch(r, flood(r)) },
  {
    name: "one is stalled downstream",
    wants: "region",
    build: (r) => {
      const g = calm(r, { usual: [20, 30, 10, 40].map((n) => n * r.between(0.7, 1.4)) });
      return stalled(r, g, [pick(r, g)]);
    },
  },
  { name: "one is stalled, another surges", wants: "region", build: stalledBesideSurge },
  { name: "all flood alike", wants: "none", build: alike },
  { name: "consumer slow", wants: "none", build: (r) => slow(r, calm(r)) },
  { name: "consumer slow, one region is big", wants: "none", build: (r) => slow(r, lopsided(r)) },
  {
    name: "consumer slow, devices publish together",
    wants: "none",
    build: (r) => ({ ...slow(r, calm(r, { reserve: 4 })), together: true }),
  },
  {
    name: "consumer stops",
    wants: "none",
    build: (r) => ({ ...slow(r, lopsided(r)), capacity: (t) => (t >= 0 ? 0 : 1e6) }),
  },
  {
    name: "consumer slow when the watch begins",
    wants: "none",
    build: (r) => lateWatch(r, slow(r, lopsided(r))),
  },
  {
    name: "consumer slow when the watch begins, day and night",
    wants: "none",
    build: (r) => ({ ...lateWatch(r, daily(r)), pastS: 30 * HOUR_S }),
  },
  { name: "consumer slow, devices just connected", wants: "none", build: coldStart },
  { name: "consumer slow, a region just came back", wants: "none", build: returning },
  { name: "consumer slow, day and night", wants: "none", build: daily },
  {
    name: "two are stalled downstream",
    wants: "none",
    build: (r) =>
      stalled(r, calm(r, { usual: [20, 30, 10, 40].map((n) => n * r.between(0.7, 1.4)) }), [0, 3]),
  },
  { name: "traffic fails over, consumer slow", wants: "none", build: failOver },
  { name: "a new region floods", wants: "none", build: newcomer },
  { name: "calm", wants: "none", build: (r) => ({ ...calm(r), lengthS: 1800 }) },
];
