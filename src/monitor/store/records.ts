import { z } from "zod";
import { concerned, type Intent, isUndo, OUTCOME_STATUSES, type Outcome } from "../kernel/action.ts";
import { CAUSES } from "../kernel/decision.ts";
import { readState, type Schema } from "../kernel/problem.ts";
import {
  DOCUMENT_KINDS,
  type JournalEntry,
  type LastAction,
  type Persisted,
  type SeriesState,
  type StoredDocument,
  StoreError,
} from "../kernel/store.ts";
import type { Clock, Instant } from "../kernel/time.ts";

/** How much of the audit trail is kept. Open intents and last actions are kept whatever their age. */
export interface Retention {
  /** Most entries with a terminal record, at least 1. */
  readonly maxEntries: number;
  /** Entries whose terminal record is older than this by the wall clock are removed, milliseconds > 0. */
  readonly maxAgeMs: number;
}

/** What every store of this folder is opened with. */
export interface StoreSettings {
  readonly clock: Clock;
  readonly retention: Retention;
  /**
   * For how long after a loss of state every later opening still reports it, milliseconds; 24 h when absent.
   * Must exceed the longest cooldown: a monitor that restarts inside it must still assume cooldowns.
   */
  readonly quarantineNoticeMs?: number | undefined;
}

/** A loss of state that later openings must still know about. */
export interface QuarantineNotice {
  readonly text: string;
  readonly at: Instant;
  readonly bootId: string;
}

const DAY_MS = 86_400_000;

/** Checks the settings; returns the notice window in milliseconds. Throws `StoreError` naming the field. */
export function checkSettings({ retention, quarantineNoticeMs = DAY_MS }: StoreSettings): number {
  if (!Number.isSafeInteger(retention.maxEntries) || retention.maxEntries < 1) {
    throw new StoreError(`retention.maxEntries is ${retention.maxEntries}; give an integer of at least 1`);
  }
  if (!(Number.isFinite(retention.maxAgeMs) && retention.maxAgeMs > 0)) {
    throw new StoreError(`retention.maxAgeMs is ${retention.maxAgeMs}; give milliseconds above 0`);
  }
  if (!(Number.isFinite(quarantineNoticeMs) && quarantineNoticeMs >= 0)) {
    throw new StoreError(`quarantineNoticeMs is ${quarantineNoticeMs}; give milliseconds of at least 0`);
  }
  return quarantineNoticeMs;
}

/** The epoch of a store that knows no earlier one: wall-clock seconds, at least 1. */
export function firstEpoch(now: Instant): number {
  return Math.max(1, Math.floor(now.wallMs / 1000));
}

/**
 * Whether a notice must still be reported. Measured on the monotonic clock within one boot, else on the wall clock;
 * a clock that went backwards counts as "not yet over".
 */
export function noticeStands(notice: QuarantineNotice, windowMs: number, clock: Clock): boolean {
  const now = clock.now();
  const age = notice.bootId === clock.bootId ? now.monoMs - notice.at.monoMs : now.wallMs - notice.at.wallMs;
  return age < windowMs;
}

/** Sorts what was loaded into the one order that all stores share. */
export function persisted(parts: {
  readonly series: readonly SeriesState[];
  readonly lastActions: readonly LastAction[];
  readonly openIntents: readonly Intent[];
  readonly documents: readonly StoredDocument[];
  readonly quarantined: string | undefined;
}): Persisted {
  return {
    series: parts.series.toSorted((a, b) => compare(a.key, b.key)),
    lastActions: parts.lastActions.toSorted((a, b) => compare(a.target, b.target)),
    openIntents: parts.openIntents,
    documents: parts.documents.toSorted((a, b) => compare(documentKey(a), documentKey(b))),
    quarantined: parts.quarantined,
  };
}

/** Checks the argument of `recent`; throws `StoreError`. */
export function checkLimit(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new StoreError(`limit is ${limit}; give an integer of at least 0`);
  }
  return limit;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Between a record and its text. Both ways throw `StoreError` naming the field that is wrong. */
