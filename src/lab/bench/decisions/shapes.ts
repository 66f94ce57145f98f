import type { Random } from "./random.ts";

/** Seconds between points of the noise-free level. */
export const GRID_S = 5;

/** What a scenario is about: nothing wrong, nearly wrong, or wrong. */
type Group = "clean" | "near" | "fault";
export type Kind = "latency" | "ratio" | "memory" | "backlog";
/**
 * `reference`: the shapes as given in the design notes. `variant`: built differently, to show what does not depend on the
 * generator: other baselines, bent and halting ramps, other noise correlation and tails, jittered sampling.
 */
export type Generator = "reference" | "variant";

/** The noise-free truth of a run, on a grid of `GRID_S`, in units of the SLO. */
export interface Truth {
  readonly level: Float64Array;
  /** Traffic relative to its mean, same grid; undefined: constant. */
  readonly load?: Float64Array;
  /** When the fault sets in and when the level first exceeds the SLO, seconds; NaN without a fault. */
  readonly onsetS: number;
  readonly breachS: number;
  /** Share of samples that are missing at random. */
  readonly missing?: number;
  /** Mean seconds between counter resets; undefined: none. */
  readonly resetsEveryS?: number;
  /** Adds the sampling noise of a P95 over the run's requests. */
  readonly sampling?: boolean;
  /** Requests a second; undefined: drawn by the run. */
  readonly requestsPerS?: number;
}

export interface Scenario {
  readonly name: string;
  readonly group: Group;
  readonly kind: Kind;
  /** False: reported, but not in the overall figures (error ratios were not part of the earlier studies). */
  readonly overall: boolean;
  readonly build: (random: Random, generator: Generator) => Truth;
}

const DAY_S = 86_400;
/** What a fault run goes on for after the breach; a fault nobody acted on counts as this much too late. */
export const TAIL_S = 900;

function grid(durationS: number): Float64Array {
  return new Float64Array(Math.ceil(durationS / GRID_S) + 1);
}

function baseline(r: Random, g: Generator): number {
  return g === "reference" ? r.between(0.3, 0.6) : r.between(0.15, 0.7);
}

/** A run of a day whose level is `f(t)`; `f` is called in ascending time. */
function day(f: (t: number) => number): Float64Array {
  const level = grid(DAY_S);
  for (let k = 0; k < level.length; k++) level[k] = f(k * GRID_S);
  return level;
}

const noFault = { onsetS: Number.NaN, breachS: Number.NaN };

function diurnal(r: Random, g: Generator): Truth {
  const trough = g === "reference" ? r.between(0.25, 0.45) : r.between(0.15, 0.5);
  const peak = trough + r.between(0.15, g === "reference" ? 0.3 : 0.35);
  const phase = r.between(0, 2 * Math.PI);
  const second = g === "variant" ? r.between(0, 0.3) : 0;
  const load = grid(DAY_S);
  const level = day((t) => {
    const x = (2 * Math.PI * t) / DAY_S + phase;
    const wave = (0.5 - 0.5 * Math.cos(x) + second * 0.5 * (1 - Math.cos(2 * x))) / (1 + second);
    load[t / GRID_S] = 0.4 + 1.2 * wave;
    return trough + (peak - trough) * wave;
  });
  return { level, load, ...noFault };
}

/** Adds plateaus of random height and length at random times. */
function addSpikes(
  level: Float64Array,
  r: Random,
  spikes: { perDay: number; durationS: [number, number]; height: [number, number] },
): void {
  const end = level.length * GRID_S;
  for (let t = r.exponential(DAY_S / spikes.perDay); t < end; t += r.exponential(DAY_S / spikes.perDay)) {
    const height = r.between(...spikes.height);
    const until = t + r.between(...spikes.durationS);
    for (let k = Math.ceil(t / GRID_S); k * GRID_S < until && k < level.length; k++) {
      level[k] = Math.max(level[k] ?? 0, height);
    }
  }
}

function spiky(r: Random, g: Generator): Truth {
  const base = baseline(r, g);
  const level = day(() => base);
  addSpikes(level, r, { perDay: 48, durationS: [5, g === "reference" ? 45 : 60], height: [0.8, 3] });
  return { level, ...noFault };
}

function deployBlip(r: Random, g: Generator): Truth {
  const base = baseline(r, g);
  const level = day(() => base);
  addSpikes(level, r, { perDay: 6, durationS: [5, 45], height: [1.2, g === "reference" ? 4 : 6] });
  return { level, ...noFault };
}

