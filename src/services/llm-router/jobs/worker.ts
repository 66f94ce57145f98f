import type { Logger } from "pino";
import type { Delivery, DurableQueue, Settlement } from "../../queue/types.ts";
import { CIRCUIT_OPEN_MESSAGE, type Outcome } from "../assistants/failover.ts";
import { fallbackDecision, isActionable } from "../decision.ts";
import type { JobMetrics } from "./metrics.ts";
import { afterFailure } from "./retry.ts";
import { decodePayload, type JobLog } from "./types.ts";

/** The one lane of the jobs' queue. */
export const JOB_LANE = "jobs";
/** How often the queue is looked at for jobs whose time has come, milliseconds. */
const POLL_MS = 50;
/** Pause after a failure to write, milliseconds. */
const UNAVAILABLE_MS = 500;
/** A slowed worker counts an attempt as at least so long, milliseconds. */
const SLOWED_ATTEMPT_MS = 25;

export interface WorkerOptions {
  readonly queue: DurableQueue;
  readonly log: JobLog;
  readonly decide: (prompt: string) => Promise<Outcome>;
  readonly metrics: JobMetrics;
  readonly logger: Logger;
  /** Jobs worked on at the same time. */
  readonly concurrency: number;
  /** How many times slower it must be now; 1 = not slowed. */
  readonly slowdown: () => number;
  readonly monoMs: () => number;
}

/**
 * Works off the jobs. What it did is in the log before the queue hears of it, and a job that comes again after a crash
 * is looked up there first: each job ends once, however often it is delivered.
 */
export class JobWorker {
  readonly #options: WorkerOptions;
  readonly #stop = new AbortController();
  readonly #active = new Set<Promise<void>>();
  readonly #inHand = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #restUntilMs = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.poke(), POLL_MS);
  }

  /** Jobs that are being worked on. */
  get busy(): number {
    return this.#active.size;
  }

  /** There may be something to do. */
  poke(): void {
    const { queue, concurrency, monoMs } = this.#options;
    const free = concurrency - this.#active.size;
    if (this.#stop.signal.aborted || free <= 0 || monoMs() < this.#restUntilMs) return;
    for (const delivery of queue.take(JOB_LANE, free)) {
      if (this.#inHand.has(delivery.key)) {
        // An engine that waited too long for the end of an attempt delivers the job a second time.
        void queue.settle([{ delivery, verdict: "release" }]).catch(() => undefined);
        continue;
      }
      this.#inHand.add(delivery.key);
      const work = this.#work(delivery).finally(() => {
        this.#active.delete(work);
        this.#inHand.delete(delivery.key);
        this.poke();
      });
      this.#active.add(work);
    }
  }

  /** Takes nothing more, and waits for what is under way; the caller has ended the calls of the assistants. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await Promise.all(this.#active);
  }

  async #work(delivery: Delivery): Promise<void> {
    const startMs = this.#options.monoMs();
    try {
      await this.#options.queue.settle([await this.#attempt(delivery)]);
    } catch (error) {
      this.#options.logger.error(
        { err: error, jobId: delivery.key },
        "job could not be recorded, trying again",
      );
      this.#restUntilMs = this.#options.monoMs() + UNAVAILABLE_MS;
      await this.#options.queue.settle([{ delivery, verdict: "release" }]).catch(() => undefined);
    }
    const extra = this.#options.slowdown() - 1;
    if (extra > 0) {
      await this.#pause(Math.max(SLOWED_ATTEMPT_MS, this.#options.monoMs() - startMs) * extra);
    }
  }

  async #attempt(delivery: Delivery): Promise<Settlement> {
    const { log, metrics } = this.#options;
    const { key: jobId, acceptedMs } = delivery;
    const payload = decodePayload(delivery.payload);
    if (payload === undefined) return { delivery, verdict: "dead", reason: "this is no job" };
    const present = await log.begin(jobId, payload.digest);
    if (present.state === "succeeded") return { delivery, verdict: "done" };
    if (present.state === "dead") {
      // The same delivery: its last attempt was recorded, and then the process ended. Another one: it was replayed.
      if (present.acceptedMs === acceptedMs) {
        return { delivery, verdict: "dead", reason: "its last attempt failed" };
      }
      await log.append(jobId, { event: "queued" }, acceptedMs);
    }
    const outcome = await this.#options.decide(payload.prompt);
    // The log counts, not the queue: an engine may forget its count with the process.
    const attempt = (present.state === "dead" ? 0 : present.failures) + 1;
    if (outcome.decided) {
      const { decision } = outcome;
      metrics.attempted("decided");
      const actionable = isActionable(decision);
      await log.append(jobId, { event: "result", decision, actionable, attempt }, acceptedMs);
      metrics.ended("succeeded");
      return { delivery, verdict: "done" };
    }
    if (outcome.aborted) return { delivery, verdict: "release" };
    return this.#failed(delivery, outcome, attempt);
  }

  async #failed(
    delivery: Delivery,
    outcome: Outcome & { readonly decided: false },
    attempt: number,
  ): Promise<Settlement> {
    const { log, metrics, logger } = this.#options;
    const { key: jobId, acceptedMs } = delivery;
    const { message } = outcome;
    metrics.attempted(outcome.circuitOpen ? "circuit_open" : "failed");
    if (outcome.circuitOpen) logger.error({ event: "error", jobId, attempt }, CIRCUIT_OPEN_MESSAGE);
    const next = afterFailure(attempt);
    if (next.retry) {
      const retryInSeconds = next.delayMs / 1_000;
      await log.append(jobId, { event: "error", message, attempt, retryInSeconds }, acceptedMs);
      return { delivery, verdict: "retry", delayMs: next.delayMs, reason: message };
    }
    const decision = fallbackDecision(message);
    await log.append(jobId, { event: "dead_letter", message, attempt, decision }, acceptedMs);
    metrics.ended("dead");
    logger.error({ jobId, attempt, error: message }, "job became a dead letter");
    return { delivery, verdict: "dead", reason: message };
  }

  /** Ends early when the worker stops. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener("abort", wake);
    });
  }
}
