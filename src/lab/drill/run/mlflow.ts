import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { answersOk } from "../../../common/net/exchange.ts";
import { keepRunning, type ManagedChild } from "../../../services/platform/child.ts";
import { train } from "../../../services/recommender-service/train.ts";
import { freePort } from "../../ports.ts";
import { kubeconfigOf, startKubernetesStandIn } from "../stand-ins/kubernetes.ts";

const PROGRAM = fileURLToPath(new URL("../stand-ins/mlflow-process.ts", import.meta.url));
const START_MS = 20_000;
const STOP_MS = 2_000;

/** MLflow and the cluster it runs in, both stand-ins. */
export interface DrillMlflow {
  readonly url: string;
  readonly kubeconfig: string;
  /** From now on it accepts connections and answers nothing. */
  hang(): void;
  stop(): Promise<void>;
}

/**
 * Starts the stand-in for MLflow as a process of its own, registers a trained model with it, and a stand-in for the
 * Kubernetes API whose deployment `helius/mlflow-tracker` is that process. `helius/grafana-core` is a name only.
 */
export async function startDrillMlflow(options: {
  readonly folder: string;
  readonly token: string;
  readonly onNote: (line: string) => void;
}): Promise<DrillMlflow> {
  const { folder, token, onNote } = options;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = join(folder, "logs", "mlflow-tracker.log");
  const child = keepRunning({
    program: PROGRAM,
    args: [String(port), join(folder, "mlflow.json")],
    env: { PATH: process.env.PATH },
    onLine: (line) => appendFileSync(log, `${line}\n`),
    onExit: (how, againMs) =>
      onNote(`mlflow-tracker ended (${how}); starting it again in ${againMs / 1_000} s`),
  });
  try {
    await answering(url);
    const code = await train(["--publish"], {
      env: { MLFLOW_TRACKING_URI: url },
      print: (line) => appendFileSync(log, `${line}\n`),
      wallMs: Date.now(),
    });
    if (code !== 0) throw new Error(`no model could be registered with the stand-in for MLflow; see ${log}`);
    const cluster = await startKubernetesStandIn({
      token,
      deployments: new Map([
        ["helius/mlflow-tracker", () => void restart(child, onNote)],
        ["helius/grafana-core", () => onNote("cluster: grafana-core restarted (a name only)")],
      ]),
    });
    const kubeconfig = join(folder, "kubeconfig");
    writeFileSync(kubeconfig, kubeconfigOf(cluster.url, token), { mode: 0o600 });
    return {
      url,
      kubeconfig,
      hang: () => void child.signal("SIGSTOP"),
      async stop() {
        await cluster.stop();
        await child.stop(STOP_MS);
      },
    };
  } catch (error) {
    await child.stop(STOP_MS);
    throw error;
  }
}

/** What a cluster does with a pod whose template changed: the old process is ended, a new one started. */
async function restart(child: ManagedChild, onNote: (line: string) => void): Promise<void> {
  await child.stop(STOP_MS);
  child.start();
  onNote("cluster: mlflow-tracker restarted");
}

async function answering(url: string): Promise<void> {
  const endMs = performance.now() + START_MS;
  while (!(await answersOk(`${url}/health`, 500))) {
    if (performance.now() > endMs) throw new Error("the stand-in for MLflow does not answer");
    await sleep(50);
  }
}