function sawtooth(
  r: Random,
  s: { trough: number; swing: number; periodS: number; irregular: boolean; level: Float64Array },
): void {
  let at = r.between(0, s.periodS);
  let from = s.trough;
  let period = s.periodS;
  let swing = s.swing;
  let bend = 1;
  for (let k = 0; k < s.level.length; k++) {
    s.level[k] = from + swing * (at / period) ** bend;
    at += GRID_S;
    if (at < period) continue;
    at = 0;
    if (!s.irregular) continue;
    const top = from + swing;
    period = s.periodS * Math.exp(0.45 * r.normal());
    bend = r.between(0.6, 1.4);
    // One collection in six frees only part; the next full one makes up for it.
    from =
      r.next() < 1 / 6 ? s.trough + (top - s.trough) * r.between(0.2, 0.5) : s.trough * r.between(0.95, 1.05);
    swing = Math.max(0.04, Math.min(s.trough + s.swing * r.between(0.7, 1.25), 0.95) - from);
  }
}

function gc(irregular: boolean) {
  return (r: Random, g: Generator): Truth => {
    const level = grid(DAY_S);
    const trough = g === "reference" ? r.between(0.3, 0.5) : r.between(0.15, 0.6);
    const swing = Math.min(r.between(0.1, 0.45), 0.9 - trough);
    sawtooth(r, { trough, swing, periodS: r.logBetween(300, 2400), irregular, level });
    return { level, ...noFault };
  };
}

function loadCycle(r: Random, g: Generator): Truth {
  const low = g === "reference" ? r.between(0.3, 0.45) : r.between(0.15, 0.5);
  const high = r.between(0.65, 0.9);
  const period = g === "reference" ? 3600 : r.between(2400, 7200);
  const bend = g === "reference" ? 1 : r.between(0.7, 1.6);
  const load = grid(DAY_S);
  const level = day((t) => {
    const wave = (0.5 - 0.5 * Math.cos((2 * Math.PI * t) / period)) ** bend;
    load[t / GRID_S] = 0.5 + wave;
    return low + (high - low) * wave;
  });
  return { level, load, ...noFault };
}

/** Every two to four hours a rise that turns back below the SLO. */
function recoveringRamp(r: Random, g: Generator): Truth {
  const base = g === "reference" ? r.between(0.3, 0.5) : r.between(0.15, 0.6);
  const level = grid(DAY_S).fill(base);
  for (let t = r.between(3600, 10_800); t < DAY_S - 3600; t += r.between(7200, 14_400)) {
    const peak = r.between(0.65, 0.92);
    const up = r.between(480, 2400);
    const hold = g === "reference" ? 0 : r.between(0, 600);
    const down = r.between(120, 900);
    for (let s = 0; s < up + hold + down; s += GRID_S) {
      const k = Math.round((t + s) / GRID_S);
      const share = s < up ? s / up : s < up + hold ? 1 : 1 - (s - up - hold) / down;
      if (k < level.length) level[k] = base + (peak - base) * share;
    }
  }
  return { level, ...noFault };
}

function backlogBursts(r: Random, g: Generator): Truth {
  const base = r.between(0.02, 0.1);
  const level = grid(DAY_S).fill(base);
  for (let t = r.between(1800, 5400); t < DAY_S - 3600; t += r.between(3600, 9000)) {
    const peak = r.between(0.35, g === "reference" ? 0.8 : 0.9);
    const up = r.between(60, 420);
    const down = r.between(300, 1500);
    const bend = g === "reference" ? 1 : r.between(0.7, 1.6);
    for (let s = 0; s < up + down; s += GRID_S) {
      const k = Math.round((t + s) / GRID_S);
      const share = s < up ? (s / up) ** bend : 1 - (s - up) / down;
      if (k < level.length) level[k] = base + (peak - base) * share;
    }
  }
  return { level, ...noFault };
}

/** A level that is `before` until the onset and then `shape(seconds since)`, until `TAIL_S` after the breach. */
function fault(r: Random, g: Generator, before: number, shape: (s: number) => number): Truth {
  const onsetS = g === "reference" ? r.between(5400, 10_800) : r.between(3600, 18_000);
  let breach = 0;
  while (shape(breach) <= 1) breach += 1;
  const level = grid(onsetS + breach + TAIL_S);
  for (let k = 0; k < level.length; k++) {
    const s = k * GRID_S - onsetS;
    level[k] = s < 0 ? before : shape(s);
  }
  return { level, onsetS, breachS: onsetS + breach };
}

