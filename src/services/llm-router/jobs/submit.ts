import { createHash } from "node:crypto";
import { HttpError } from "../../kit/errors.ts";
import { type DurableQueue, QueueUnavailableError } from "../../queue/types.ts";
import { newJobId } from "../input.ts";
import type { JobMetrics } from "./metrics.ts";
import { encodePayload, type JobLog } from "./types.ts";
import { JOB_LANE } from "./worker.ts";

export interface Submission {
  readonly prompt: string;
  /** Header `idempotency-key`. */
  readonly key: string | undefined;
}

export interface SubmitOptions {
  readonly queue: DurableQueue;
  readonly log: JobLog;
  readonly metrics: JobMetrics;
}

/**
 * Accepts a job: when this resolves, job and first event are on disk. Throws `HttpError`: 503 when the queue is full or
 * cannot write (nothing was accepted), 422 when the key stands for another prompt, 400 for a key that is none.
 */
export async function submitJob(
  options: SubmitOptions,
  submission: Submission,
): Promise<{ readonly jobId: string; readonly repeated: boolean }> {
  const { queue, log, metrics } = options;
  const { prompt, key } = submission;
  const jobId = newJobId(key);
  const digest = createHash("sha256").update(prompt).digest("hex");
  try {
    const known = key === undefined ? undefined : await log.find(jobId);
    if (known !== undefined) refuseOtherPrompt(known.digest, digest);
    const outcome =
      known !== undefined
        ? "duplicate"
        : await queue.offer({ lane: JOB_LANE, key: jobId, payload: encodePayload({ prompt, digest }) });
    if (outcome === "full") {
      metrics.submitted("full");
      throw unavailable("too many jobs are waiting; try again later");
    }
    // Two submissions with one key at the same moment: the second sees what the first wrote.
    refuseOtherPrompt((await log.begin(jobId, digest)).digest, digest);
    metrics.submitted(outcome === "accepted" ? "accepted" : "repeated");
    return { jobId, repeated: outcome !== "accepted" };
  } catch (error) {
    if (!(error instanceof QueueUnavailableError)) throw error;
    metrics.submitted("unavailable");
    throw unavailable("the job cannot be written down, so it was not accepted");
  }
}

function unavailable(error: string): HttpError {
  return new HttpError(503, { error }, { "retry-after": "2" });
}

function refuseOtherPrompt(known: string, digest: string): void {
  if (known === digest) return;
  throw new HttpError(422, {
    error: "this idempotency key was used for another prompt",
    field: "idempotency-key",
    expected: "a new key for a new prompt",
  });
}
