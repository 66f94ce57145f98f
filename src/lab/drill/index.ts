import type { Drill } from "./drill.ts";
import { latencyRamp } from "./drills/latency-ramp.ts";
import { memoryLeak } from "./drills/memory-leak.ts";
import { mlflowDown } from "./drills/mlflow-down.ts";
import { modelDrift } from "./drills/model-drift.ts";
import { mqttBackpressure } from "./drills/mqtt-backpressure.ts";
import { regionalOutage } from "./drills/regional-outage.ts";
import { telemetryBlackout } from "./drills/telemetry-blackout.ts";

/** Every drill, in the order of the help. A new one is a line here and a file. */
export const drills: readonly Drill[] = [
  mqttBackpressure,
  modelDrift,
  regionalOutage,
  telemetryBlackout,
  mlflowDown,
  latencyRamp,
  memoryLeak,
];