/** `seconds` from the baseline to the SLO; straight, or bent and with a halt on the way. */
function ramp(seconds: [number, number], extra: Partial<Truth> = {}) {
  return (r: Random, g: Generator): Truth => {
    const base = baseline(r, g);
    const duration = r.between(...seconds);
    const bend = g === "reference" ? 1 : r.between(0.75, 1.5);
    const halt = g === "reference" ? 0 : r.between(0, 0.2) * duration;
    const haltAt = r.between(0.2, 0.7) * duration;
    const run = duration - halt;
    const shape = (s: number) => {
      const moved = s < haltAt ? s : Math.max(haltAt, s - halt);
      return Math.min(base + (1 - base) * (moved / run) ** bend, 2.5);
    };
    return { ...fault(r, g, base, shape), ...extra };
  };
}

function step(r: Random, g: Generator): Truth {
  const to = g === "reference" ? r.between(1.3, 3) : r.between(1.2, 5);
  return fault(r, g, baseline(r, g), () => to);
}

function hockeyStick(r: Random, g: Generator): Truth {
  const base = baseline(r, g);
  const rho = r.between(0.3, 0.6);
  const service = base * (1 - rho);
  const duration = r.between(1200, 3600);
  const shape = (s: number) => {
    const load = rho + (1 - service - rho) * (s / duration);
    return load >= 0.97 ? service / 0.03 : Math.min(3, service / (1 - load));
  };
  return fault(r, g, base, shape);
}

function exponential(r: Random, g: Generator): Truth {
  const base = baseline(r, g);
  const duration = r.between(480, 2400);
  return fault(r, g, base, (s) => Math.min(3, base * Math.exp((-Math.log(base) * s) / duration)));
}

function leak(irregular: boolean) {
  return (r: Random, g: Generator): Truth => {
    const trough = g === "reference" ? r.between(0.3, 0.5) : r.between(0.15, 0.5);
    const swing = r.between(0.1, 0.25);
    const periodS = r.logBetween(300, 1800);
    const durationS = r.between(3600, 14_400);
    const onsetS = r.between(7200, 14_400);
    const level = grid(onsetS + durationS * 1.5 + 4 * periodS);
    sawtooth(r, { trough, swing, periodS, irregular, level });
    const perSecond = (1 - trough - swing) / durationS;
    let breachS = Number.NaN;
    for (let k = Math.ceil(onsetS / GRID_S); k < level.length; k++) {
      level[k] = (level[k] ?? 0) + perSecond * (k * GRID_S - onsetS);
      if (Number.isNaN(breachS) && (level[k] ?? 0) > 1) breachS = k * GRID_S;
    }
    return { level: level.slice(0, Math.ceil((breachS + TAIL_S) / GRID_S) + 1), onsetS, breachS };
  };
}

function backlogGrowth(r: Random, g: Generator): Truth {
  const base = r.between(0.02, 0.1);
  const duration = r.between(600, 2400);
  const bend = g === "reference" ? 1 : r.between(0.8, 1.4);
  return fault(r, g, base, (s) => Math.min(4, base + (1 - base) * (s / duration) ** bend));
}

function errorFlat(requestsPerS: [number, number]) {
  return (r: Random): Truth => {
    const base = r.between(0, 0.2);
    return { level: day(() => base), ...noFault, requestsPerS: r.logBetween(...requestsPerS) };
  };
}

function errorBlips(r: Random): Truth {
  const base = r.between(0, 0.2);
  const level = day(() => base);
  addSpikes(level, r, { perDay: 8, durationS: [5, 45], height: [1, 8] });
  return { level, ...noFault };
}

function errorStep(r: Random, g: Generator): Truth {
  const to = r.between(1.6, 6);
  return fault(r, g, r.between(0, 0.2), () => to);
}

function errorRamp(r: Random, g: Generator): Truth {
  const base = r.between(0, 0.2);
  const duration = r.between(480, 2400);
  return fault(r, g, base, (s) => Math.min(6, base + ((1 - base) * s) / duration));
}

function flat(extra: Partial<Truth>) {
  return (r: Random, g: Generator): Truth => {
    const base = baseline(r, g);
    return { level: day(() => base), ...noFault, ...extra };
  };
}

