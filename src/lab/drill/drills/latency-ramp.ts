import type { Drill } from "../drill.ts";
import { type Goal, healedGoal, type Results, seconds } from "../goal.ts";
import type { LevelSpec } from "../recording.ts";
import { SLO_P95_MS } from "../slo.ts";

/** Latency added in an hour of a real installation, milliseconds: over the SLO after ten minutes. */
const RISE_MS = 1800;
export const RAMP_S = 3600;
/** The customers' P95 is over the last so many seconds: a stall of the machine must not be one in twenty. */
const P95_WINDOW_S = 8;

const p95Level: LevelSpec = {
  title: "P95 of the customers' waits",
  unit: "ms",
  slo: SLO_P95_MS,
  contained: "peak",
};

/** The query of the ramp at a pace. */
export function rampQuery(overS: number): string {
  return `mode=latency&inc=${RISE_MS}&over=${overS.toFixed(1)}`;
}

/** What healing a ramp is to show. */
function rampGoals(results: Results): Goal[] {
  return [
    ...healedGoal(results, "foreseen and healed before P95 passes its SLO", ({ figures }) => ({
      came: `acted after ${seconds(figures.detectS)}, highest P95 ${figures.maxLevel?.toFixed(0) ?? "not known"} ms`,
      reached: figures.detectS !== undefined && (figures.maxLevel ?? Infinity) <= SLO_P95_MS,
    })),
    ...healedGoal(results, "0 s above the SLO after containment", ({ figures }) => ({
      came: seconds(figures.secondsAboveAfter),
      reached: figures.secondsAboveAfter === 0,
    })),
  ];
}

/** Latency of the shop rises steadily, as with a cache that fills or a pool that runs dry. */
export const latencyRamp: Drill = {
  name: "latency-ramp",
  title: "latency of product-api rises steadily",
  level: () => p95Level,
  services: ["product-api", "telemetry-gateway"],
  surroundings: {},
  targets: ["product-api"],
  extraHeals: [],
  quietS: 750,
  incidentS: 1500,
  telemetryRate: 3,
  env: () => ({}),
  signals: () => ({}),
  incident: (stage) => stage.fault("product-api", rampQuery(stage.pace.s(RAMP_S))),
  meter: (instruments) => () => instruments.p95Ms(P95_WINDOW_S),
  goals: rampGoals,
};
