import type { Target } from "../kernel/target.ts";
import type { PlaybookConfig, StepConfig } from "./playbooks.ts";

/** Namespace of the workloads that are restarted when MLflow does not answer. */
const NAMESPACE = "helius";
const GATEWAY = "telemetry-gateway";
const RECOMMENDER = "recommender-service";

/** The playbooks in force when the file has none: the closed loops of the platform. */
export function defaultPlaybooks(targets: readonly Target[]): PlaybookConfig[] {
  const jobOf = (name: string) => targets.find((t) => t.name === name)?.job ?? name;
  const gateway = targets.find((t) => t.name === GATEWAY);
  const backlog = { target: GATEWAY, signal: "backlog" };
  const foreseen = gateway?.signals.some(({ name }) => name === backlog.signal) === true;
  const regions = gateway?.parts !== undefined;
  return [
    {
      name: "contain-backlog",
      alert: { name: "PipelineBacklogHigh", labels: { job: jobOf(GATEWAY) } },
      ...(foreseen ? { forecast: backlog } : {}),
      ...(regions ? { regionsOf: GATEWAY } : {}),
      undoOnResolved: true,
      steps: [
        ...(regions
          ? [
              step("isolate-region", GATEWAY, { region: "$region", seconds: "900" }, [
                { kind: "region_known" },
              ]),
            ]
          : []),
        step("set-rate-limit", GATEWAY, { per_second: "20", seconds: "900" }),
        // Where no region floods, the gateway itself is slow.
        step("mitigate", GATEWAY, {}, regions ? [{ kind: "region_unknown" }] : []),
      ],
    },
    {
      name: "force-fallback",
      alert: { name: "HighInvalidModelOutputs", labels: { job: jobOf(RECOMMENDER) } },
      // The static list gives no invalid outputs, so the alert ends while the model is as bad as before: the fallback
      // lasts its time, and begins anew if the model has not come right by then.
      undoOnResolved: false,
      steps: [step("force-fallback", RECOMMENDER, { seconds: "1800" })],
    },
    {
      name: "restart-mlflow",
      alert: { name: "MlflowUnreachable", labels: {} },
      undoOnResolved: false,
      steps: ["mlflow-tracker", "grafana-core"].map((workload) => ({
        action: "rollout-restart",
        workload: `${NAMESPACE}/deployment/${workload}`,
        parameters: {},
        when: [],
      })),
    },
    {
      name: "retrain-model",
      alert: { name: "XaiDivergenceHigh", labels: { job: jobOf(RECOMMENDER) } },
      // During a forced fallback nothing is explained, so this alert can end without the model being right: the pause
      // lasts its time.
      undoOnResolved: false,
      steps: [step("pause-stream", RECOMMENDER, { seconds: "1800" }), step("retrain", RECOMMENDER)],
    },
  ];
}

function step(
  action: string,
  on: string,
  parameters: StepConfig["parameters"] = {},
  when: StepConfig["when"] = [],
): StepConfig {
  return { action, on, parameters, when };
}
