import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import type { RetrainingOutcome } from "./metrics.ts";
import type { Quality } from "./model/evaluation.ts";
import { type LoadedModel, trainedModel } from "./state/model-cache.ts";
import type { TrainingInput } from "./training-worker.ts";

/** A training that takes longer is ended, milliseconds. */
const LIMIT_MS = 120_000;
/** A new model must be at least so good compared with the one in use. */
const MIN_RELATIVE_QUALITY = 0.9;

export interface TrainingJobOptions {
  readonly logger: Logger;
  /** Takes the new model into use. */
  readonly onModel: (model: LoadedModel) => void;
  readonly onOutcome: (outcome: RetrainingOutcome) => void;
}

/** Trains models in a worker thread, one at a time, and lets through only those that are good enough. */
export class TrainingJob {
  readonly #options: TrainingJobOptions;
  #worker: Worker | undefined;
  #done: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(options: TrainingJobOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#worker !== undefined;
  }

  /** Starts a training; false when one is running already. `current` is the quality of the model in use. */
  start(
    input: TrainingInput,
    context: { readonly supersedes: string | null; readonly current: Quality | undefined },
  ): boolean {
    if (this.running) return false;
    const worker = new Worker(new URL("./training-worker.ts", import.meta.url), { workerData: input });
    this.#worker = worker;
    this.#options.logger.info({ live_baskets: input.live.length }, "retraining started");
    this.#done = resultOf(worker)
      .then((artifact) => this.#judge(trainedModel(artifact, context.supersedes), context.current))
      .catch((error: Error) => this.#end("failed", { reason: error.message }, "retraining failed"))
      .finally(() => {
        this.#worker = undefined;
      });
    return true;
  }

  /** Ends a training under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#worker?.terminate();
    await this.#done;
  }

  #judge(model: LoadedModel, current: Quality | undefined): void {
    const { quality } = model.body;
    const wanted = Math.max(
      quality.baseline_hit_rate_at_5,
      MIN_RELATIVE_QUALITY * (current?.hit_rate_at_5 ?? 0),
    );
    const fields = { version: model.version, ...quality, wanted_hit_rate_at_5: wanted };
    if (quality.hit_rate_at_5 < wanted) {
      this.#end("rejected", fields, "retrained model rejected");
      return;
    }
    this.#options.onModel(model);
    this.#end("swapped", fields, "retrained model in use");
  }

  #end(outcome: RetrainingOutcome, fields: Record<string, unknown>, message: string): void {
    if (this.#stopping) return;
    this.#options.onOutcome(outcome);
    this.#options.logger[outcome === "swapped" ? "info" : "error"](fields, message);
  }
}

/** The artifact that the worker delivers. Rejects when it fails, ends without one, or takes too long. */
function resultOf(worker: Worker): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no model within ${LIMIT_MS / 1_000} s`));
      void worker.terminate();
    }, LIMIT_MS);
    worker.once("message", (artifact: Uint8Array) => resolve(Buffer.from(artifact)));
    worker.once("error", reject);
    worker.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`the training ended with code ${code} and without a model`));
    });
  });
}
