import type { Intent, Outcome } from "../../src/monitor/kernel/action.ts";
import type { Clock } from "../../src/monitor/kernel/time.ts";

/** A clock that stands still until it is moved. */
export interface ManualClock extends Clock {
  wallMs: number;
  monoMs: number;
  bootId: string;
}

export function manualClock(wallMs = 1_700_000_000_000): ManualClock {
  const clock = {
    wallMs,
    monoMs: 1_000,
    bootId: "boot-1",
    now: () => ({ wallMs: clock.wallMs, monoMs: clock.monoMs }),
  };
  return clock;
}

export function intentOf(id: string, more: Partial<Intent> = {}): Intent {
  return {
    id,
    kind: "mitigate",
    target: "product-api",
    signal: "p95_latency",
    trigger: "strong",
    predictor: "linear",
    forecast: 6500.25,
    threshold: 5000,
    epoch: 7,
    at: { wallMs: 1_700_000_000_000, monoMs: 12.5 },
    bootId: "boot-1",
    ...more,
  };
}

export function outcomeOf(intentId: string, more: Partial<Outcome> = {}): Outcome {
  return {
    intentId,
    status: "applied",
    detail: "1 of 1",
    at: { wallMs: 1_700_000_000_000, monoMs: 80 },
    instances: [
      {
        instance: "app:8000",
        status: "applied",
        httpStatus: 200,
        detail: "applied",
        durationMs: 4.5,
        answer: { reset_latency: true, freed_chunks: 1 },
      },
      {
        instance: "app:8001",
        status: "failed",
        httpStatus: undefined,
        detail: "refused connection",
        durationMs: 1,
        answer: undefined,
      },
    ],
    ...more,
  };
}

export const RETENTION = { maxEntries: 100, maxAgeMs: 86_400_000 };
