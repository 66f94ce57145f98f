import type { Drill } from "../drill.ts";
import { comparedGoal, healedGoal, percent } from "../goal.ts";
import { SLO_INVALID } from "../slo.ts";

/** Share of the requests whose inputs the drifted pipeline garbles. */
const DRIFT = 0.5;
const SHARE_WINDOW_S = 1;
/** Without healing at least this share of the answers is to be invalid, or there was no incident. */
const UNHEALED = 0.4;

/** The recommender's inputs drift, and half of its answers break their schema. */
export const modelDrift: Drill = {
  name: "model-drift",
  title: "half of the recommender's inputs are garbled, and its answers with them",
  level: () => ({
    title: "share of invalid predictions served",
    unit: "ratio",
    slo: SLO_INVALID,
    contained: "last_invalid",
  }),
  services: ["product-api", "recommender-service", "telemetry-gateway"],
  surroundings: {},
  targets: ["recommender-service"],
  extraHeals: [],
  quietS: 450,
  incidentS: 1500,
  telemetryRate: 3,
  env: () => ({}),
  signals: () => ({}),
  incident: (stage) => stage.fault("recommender-service", `mode=drift&ratio=${DRIFT}`),
  meter: (instruments) => () => instruments.invalidShare(SHARE_WINDOW_S),
  goals: (results) => [
    ...comparedGoal(
      results,
      "invalid answers served: 0 % after containment, at least 40 % without",
      (on, off) => ({
        came: `${percent(off.figures.invalidRatio)} → ${percent(on.figures.invalidRatioAfter)}`,
        reached: on.figures.invalidRatioAfter === 0 && (off.figures.invalidRatio ?? 0) >= UNHEALED,
      }),
    ),
    ...healedGoal(results, "predictions answered throughout", ({ figures }) => ({
      came: percent(figures.predictionAvailability),
      reached: figures.predictionAvailability === 1,
    })),
  ],
};