export interface Codec<T> {
  encode(value: T): string;
  decode(text: string): T;
}

function codec<T>(name: string, schema: Schema<T>): Codec<T> {
  const checked = (value: unknown): T => {
    const read = readState(schema, value, name);
    if ("problem" in read) throw new StoreError(read.problem);
    return read.state;
  };
  const plainly = <Out>(work: () => Out, problem: string): Out => {
    try {
      return work();
    } catch (cause) {
      throw new StoreError(problem, { cause });
    }
  };
  return {
    encode(value) {
      const sound = checked(value);
      return plainly(() => JSON.stringify(sound), `${name}: what is not plain JSON cannot be stored`);
    },
    decode: (text) => checked(plainly((): unknown => JSON.parse(text), `the stored ${name} is not JSON`)),
  };
}

const text = z.string();
const number = z.number();
/** Text that identifies a row: it must survive UTF-8 and C strings unchanged. */
const id = text.refine((found) => found !== "" && found.isWellFormed() && !found.includes("\0"), {
  error: "must be non-empty Unicode text without NUL",
});
const instant = z.object({ wallMs: number, monoMs: number });
/** A field that is always there in code, and absent from JSON where it is undefined. */
const orUndefined = <T>(schema: z.ZodType<T>) => schema.optional() as z.ZodType<T | undefined>;

export const intents: Codec<Intent> = codec(
  "intent",
  z.object({
    id,
    kind: text,
    target: id,
    asker: id.optional(),
    signal: text,
    trigger: z.enum(CAUSES),
    predictor: text,
    forecast: number.optional(),
    threshold: number.optional(),
    parameters: z.record(text, text).optional(),
    origin: z
      .object({
        playbook: text.optional(),
        run: id,
        step: number,
        alert: id.optional(),
        undoes: id.optional(),
      })
      .optional(),
    epoch: number,
    at: instant,
    bootId: text,
  }),
);

export const outcomes: Codec<Outcome> = codec(
  "outcome",
  z.object({
    intentId: id,
    status: z.enum(OUTCOME_STATUSES),
    instances: z.array(
      z.object({
        instance: text,
        status: z.enum(["applied", "already_applied", "refused", "failed", "unknown"]),
        httpStatus: orUndefined(number),
        detail: text,
        durationMs: number,
        answer: orUndefined(z.record(text, z.unknown())),
      }),
    ),
    detail: text,
    at: instant,
  }),
);

export const series: Codec<SeriesState> = codec(
  "series",
  z.object({ key: id, inRisk: z.boolean(), pending: z.record(text, number) }),
);

export const lastActions: Codec<LastAction> = codec(
  "last action",
  z.object({ target: id, at: instant, bootId: text }),
);

export const documents: Codec<StoredDocument> = codec(
  "document",
  z.object({
    kind: z.enum(DOCUMENT_KINDS),
    key: id,
    body: z.unknown().refine((body) => !["undefined", "function", "symbol"].includes(typeof body), {
      error: "must be there",
    }),
  }),
);

export const notices: Codec<QuarantineNotice> = codec(
  "notice",
  z.object({ text, at: instant, bootId: text }),
);

/** Key of a document's row. */
export function documentKey({ kind, key }: Pick<StoredDocument, "kind" | "key">): string {
  return `${kind}/${key}`;
}

/** The last actions that an intent stands for: on what is called, and on the target that asked. Undoing is none. */
export function lastActionsOf(intent: Intent): LastAction[] {
  const { at, bootId } = intent;
  return isUndo(intent) ? [] : concerned(intent).map((target) => ({ target, at, bootId }));
}

/** One journal entry from its texts. */
export function decodeEntry(intent: string, outcome: string | undefined): JournalEntry {
  return {
    intent: intents.decode(intent),
    outcome: outcome === undefined ? undefined : outcomes.decode(outcome),
  };
}
