import type { AlertState, BootInstant } from "../kernel/containment.ts";

export const BOOT = "boot-a";
/** Wall clock of every test here: 2023-11-14T22:13:20Z. */
export const WALL_MS = 1_700_000_000_000;

/** A moment, so many seconds after the first. */
export function at(second: number, bootId = BOOT): BootInstant {
  return { now: { monoMs: 1000 * second, wallMs: WALL_MS + 1000 * second }, bootId };
}

/** An alert as Alertmanager would tell it: `start` and `end` in seconds from the first moment; no end: it fires. */
export function told(spec: {
  start: number;
  end?: number;
  id?: number;
  received?: BootInstant;
  labels?: Record<string, string>;
}): AlertState {
  const { start, end, id = 1, received = at(0), labels = {} } = spec;
  const common = {
    fingerprint: id.toString(16).padStart(16, "0"),
    name: "PipelineBacklogHigh",
    labels: { alertname: "PipelineBacklogHigh", ...labels },
    startsAtMs: WALL_MS + 1000 * start,
    receivedAt: received.now,
    bootId: received.bootId,
  };
  return end === undefined
    ? { ...common, status: "firing" }
    : { ...common, status: "resolved", endsAtMs: WALL_MS + 1000 * end };
}
