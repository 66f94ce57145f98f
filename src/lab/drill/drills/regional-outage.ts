import type { Drill } from "../drill.ts";
import { healedGoal, percent } from "../goal.ts";
import { silenceOf } from "../instruments.ts";
import { SECONDARY_REGION } from "../traffic.ts";

const LOST = "us-east-1";
/** Silence of a region's telemetry that is no outage yet, cycles. */
const SILENT_CYCLES = 2;
/** Cycles within which the region's telemetry is to get through again, once the outage is detected. */
const RECOVERY_CYCLES = 2;

/**
 * One region goes: nothing of its telemetry can be delivered any more, and the assistant that stood there is lost with
 * its machine. Its devices know the secondary region.
 */
export const regionalOutage: Drill = {
  name: "regional-outage",
  title: `${LOST} is lost: its deliveries fail and its assistant is gone`,
  level: (pace) => ({
    title: `silence of ${LOST}'s telemetry`,
    unit: "s",
    slo: SILENT_CYCLES * pace.cycleS,
    contained: "peak",
  }),
  services: [
    "llm-assistant",
    "llm-assistant-secondary",
    "llm-router",
    "recommender-service",
    "telemetry-gateway",
    "product-api",
  ],
  surroundings: {},
  targets: ["telemetry-gateway"],
  extraHeals: [],
  quietS: 750,
  incidentS: 1800,
  failover: { [LOST]: SECONDARY_REGION },
  telemetryRate: 3,
  env: () => ({}),
  signals: () => ({}),
  async incident(stage) {
    await Promise.all([
      stage.fault("telemetry-gateway", `mode=downstream&region=${LOST}&ratio=1`),
      stage.takeAway("llm-assistant"),
    ]);
  },
  meter: (instruments) =>
    silenceOf(async () => {
      const through = (region: string) =>
        instruments.metric("telemetry-gateway", "telemetry_delivered_total", { region });
      // Its devices are served where their messages get through.
      const [own, other] = await Promise.all([through(LOST), through(SECONDARY_REGION)]);
      return own === undefined || other === undefined ? undefined : own + other;
    }),
  goals: (results) => [
    ...healedGoal(
      results,
      `telemetry of the region back within ${RECOVERY_CYCLES} cycles of detection`,
      ({ figures }) => ({
        came: figures.recoverCycles === undefined ? "not back" : `${figures.recoverCycles.toFixed(1)} cycles`,
        reached: (figures.recoverCycles ?? Infinity) <= RECOVERY_CYCLES,
      }),
    ),
    ...healedGoal(results, "product pages 100 % available", ({ figures }) => ({
      came: percent(figures.availability),
      reached: figures.availability === 1,
    })),
  ],
};
