import { parentPort, workerData } from "node:worker_threads";
import { buildModel } from "./model/build.ts";
import type { Basket } from "./model/interactions.ts";

// Runs in a thread of its own: a training must not hold up answers.

/** What a training starts from. */
export interface TrainingInput {
  readonly users: number;
  readonly seed: number;
  readonly live: readonly Basket[];
  readonly wallMs: number;
}

const built = buildModel(workerData as TrainingInput);
parentPort?.postMessage(built.artifact);
