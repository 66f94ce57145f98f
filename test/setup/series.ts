import type {
  Observation,
  ObserveRequest,
  PartsObservation,
  PartsRequest,
} from "../../src/monitor/kernel/observation.ts";
import type { PartReading, PartsRecipe } from "../../src/monitor/kernel/parts.ts";
import type { ScrapeRecipe, Signal } from "../../src/monitor/kernel/signal.ts";
import type { Instance, Series, Target } from "../../src/monitor/kernel/target.ts";

interface SignalGiven extends Partial<Pick<Signal, "shape" | "windowed" | "thresholds" | "supportPromql">> {
  readonly name?: string;
  readonly promql?: string;
  readonly scrape?: ScrapeRecipe;
}

export interface TargetGiven {
  readonly name: string;
  readonly job?: string;
  readonly match?: Target["match"];
  readonly aggregate?: Target["aggregate"];
  readonly instances?: readonly Instance[];
  readonly signals: readonly SignalGiven[];
  readonly parts?: PartsRecipe;
}

/** A plan for source tests: every signal of every target, thresholds and the rest filled with plain values. */
export function planOf(targets: readonly TargetGiven[]): readonly Series[] {
  const plan: Series[] = [];
  for (const given of targets) {
    const signals = given.signals.map(signalOf);
    const target: Target = {
      name: given.name,
      job: given.job ?? given.name,
      instances: given.instances ?? [],
      aggregate: given.aggregate ?? "job",
      signals,
      cooldownMs: 300_000,
      autoHeal: true,
      ...(given.match === undefined ? {} : { match: given.match }),
      ...(given.parts === undefined ? {} : { parts: given.parts }),
    };
    for (const signal of signals) plan.push({ index: plan.length, target, signal });
  }
  return plan;
}

function signalOf({ name, promql, scrape, ...more }: SignalGiven): Signal {
  return {
    name: name ?? "memory",
    unit: "bytes",
    shape: "memory",
    windowed: false,
    promql: promql ?? 'max by ($by) (process_resident_memory_bytes{job=~"$jobs"})',
    scrape: scrape ?? { kind: "gauge", metric: "process_resident_memory_bytes", combine: "max" },
    thresholds: { slo: 1, exit: 0.9, limit: 2 },
    linear: true,
    trend: true,
    ...more,
  };
}

/** A request at this moment, with a signal that is never aborted unless one is given. */
export function requestNow(plan: readonly Series[], signal = new AbortController().signal): ObserveRequest {
  return { plan, now: { wallMs: Date.now(), monoMs: performance.now() }, signal };
}

/** A request for the parts of a plan's targets at this moment. */
export function partsNow(plan: readonly Series[], signal = new AbortController().signal): PartsRequest {
  const targets = [...new Set(plan.map(({ target }) => target))];
  return { targets, now: { wallMs: Date.now(), monoMs: performance.now() }, signal };
}

/** The parts of an `ok` observation; throws with the reason otherwise. */
export function partsIn(observation: PartsObservation | undefined): readonly PartReading[] {
  if (observation?.status !== "ok") throw new Error(`no parts: ${JSON.stringify(observation)}`);
  return observation.parts;
}

/** The value of an `ok` observation; throws with the reason otherwise. */
export function numberIn(observation: Observation | undefined): number {
  if (observation?.status !== "ok") throw new Error(`no value: ${JSON.stringify(observation)}`);
  return observation.value;
}
