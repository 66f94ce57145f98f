import type { Drill } from "./drill.ts";
import type { Heal, Pace } from "./pace.ts";

const GATEWAY = "telemetry-gateway";
const RECOMMENDER = "recommender-service";
/**
 * How long containment of a region lasts, seconds of a real installation: longer than the built-in quarter of an hour,
 * because the devices of a drill do not mend themselves, and a region that is let in again is contained again.
 */
const CONTAINED_S = 3600;
/** The rates are cut for less: where no region stood out at first, it is looked for again when the cut ends. */
const CUT_S = 300;
const FALLBACK_S = 1800;
/** Messages a second, at speed 30, that a region may send while the gateway is contained: more than on an ordinary day. */
const PER_SECOND = 6;

/**
 * The playbooks of a drill: those that are built in, for what the drill has, with their times divided by the speed.
 * `alerts`: the backlog is contained on its alert alone.
 */
export function playbooksOf(
  drill: Pick<Drill, "services" | "surroundings">,
  pace: Pace,
  heal: Heal,
): Record<string, unknown>[] {
  const seconds = (realS: number) => Math.max(1, Math.round(pace.s(realS)));
  const recommender = drill.services.includes(RECOMMENDER);
  return [
    {
      name: "contain-backlog",
      alert: { name: "PipelineBacklogHigh", labels: { job: GATEWAY } },
      ...(heal === "alerts" ? {} : { forecast: { target: GATEWAY, signal: "backlog" } }),
      regions_of: GATEWAY,
      // The end of the alert is the work of the containment: the region would flood the gateway again.
      undo_on_resolved: false,
      steps: [
        {
          action: "isolate-region",
          on: GATEWAY,
          parameters: { region: "$region", seconds: seconds(CONTAINED_S) },
          when: ["region_known"],
        },
        {
          action: "set-rate-limit",
          on: GATEWAY,
          parameters: { per_second: pace.rate(PER_SECOND), seconds: seconds(CUT_S) },
        },
      ],
    },
    ...(recommender
      ? [
          {
            name: "force-fallback",
            alert: { name: "HighInvalidModelOutputs", labels: { job: RECOMMENDER } },
            undo_on_resolved: false,
            steps: [
              { action: "force-fallback", on: RECOMMENDER, parameters: { seconds: seconds(FALLBACK_S) } },
            ],
          },
          {
            name: "retrain-model",
            alert: { name: "XaiDivergenceHigh", labels: { job: RECOMMENDER } },
            steps: [
              { action: "pause-stream", on: RECOMMENDER, parameters: { seconds: seconds(FALLBACK_S) } },
              { action: "retrain", on: RECOMMENDER },
            ],
          },
        ]
      : []),
    ...(drill.surroundings.mlflow === true
      ? [
          {
            name: "restart-mlflow",
            alert: { name: "MlflowUnreachable", labels: {} },
            undo_on_resolved: false,
            steps: ["mlflow-tracker", "grafana-core"].map((workload) => ({
              action: "rollout-restart",
              workload: `helius/deployment/${workload}`,
            })),
          },
        ]
      : []),
  ];
}
