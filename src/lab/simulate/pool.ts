import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { SeedResult } from "./run.ts";
import type { Done, Task } from "./worker.ts";

type Job = Omit<Task, "id" | "folder">;

/** Threads that play seeds, each one at a time. */
export interface Pool {
  /** @throws Error when the simulator itself fails, which is no finding about the monitor */
  play(job: Job): Promise<SeedResult>;
  close(): Promise<void>;
}

/** @param size threads */
export function createPool(size: number): Pool {
  // In memory where there is such a folder: the embedded journal syncs every write.
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "helius-simulate-"));
  const idle: Worker[] = [];
  const waiting: ((worker: Worker) => void)[] = [];
  const workers = Array.from({ length: size }, () => new Worker(new URL("./worker.ts", import.meta.url)));
  for (const worker of workers) {
    worker.setMaxListeners(0);
    idle.push(worker);
  }
  let ids = 0;
  const take = (): Promise<Worker> => {
    const free = idle.pop();
    return free === undefined ? new Promise((resolve) => void waiting.push(resolve)) : Promise.resolve(free);
  };
  const give = (worker: Worker) => {
    const next = waiting.shift();
    if (next === undefined) idle.push(worker);
    else next(worker);
  };
  const ask = (worker: Worker, task: Task): Promise<SeedResult> =>
    new Promise((resolve, reject) => {
      const done = (message: Done) => {
        worker.off("error", reject);
        if ("result" in message) resolve(message.result);
        else reject(new Error(`seed ${task.seed}: ${message.error}`));
      };
      worker.once("error", reject);
      worker.once("message", done);
      worker.postMessage(task);
    });
  return {
    async play(job) {
      const worker = await take();
      ids += 1;
      try {
        return await ask(worker, { ...job, id: ids, folder });
      } finally {
        give(worker);
      }
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
