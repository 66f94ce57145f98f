import type { Drill } from "../drill.ts";
import { healedGoal, seconds } from "../goal.ts";

/** Leak of an hour of a real installation, kilobytes. */
const LEAK_KB = 900_000;
const LEAK_S = 3600;
const LIMIT_BYTES = 600_000_000;
const SLO_BYTES = 0.85 * LIMIT_BYTES;

/** The shop keeps memory that it does not need any more. */
export const memoryLeak: Drill = {
  name: "memory-leak",
  title: "product-api leaks memory towards its limit",
  level: () => ({
    title: "resident memory of product-api",
    unit: "bytes",
    slo: SLO_BYTES,
    contained: "peak",
  }),
  services: ["product-api", "telemetry-gateway"],
  surroundings: {},
  targets: ["product-api"],
  extraHeals: [],
  quietS: 750,
  incidentS: 2400,
  telemetryRate: 3,
  env: () => ({}),
  // A drill is over before the envelope of the sawtooth has seen enough of it: here the line speaks for memory too.
  signals: () => ({ "product-api": { memory: { limit: LIMIT_BYTES, linear: true } } }),
  incident: (stage) =>
    stage.fault("product-api", `mode=leak&kb=${LEAK_KB}&over=${stage.pace.s(LEAK_S).toFixed(1)}`),
  meter: (instruments) => () => instruments.metric("product-api", "process_resident_memory_bytes"),
  goals: (results) => [
    ...healedGoal(results, "foreseen and healed before memory passes its SLO", ({ figures }) => ({
      came: `acted after ${seconds(figures.detectS)}, at most ${((figures.maxLevel ?? Number.NaN) / 1e6).toFixed(0)} MB`,
      reached: figures.detectS !== undefined && (figures.maxLevel ?? Infinity) <= SLO_BYTES,
    })),
  ],
};
