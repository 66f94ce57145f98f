import { noiseAt } from "../engine/random.ts";
import type { FaultEvent, Scenario, SignalName } from "../scenario.ts";
import { mending, mendsOf } from "../strangers.ts";

/** What a mitigation does to a sickness. */
type Cure = "works" | "nothing" | "worse" | "late" | "partly" | "relapses";

/** One sickness of one target, as a level over time. */
interface Sickness {
  readonly event: FaultEvent;
  readonly target: number;
  readonly signal: SignalName;
  /** From nothing to its peak, milliseconds; 0: at once. */
  readonly growMs: number;
  /** Its peak as a share of the signal's hard limit. */
  readonly peak: number;
  readonly startMs: number;
  readonly cure: Cure;
  /** Actions that mend it, by kind and what they are carried out on. */
  readonly mends: readonly string[];
  readonly region: string | undefined;
  /** Up and down with this period, milliseconds; 0: steadily. */
  readonly flapMs: number;
  endMs: number;
  /** When it began anew from nothing, and when its level was multiplied; ascending. */
  readonly resets: number[];
  readonly factors: { readonly atMs: number; readonly by: number }[];
}

/** Thresholds of a signal, in its unit. */
export interface Levels {
  readonly slo: number;
  readonly limit: number;
}

/** A containment that holds for a while. */
interface Contained {
  readonly target: number;
  readonly kind: string;
  readonly region: string | undefined;
  readonly fromMs: number;
  untilMs: number;
}

const MINUTE = 60_000;

/**
 * How every target really is, at any moment up to now: healthy noise, sicknesses, and what mitigations did to them.
 * The past can be looked up, since a sample speaks of the moment of its scrape.
 */
export class Truth {
  readonly #seed: number;
  readonly #all: Sickness[] = [];
  readonly #byTarget: Sickness[][];
  readonly #contained: Contained[] = [];
  readonly #idle: { target: number; fromMs: number; untilMs: number }[] = [];
  /** Told of a sickness that is felt for the first time. */
  readonly #felt: (event: FaultEvent) => void;
  readonly #scenario: Scenario;

  constructor(scenario: Scenario, felt: (event: FaultEvent) => void) {
    this.#seed = scenario.seed;
    this.#scenario = scenario;
    this.#felt = felt;
    this.#byTarget = scenario.targets.map(() => []);
  }

  /** A fault of the group `health` begins. */
  begin(event: FaultEvent): void {
    const { targets } = this.#scenario;
    if (event.kind === "no_traffic")
      this.#idle.push({ target: event.target, fromMs: event.atMs, untilMs: event.atMs + event.forMs });
    else if (event.kind === "storm") {
      const share = 0.6 + 0.4 * event.y;
      for (let t = 0; t < targets.length; t += 1)
        if (noiseAt(event.id, t, 7) < 2 * share - 1) this.#add(event, t, event.atMs + (t % 3) * 30_000);
    } else this.#add(event, event.target, event.atMs);
    this.#felt(event);
  }

  #add(event: FaultEvent, target: number, startMs: number): void {
    const spec = this.#scenario.targets[target];
    if (spec === undefined) return;
    const { signals, regions } = spec;
    const wanted = event.kind === "leak" ? "memory" : event.kind === "flood" ? "backlog" : undefined;
    const own = signals[Math.floor(event.y * 997) % signals.length] as SignalName;
    const signal = wanted !== undefined && signals.includes(wanted) ? wanted : own;
    const region = signal === "backlog" && event.x < 0.7 ? regions[Math.floor(event.x * 991) % 3] : undefined;
    const atOnce =
      ["step", "blip", "flapping"].includes(event.kind) || (event.kind.startsWith("cure") && event.x < 0.5);
    const sickness: Sickness = {
      event,
      target,
      signal,
      growMs: atOnce ? 0 : (3 + 22 * event.x) * MINUTE,
      peak: 0.7 + 0.8 * event.y,
      startMs,
      cure: cureOf(event.kind),
      mends: mendsOf(this.#scenario.strangers, spec.name, signal),
      region,
      flapMs: event.kind === "flapping" ? (4 + 8 * event.x) * MINUTE : 0,
      endMs: startMs + event.forMs,
      resets: [],
      factors: [],
    };
    this.#all.push(sickness);
    this.#byTarget[target]?.push(sickness);
  }

  /** An action took effect: on a target, or on something outside, whose index is -1. */
  act(action: {
    target: number;
    on: string;
    kind: string;
    parameters: Readonly<Record<string, string>>;
    atMs: number;
  }): void {
    const { target, on, kind, parameters, atMs } = action;
    const key = mending({ action: kind, on });
    for (const s of this.#all)
      if (s.startMs <= atMs && atMs < s.endMs && s.mends.includes(key) && parameters.state !== "off")
        mitigate(s, atMs);
    if (kind === "mitigate" || target < 0) return;
    const seconds = Number(parameters.seconds);
    if (Number.isFinite(seconds))
      this.#contained.push({
        target,
        kind,
        region: parameters.region,
        fromMs: atMs,
        untilMs: atMs + 1000 * seconds,
      });
    const undone = UNDOES[kind];
    if (undone === undefined) return;
    for (const c of this.#contained)
      if (c.target === target && c.kind === undone && c.untilMs > atMs) c.untilMs = atMs;
  }

