import type { Signal } from "../kernel/signal.ts";
import type { Target } from "../kernel/target.ts";
import { createRecorder, type History } from "./input/history.ts";
import { REPLAYED } from "./targets.ts";

/** A latency signal as the configuration would resolve it. */
export function signalNamed(name: string, windowed = false): Signal {
  return {
    name,
    unit: "ms",
    shape: "latency",
    windowed,
    promql: "x",
    scrape: { kind: "gauge", metric: "x", combine: "max" },
    thresholds: { slo: 300, exit: 270, limit: 1000 },
    linear: true,
    trend: false,
  };
}

export function targetNamed(name: string, signals: readonly string[] = ["p95_latency"]): Target {
  return {
    name,
    job: name,
    instances: [{ name, url: "" }],
    aggregate: "job",
    signals: signals.map((s) => signalNamed(s)),
    cooldownMs: 300_000,
    autoHeal: true,
    mitigation: { action: REPLAYED },
  };
}

/** Samples as `[seconds, value]`. */
export interface GivenSeries {
  readonly target: string;
  readonly signal?: string;
  readonly samples: readonly (readonly [number, number])[];
}

export function historyOf(given: readonly GivenSeries[]): History {
  const recorder = createRecorder();
  for (const { target, signal = "p95_latency", samples } of given) {
    const at = recorder.seriesAt(target, signal);
    for (const [timeS, value] of samples) recorder.add(at, timeS * 1000, value);
  }
  return recorder.end();
}

/** Flat at 100, then rising by `perStep` a sample from `rampAt` on, falling back after `length` samples; every 30 s. */
export function ramp(input: {
  fromS: number;
  count: number;
  rampAt: number;
  perStep: number;
  length?: number;
}): [number, number][] {
  const { fromS, count, rampAt, perStep, length = Number.POSITIVE_INFINITY } = input;
  return Array.from({ length: count }, (_, i) => {
    const k = i - rampAt;
    return [fromS + 30 * i, 100 + (k > 0 && k < length ? perStep * k : 0) + ((i * 7) % 5)];
  });
}
