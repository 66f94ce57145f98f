import type { Intent, Outcome } from "./action.ts";
import type { Instant } from "./time.ts";

/** Policy state of one series that must outlive a restart. */
export interface SeriesState {
  /** `seriesKey(target, signal)`. */
  readonly key: string;
  readonly inRisk: boolean;
  /** Consecutive cycles in the confirmation band, per predictor. */
  readonly pending: Readonly<Record<string, number>>;
}

/** The last action on a target: what its cooldown counts from. */
export interface LastAction {
  readonly target: string;
  readonly at: Instant;
  readonly bootId: string;
}

/** Kinds of small state that must outlive a restart, one document a key. */
export const DOCUMENT_KINDS = ["alert", "run", "verification", "escalation", "silence", "guard"] as const;
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];

/** Plain JSON under a kind and a key; the part that owns the kind reads and checks its body. */
export interface StoredDocument {
  readonly kind: DocumentKind;
  readonly key: string;
  /** Undefined in a change removes the document; never undefined in what was loaded. */
  readonly body: unknown;
}

/** What a monitor knows of itself when it starts. */
export interface Persisted {
  readonly series: readonly SeriesState[];
  readonly lastActions: readonly LastAction[];
  /** Intents without a terminal record, oldest first. */
  readonly openIntents: readonly Intent[];
  /** By kind, then key. */
  readonly documents: readonly StoredDocument[];
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
  /** Returns only once the intent is on disk (fsync). Unless it is an undo, it also counts as the target's last action. */
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
  /** Writes or removes documents in one transaction; returns only once that is on disk. */
  saveDocuments(changed: readonly StoredDocument[]): void;
  /** One intent by its id, with its outcome where it has one; undefined when the journal does not hold it. */
  entry(id: string): JournalEntry | undefined;
  /** Newest first. */
  recent(limit: number): readonly JournalEntry[];
  close(): void;
}

/** The store cannot keep its promise: nothing may be acted on. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}
