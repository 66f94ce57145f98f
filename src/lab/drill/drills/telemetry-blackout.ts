import type { Drill } from "../drill.ts";
import { latencyRamp, RAMP_S, rampQuery } from "./latency-ramp.ts";

/** The monitor loses Prometheus, and then the ramp comes: it must be foreseen from the services' own pages. */
export const telemetryBlackout: Drill = {
  ...latencyRamp,
  name: "telemetry-blackout",
  title: "Prometheus is gone, and latency of product-api rises",
  surroundings: { askPrometheus: true },
  async incident(stage) {
    await stage.takePrometheusAway();
    await stage.fault("product-api", rampQuery(stage.pace.s(RAMP_S)));
  },
};