  /** Whether a containment of this kind holds. */
  contained(target: number, kind: string, atMs: number): boolean {
    return this.#contained.some(
      (c) => c.target === target && c.kind === kind && c.fromMs <= atMs && atMs < c.untilMs,
    );
  }

  /** Whether a sickness without a signal of its own (`drift`) is felt. */
  suffers(target: number, kind: string, atMs: number): boolean {
    return (this.#byTarget[target] ?? []).some(
      (s) => s.event.kind === kind && s.startMs <= atMs && atMs < s.endMs,
    );
  }

  /** No requests, so that latency and error ratio are no numbers. */
  idle(target: number, atMs: number): boolean {
    return this.#idle.some((i) => i.target === target && i.fromMs <= atMs && atMs < i.untilMs);
  }

  /** How sick a series is, as a share of its hard limit; 0: healthy. */
  level(target: number, signal: SignalName, atMs: number, region?: string): number {
    let sum = 0;
    for (const s of this.#byTarget[target] ?? [])
      if (s.signal === signal && s.startMs <= atMs && atMs < s.endMs && s.event.kind !== "drift") {
        if (region !== undefined && s.region !== region) continue;
        sum += levelOf(s, atMs) * this.#relief(s, atMs);
      }
    return sum;
  }

  /** Messages that ever came in from a region: some always, many while it floods. */
  inbound(target: number, region: string, atMs: number): number {
    let count = 10 * (atMs / 1000);
    for (const s of this.#byTarget[target] ?? [])
      if (s.region === region && s.startMs <= atMs)
        count += 400 * ((Math.min(atMs, Math.max(s.startMs, s.endMs)) - s.startMs) / 1000);
    return Math.floor(count);
  }

  /** What is left of a flood under a containment. */
  #relief(s: Sickness, atMs: number): number {
    if (s.signal !== "backlog" || this.#contained.length === 0) return 1;
    let left = 1;
    for (const c of this.#contained) {
      if (c.target !== s.target || atMs < c.fromMs || atMs >= c.untilMs) continue;
      if (c.kind === "isolate-region" && s.region !== undefined && c.region === s.region) left = 0;
      if (c.kind === "set-rate-limit") left = Math.min(left, 0.5);
    }
    return left;
  }

  /** The value of a series at a moment, in its unit, as a perfect instrument would read it. */
  value(series: { target: number; signal: SignalName; index: number; levels: Levels }, atMs: number): number {
    const { target, signal, index, levels } = series;
    const step = Math.floor(atMs / 15_000);
    const n = noiseAt(this.#seed, index, step) + noiseAt(this.#seed + 1, index, step);
    const sick = this.level(target, signal, atMs) * levels.limit;
    if (signal === "p95_latency") return levels.slo * 0.3 * (1 + 0.1 * n) + sick;
    if (signal === "error_rate") return Math.min(1, levels.slo * Math.max(0, 0.1 + 0.05 * n) + sick);
    if (signal === "memory") {
      const sweep = ((atMs / 60_000 + 7 * index) % 23) / 23;
      return levels.limit * (0.35 + 0.1 * sweep + 0.004 * n) + 0.6 * sick;
    }
    return Math.max(0, Math.round(levels.slo * (0.05 + 0.03 * n) + sick));
  }
}

/** What ends which containment. */
const UNDOES: Readonly<Record<string, string>> = {
  "release-region": "isolate-region",
  "reset-rate-limit": "set-rate-limit",
  "release-fallback": "force-fallback",
  "resume-stream": "pause-stream",
};

function cureOf(kind: string): Cure {
  if (kind === "cure_nothing" || kind === "storm" || kind === "flapping") return "nothing";
  if (kind === "cure_worse") return "worse";
  if (kind === "cure_late") return "late";
  if (kind === "cure_partly") return "partly";
  return kind === "cure_relapses" ? "relapses" : "works";
}

function mitigate(s: Sickness, atMs: number): void {
  if (s.cure === "works") s.endMs = atMs;
  else if (s.cure === "late") s.endMs = Math.min(s.endMs, atMs + (2 + 6 * s.event.y) * MINUTE);
  else if (s.cure === "relapses") s.resets.push(atMs + 2 * MINUTE);
  else if (s.cure !== "nothing") s.factors.push({ atMs, by: s.cure === "worse" ? 1.5 : 0.5 });
}

function levelOf(s: Sickness, atMs: number): number {
  let began = s.startMs;
  for (const reset of s.resets) if (reset <= atMs) began = reset;
  // Between a mitigation that helps for a while and the relapse there is nothing.
  if (s.resets.some((reset) => atMs < reset && atMs >= reset - 2 * MINUTE)) return 0;
  const sinceMs = atMs - began;
  if (s.flapMs > 0 && sinceMs % (2 * s.flapMs) >= s.flapMs) return 0;
  let level = s.growMs === 0 ? s.peak : s.peak * Math.min(1, sinceMs / s.growMs);
  for (const { atMs: from, by } of s.factors) if (from <= atMs) level *= by;
  return Math.min(level, 3);
}
