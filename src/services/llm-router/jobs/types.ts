import type { ModelDecision } from "../decision.ts";

/** Jobs that ended are kept so long, milliseconds. */
export const RETENTION_MS = 24 * 3_600_000;

export type JobState = "queued" | "succeeded" | "dead";

/** What happened to a job. `error`: an attempt failed, and another one follows. */
export type EventBody =
  | { readonly event: "queued" }
  | {
      readonly event: "error";
      readonly message: string;
      /** Counted from 1. */
      readonly attempt: number;
      readonly retryInSeconds: number;
    }
  | {
      readonly event: "result";
      readonly decision: ModelDecision;
      /** Whether anything may follow from the decision: never with confidence 0.0. */
      readonly actionable: boolean;
      readonly attempt: number;
    }
  | {
      readonly event: "dead_letter";
      readonly message: string;
      readonly attempt: number;
      /** The safe answer, confidence 0.0. */
      readonly decision: ModelDecision;
    };

/** An event as clients get it. `seq` grows within a job, without gaps from 1. */
export type JobEvent = EventBody & {
  readonly jobId: string;
  readonly seq: number;
  /** ISO-8601. */
  readonly at: string;
};

export interface JobSummary {
  readonly jobId: string;
  readonly state: JobState;
  /** What was asked, as a hash: an idempotency key stands for one prompt. */
  readonly digest: string;
  readonly lastSeq: number;
  /** Failed attempts since it was queued last. */
  readonly failures: number;
  /** The delivery that the last event of an attempt was about, as `Delivery.acceptedMs`; 0 before the first. */
  readonly acceptedMs: number;
}

/** The job after an event. */
export function summaryAfter(
  before: Omit<JobSummary, "state">,
  body: EventBody,
  acceptedMs: number | undefined,
): JobSummary {
  const { jobId, digest } = before;
  return {
    jobId,
    digest,
    state: STATE_AFTER[body.event],
    lastSeq: before.lastSeq + 1,
    failures: "attempt" in body ? body.attempt : 0,
    acceptedMs: acceptedMs ?? before.acceptedMs,
  };
}

const STATE_AFTER: Readonly<Record<EventBody["event"], JobState>> = {
  queued: "queued",
  error: "queued",
  result: "succeeded",
  dead_letter: "dead",
};

/** A job nothing was written about yet. */
export function newSummary(jobId: string, digest: string): Omit<JobSummary, "state"> {
  return { jobId, digest, lastSeq: 0, failures: 0, acceptedMs: 0 };
}

/**
 * Durable record of what happened to each job; what is read by clients, and by a worker that takes over. Every write is
 * durable when it resolves, and throws `QueueUnavailableError` when it cannot be.
 */
export interface JobLog {
  /** Writes the first event of a job, unless there is one already. Answers the job as it is then. */
  begin(jobId: string, digest: string): Promise<JobSummary>;
  /**
   * Adds an event; `acceptedMs` names the delivery it is about. A job that has ended takes only `queued`, which opens it
   * again; others are ignored (undefined).
   */
  append(jobId: string, body: EventBody, acceptedMs?: number): Promise<JobEvent | undefined>;
  find(jobId: string): Promise<JobSummary | undefined>;
  /** Events after a sequence number, in order. */
  events(jobId: string, after: number): Promise<readonly JobEvent[]>;
  /** Calls `listener` with every event once it is durable. Answers how to stop that. */
  onEvent(listener: (event: JobEvent) => void): () => void;
  close(): Promise<void>;
}

/** What lies in the queue. */
export interface JobPayload {
  readonly prompt: string;
  readonly digest: string;
}

export function encodePayload(payload: JobPayload): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(payload));
}

/** Undefined for what is no job. */
export function decodePayload(bytes: Uint8Array): JobPayload | undefined {
  try {
    const { prompt, digest } = JSON.parse(new TextDecoder().decode(bytes)) as Partial<JobPayload>;
    return typeof prompt === "string" && typeof digest === "string" ? { prompt, digest } : undefined;
  } catch {
    return undefined;
  }
}
