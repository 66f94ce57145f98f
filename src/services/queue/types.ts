/** What is offered to a queue. */
export interface QueueMessage {
  /** Independent part of the queue, e.g. a region. One of the lanes the queue was opened with. */
  readonly lane: string;
  /** Identity of the message within its lane: the same key within the dedup window is a duplicate. */
  readonly key: string;
  readonly payload: Uint8Array;
}

/**
 * `accepted`: on disk now; `duplicate`: it was on disk before, nothing was added; `full`: the lane has no room, nothing
 * was added.
 */
export type OfferOutcome = "accepted" | "duplicate" | "full";

/** A message in the hands of a consumer, until it is settled or the process ends. */
export interface Delivery extends QueueMessage {
  /** Opaque; unique among the deliveries of one queue object. */
  readonly id: number;
  /** Failed attempts before this one. */
  readonly failures: number;
  /** Wall clock of the acceptance, milliseconds since the epoch. */
  readonly acceptedMs: number;
}

/**
 * How a delivery ended. `done`: removed; `retry`: comes again after `delayMs`, with one failure more; `release`: comes
 * again soon, without a failure; `dead`: kept as a dead letter with its reason.
 */
export type Settlement =
  | { readonly delivery: Delivery; readonly verdict: "done" | "release" }
  | {
      readonly delivery: Delivery;
      readonly verdict: "retry";
      readonly delayMs: number;
      readonly reason: string;
    }
  | { readonly delivery: Delivery; readonly verdict: "dead"; readonly reason: string };

/** A message that was given up. */
export interface DeadLetter {
  readonly id: number;
  readonly lane: string;
  readonly key: string;
  readonly payload: Uint8Array;
  readonly reason: string;
  readonly failures: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly deadMs: number;
}

/** Which dead letters. */
export interface DeadLetterQuery {
  /** Default: every lane. */
  readonly lane?: string | undefined;
  /** At most so many, the oldest first. */
  readonly limit: number;
}

/**
 * A durable queue with lanes, deduplication, delayed retries and dead letters. What `offer` answered `accepted` for
 * comes out of `take` at least once, whatever happens to the process; a consumer whose effect is idempotent by
 * `lane` and `key` therefore has each effect once.
 */
export interface DurableQueue {
  readonly lanes: readonly string[];
  /** Resolves when the message is durable. Throws `QueueUnavailableError` when nothing can be stored at present. */
  offer(message: QueueMessage): Promise<OfferOutcome>;
  /**
   * At most `limit` messages of a lane whose time has come, in order of acceptance as far as there were no retries.
   * Does not wait for messages.
   */
  take(lane: string, limit: number): readonly Delivery[];
  /** Resolves when the settlements are recorded. Throws `QueueUnavailableError`: they will be delivered again. */
  settle(settlements: readonly Settlement[]): Promise<void>;
  /** Records a message that can never be delivered as a dead letter at once. Resolves when it is durable. */
  bury(message: QueueMessage, reason: string): Promise<void>;
  /** Messages of a lane that are not settled yet. */
  depth(lane: string): number;
  /** Share of the lane's capacity in use, 0 to 1. */
  fill(lane: string): number;
  deadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]>;
  /** Puts dead letters back into their lanes, with no failures. Answers how many. */
  replay(query: DeadLetterQuery): Promise<number>;
  /** Dead letters kept. */
  deadCount(): number;
  close(): Promise<void>;
}

/** The queue cannot store or answer at present; nothing was accepted. */
export class QueueUnavailableError extends Error {
  override readonly name = "QueueUnavailableError";
}

/** Length of the longest reason that is kept, characters. */
export const MAX_REASON_CHARS = 500;
