import type { Drill } from "../drill.ts";
import { healedGoal, percent, seconds } from "../goal.ts";
import { silenceOf } from "../instruments.ts";

/** Silence of the tracking server that is no outage yet, cycles. */
const SILENT_CYCLES = 2;

/** The tracking server hangs: it accepts connections and answers nothing. The recommender answers from its disk. */
export const mlflowDown: Drill = {
  name: "mlflow-down",
  title: "MLflow hangs, and the recommender cannot look for new models",
  level: (pace) => ({
    title: "silence of MLflow",
    unit: "s",
    slo: SILENT_CYCLES * pace.cycleS,
    contained: "peak",
  }),
  services: ["product-api", "recommender-service", "telemetry-gateway"],
  surroundings: { mlflow: true },
  targets: ["helius/deployment/mlflow-tracker"],
  extraHeals: [],
  quietS: 450,
  incidentS: 1500,
  telemetryRate: 3,
  env: (pace) => ({
    RECOMMENDER_POLL_SECONDS: String(Math.max(0.05, pace.s(30))),
    RECOMMENDER_MLFLOW_TIMEOUT_SECONDS: String(Math.max(0.25, pace.s(5))),
  }),
  signals: () => ({}),
  incident: async (stage) => stage.hangMlflow(),
  meter: (instruments) => {
    let answers = 0;
    return silenceOf(async () => {
      if (await instruments.mlflowAnswers()) answers += 1;
      return answers;
    });
  },
  goals: (results) => [
    ...healedGoal(results, "MLflow answers again", ({ figures }) => ({
      came: seconds(figures.recoverS),
      reached: figures.recoverS !== undefined && figures.recoverS > 0,
    })),
    ...healedGoal(results, "predictions valid and available throughout", ({ figures }) => ({
      came: `${percent(figures.predictionAvailability)} answered, ${percent(figures.invalidRatio)} invalid`,
      reached: figures.predictionAvailability === 1 && figures.invalidRatio === 0,
    })),
  ],
};
