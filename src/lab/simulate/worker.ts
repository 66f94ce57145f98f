import { parentPort, threadId } from "node:worker_threads";
import { plantNamed } from "./plants/index.ts";
import { type RunOptions, runSeed, type SeedResult } from "./run.ts";
import { drawScenario, only } from "./scenario.ts";

/** One seed to play. */
export interface Task {
  readonly id: number;
  readonly seed: number;
  readonly hours: number;
  readonly density: number;
  readonly folder: string;
  readonly plant?: string | undefined;
  /** Events to keep, as `--events` has them; absent: all. */
  readonly events?: string | undefined;
  readonly keepLines?: number | undefined;
}

export type Done =
  | { readonly id: number; readonly result: SeedResult }
  | { readonly id: number; readonly error: string };

async function play(task: Task): Promise<Done> {
  const { id, seed, hours, density, plant, events } = task;
  const scenario = drawScenario(seed, hours, density);
  const options: RunOptions = {
    folder: `${task.folder}/${threadId}-${id}`,
    ...(plant === undefined ? {} : { plant: plantNamed(plant) }),
    scenario: events === undefined ? scenario : only(scenario, events),
    ...(task.keepLines === undefined ? {} : { keepLines: task.keepLines }),
  };
  try {
    return { id, result: await runSeed(options) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

parentPort?.on("message", async (task: Task) => parentPort?.postMessage(await play(task)));
