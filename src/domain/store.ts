import type { Intent, Outcome } from "./action.ts";
import type { Instant } from "./time.ts";

/** Policy state of one series that must outlive a restart. */
export interface SeriesState {
  /** `seriesKey(target, signal)`. */
  readonly key: string;
  readonly inRisk: boolean;
  /** Consecutive cycles in the confirmation band, per witness. */
  readonly pending: Readonly<Record<string, number>>;
}

/** The last action on a target: what its cooldown counts from. */
export interface LastAction {
  readonly target: string;
  readonly at: Instant;
  readonly bootId: string;
}

/** What a monitor knows of itself when it starts. */
export interface Persisted {
  readonly series: readonly SeriesState[];
  readonly lastActions: readonly LastAction[];
  /** Intents without a terminal record, oldest first. */
  readonly openIntents: readonly Intent[];
  /** Set when earlier state could not be read: where the damaged copy lies and why. Cooldowns must then be assumed. */
  readonly quarantined: string | undefined;
}

/** A line of the audit trail. */
export interface JournalEntry {
  readonly intent: Intent;
  readonly outcome: Outcome | undefined;
}

/** The journal and the small state beside it. Every call throws `StoreError` when it cannot keep its promise. */
export interface Store {
  /** Fencing token of this run, larger than that of any earlier run on this store. */
  readonly epoch: number;
  load(): Persisted;
  /** Returns only once the intent is on disk (fsync). It also counts as the target's last action. */
  recordIntent(intent: Intent): void;
  /**
   * An open intent is about to be carried out later than it was written: from here on the target's last action counts.
   * Returns only once that is on disk.
   */
  recordCall(call: LastAction): void;
  /** The one terminal record of an intent; a second one throws. */
  recordOutcome(outcome: Outcome): void;
  /** Saves changed rows in one transaction. */
  saveSeries(changed: readonly SeriesState[]): void;
  /** Newest first. */
  recent(limit: number): readonly JournalEntry[];
  close(): void;
}

/** The store cannot keep its promise: nothing may be acted on. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}