/** Steady, well used: close below the SLO is where many services live. */
function flatHigh(r: Random): Truth {
  const base = r.between(0.7, 0.88);
  return { level: day(() => base), ...noFault };
}

/** Hardly any traffic: a P95 over a handful of requests. */
function lowTraffic(r: Random, g: Generator): Truth {
  const base = baseline(r, g);
  return { level: day(() => base), ...noFault, requestsPerS: r.logBetween(0.02, 0.5), sampling: true };
}

/** A fault (growing share of time lost) in a service that has known load cycles for hours: what habit and traffic cost. */
function rampOnCycle(r: Random): Truth {
  const low = r.between(0.3, 0.4);
  const high = r.between(0.6, 0.75);
  const onsetS = r.between(7200, 14_400);
  const perSecond = 1.2 / r.between(480, 1200);
  const longest = Math.ceil((onsetS + 7200 + TAIL_S) / GRID_S);
  const level: number[] = [];
  const load: number[] = [];
  let end = longest;
  let breachS = Number.NaN;
  for (let k = 0; k <= end; k++) {
    const t = k * GRID_S;
    const wave = 0.5 - 0.5 * Math.cos((2 * Math.PI * t) / 3600);
    const u = Math.min(3, (low + (high - low) * wave) * (1 + perSecond * Math.max(0, t - onsetS)));
    level.push(u);
    load.push(0.5 + wave);
    if (Number.isNaN(breachS) && u > 1) {
      breachS = t;
      end = k + TAIL_S / GRID_S;
    }
  }
  return { level: Float64Array.from(level), load: Float64Array.from(load), onsetS, breachS };
}

const latency = { kind: "latency", overall: true } as const;
const memory = { kind: "memory", overall: true } as const;
const backlog = { kind: "backlog", overall: true } as const;
const ratio = { kind: "ratio", overall: false } as const;

/** The suite. Add a row for a new scenario; the table follows. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "flat", group: "clean", ...latency, build: flat({}) },
  { name: "diurnal", group: "clean", ...latency, build: diurnal },
  { name: "spiky", group: "clean", ...latency, build: spiky },
  { name: "deploy_blip", group: "clean", ...latency, build: deployBlip },
  { name: "gaps_resets", group: "clean", ...latency, build: flat({ missing: 0.05, resetsEveryS: 10_800 }) },
  { name: "gc_regular", group: "clean", ...memory, build: gc(false) },
  { name: "gc_irregular", group: "clean", ...memory, build: gc(true) },
  { name: "load_cycle", group: "near", ...latency, build: loadCycle },
  { name: "recovering_ramp", group: "near", ...latency, build: recoveringRamp },
  { name: "backlog_bursts", group: "near", ...backlog, build: backlogBursts },
  { name: "step", group: "fault", ...latency, build: step },
  { name: "ramp_slow", group: "fault", ...latency, build: ramp([1200, 3600]) },
  { name: "ramp_medium", group: "fault", ...latency, build: ramp([480, 1200]) },
  { name: "ramp_fast", group: "fault", ...latency, build: ramp([180, 480]) },
  { name: "hockey_stick", group: "fault", ...latency, build: hockeyStick },
  { name: "exponential", group: "fault", ...latency, build: exponential },
  { name: "leak", group: "fault", ...memory, build: leak(false) },
  { name: "leak_irregular", group: "fault", ...memory, overall: false, build: leak(true) },
  { name: "backlog_growth", group: "fault", ...backlog, build: backlogGrowth },
  { name: "ramp_gaps", group: "fault", ...latency, build: ramp([480, 1200], { missing: 0.2 }) },
  { name: "flat_high", group: "clean", ...latency, overall: false, build: flatHigh },
  { name: "low_traffic", group: "clean", ...latency, overall: false, build: lowTraffic },
  { name: "ramp_on_cycle", group: "fault", ...latency, overall: false, build: rampOnCycle },
  { name: "error_flat", group: "clean", ...ratio, build: errorFlat([3, 200]) },
  { name: "error_low_traffic", group: "clean", ...ratio, build: errorFlat([0.01, 0.5]) },
  { name: "error_blips", group: "clean", ...ratio, build: errorBlips },
  { name: "error_step", group: "fault", ...ratio, build: errorStep },
  { name: "error_ramp", group: "fault", ...ratio, build: errorRamp },
];
