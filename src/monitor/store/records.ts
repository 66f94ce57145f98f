import type { InstanceOutcome, Intent, Origin, Outcome } from "../kernel/action.ts";
import { CAUSES } from "../kernel/decision.ts";
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

/** Text of an intent, checked; throws `StoreError` naming the field that cannot be stored. */
export function encodeIntent(intent: Intent): string {
  return JSON.stringify(readIntent(intent));
}

/** An intent from its text; throws `StoreError` when the text is not one. */
export function decodeIntent(text: string): Intent {
  return readIntent(parse(text, "intent"));
}

/** Text of an outcome, checked; throws `StoreError` naming the field that cannot be stored. */
export function encodeOutcome(outcome: Outcome): string {
  const checked = readOutcome(outcome);
  try {
    return JSON.stringify(checked);
  } catch (cause) {
    throw new StoreError(`outcome.instances: an answer that is not plain JSON cannot be stored`, { cause });
  }
}

/** An outcome from its text; throws `StoreError` when the text is not one. */
export function decodeOutcome(text: string): Outcome {
  return readOutcome(parse(text, "outcome"));
}

/** Text of a series' state, checked. */
export function encodeSeries(state: SeriesState): string {
  return JSON.stringify(readSeries(state));
}

/** A series' state from its text. */
export function decodeSeries(text: string): SeriesState {
  return readSeries(parse(text, "series"));
}

/** Text of a last action, checked. */
export function encodeLastAction(last: LastAction): string {
  return JSON.stringify(readLastAction(last));
}

/** A last action from its text. */
export function decodeLastAction(text: string): LastAction {
  return readLastAction(parse(text, "last action"));
}

/** Key of a document's row. */
export function documentKey({ kind, key }: Pick<StoredDocument, "kind" | "key">): string {
  return `${kind}/${key}`;
}

/** Text of a document, checked; throws `StoreError` for a body that is not plain JSON. */
export function encodeDocument(document: StoredDocument): string {
  try {
    const body = JSON.stringify(document.body);
    if (body === undefined) throw new StoreError("document.body must be there");
    const { kind, key } = readDocument(document);
    return `{"kind":${JSON.stringify(kind)},"key":${JSON.stringify(key)},"body":${body}}`;
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError(
      `document ${documentKey(document)}: a body that is not plain JSON cannot be stored`,
      {
        cause,
      },
    );
  }
}

/** A document from its text. */
export function decodeDocument(text: string): StoredDocument {
  return readDocument(parse(text, "document"));
}

/** Text of a quarantine notice. */
export function encodeNotice(notice: QuarantineNotice): string {
  return JSON.stringify(notice);
}

/** A quarantine notice from its text. */
export function decodeNotice(text: string): QuarantineNotice {
  const from = fields(parse(text, "notice"), "notice");
  return {
    text: from.text("text"),
    at: readInstant(from.any("at"), "notice.at"),
    bootId: from.text("bootId"),
  };
}

/** The last action that an intent stands for. */
export function lastActionOf(intent: Intent): LastAction {
  return { target: intent.target, at: intent.at, bootId: intent.bootId };
}

/** One journal entry from its texts. */
export function decodeEntry(intent: string, outcome: string | undefined): JournalEntry {
  return {
    intent: decodeIntent(intent),
    outcome: outcome === undefined ? undefined : decodeOutcome(outcome),
  };
}

function readIntent(value: unknown): Intent {
  const from = fields(value, "intent");
  return {
    id: from.key("id"),
    kind: from.text("kind"),
    target: from.key("target"),
    signal: from.text("signal"),
    trigger: from.oneOf("trigger", CAUSES),
    predictor: from.text("predictor"),
    ...(from.any("forecast") === undefined ? {} : { forecast: from.finite("forecast") }),
    ...(from.any("threshold") === undefined ? {} : { threshold: from.finite("threshold") }),
    ...(from.any("parameters") === undefined ? {} : { parameters: readTexts(from.any("parameters")) }),
    ...(from.any("origin") === undefined ? {} : { origin: readOrigin(from.any("origin")) }),
    epoch: from.finite("epoch"),
    at: readInstant(from.any("at"), "intent.at"),
    bootId: from.text("bootId"),
  };
}

function readTexts(value: unknown): Readonly<Record<string, string>> {
  const from = fields(value, "intent.parameters");
  return Object.fromEntries(Object.keys(from.all).map((name) => [name, from.text(name)]));
}

function readOrigin(value: unknown): Origin {
  const from = fields(value, "intent.origin");
  return {
    playbook: from.text("playbook"),
    run: from.key("run"),
    step: from.finite("step"),
    ...(from.any("alert") === undefined ? {} : { alert: from.key("alert") }),
    ...(from.any("undoes") === undefined ? {} : { undoes: from.key("undoes") }),
  };
}

function readOutcome(value: unknown): Outcome {
  const from = fields(value, "outcome");
  return {
    intentId: from.key("intentId"),
    status: from.oneOf("status", [
      "applied",
      "partial",
      "refused",
      "failed",
      "unknown",
      "expired",
      "dropped",
    ]),
    instances: from.list("instances").map(readInstance),
    detail: from.text("detail"),
    at: readInstant(from.any("at"), "outcome.at"),
  };
}

function readInstance(value: unknown, index: number): InstanceOutcome {
  const from = fields(value, `outcome.instances[${index}]`);
  const answer = from.any("answer");
  return {
    instance: from.text("instance"),
    status: from.oneOf("status", ["applied", "already_applied", "refused", "failed", "unknown"]),
    httpStatus: from.any("httpStatus") === undefined ? undefined : from.finite("httpStatus"),
    detail: from.text("detail"),
    durationMs: from.finite("durationMs"),
    answer: answer === undefined ? undefined : fields(answer, `outcome.instances[${index}].answer`).all,
  };
}

function readSeries(value: unknown): SeriesState {
  const from = fields(value, "series");
  const counts = fields(from.any("pending"), "series.pending");
  return {
    key: from.key("key"),
    inRisk: from.flag("inRisk"),
    pending: Object.fromEntries(
      Object.keys(counts.all).map((predictor) => [predictor, counts.finite(predictor)]),
    ),
  };
}

function readDocument(value: unknown): StoredDocument {
  const from = fields(value, "document");
  if (from.any("body") === undefined) throw new StoreError("document.body must be there");
  return { kind: from.oneOf("kind", DOCUMENT_KINDS), key: from.key("key"), body: from.any("body") };
}

function readLastAction(value: unknown): LastAction {
  const from = fields(value, "last action");
  return {
    target: from.key("target"),
    at: readInstant(from.any("at"), "last action.at"),
    bootId: from.text("bootId"),
  };
}

function readInstant(value: unknown, name: string): Instant {
  const from = fields(value, name);
  return { wallMs: from.finite("wallMs"), monoMs: from.finite("monoMs") };
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StoreError(`the stored ${name} is not JSON`, { cause });
  }
}

/** Typed access to the fields of a value that may be anything; every miss throws `StoreError` naming the field. */
function fields(value: unknown, name: string) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new StoreError(`${name} must be an object`);
  }
  const all = value as Readonly<Record<string, unknown>>;
  const text = (field: string): string => {
    const found = all[field];
    if (typeof found !== "string") throw new StoreError(`${name}.${field} must be text`);
    return found;
  };
  return {
    all,
    any: (field: string): unknown => all[field],
    text,
    /** Text that identifies a row: it must survive UTF-8 and C strings unchanged. */
    key: (field: string): string => {
      const found = text(field);
      if (found === "" || !found.isWellFormed() || found.includes("\0")) {
        throw new StoreError(`${name}.${field} must be non-empty Unicode text without NUL`);
      }
      return found;
    },
    finite: (field: string): number => {
      const found = all[field];
      if (typeof found !== "number" || !Number.isFinite(found)) {
        throw new StoreError(`${name}.${field} must be a finite number, is ${String(found)}`);
      }
      return found;
    },
    flag: (field: string): boolean => {
      const found = all[field];
      if (typeof found !== "boolean") throw new StoreError(`${name}.${field} must be true or false`);
      return found;
    },
    list: (field: string): readonly unknown[] => {
      const found = all[field];
      if (!Array.isArray(found)) throw new StoreError(`${name}.${field} must be a list`);
      return found;
    },
    oneOf: <T extends string>(field: string, allowed: readonly T[]): T => {
      const found = allowed.find((one) => one === all[field]);
      if (found === undefined) {
        throw new StoreError(
          `${name}.${field} must be one of ${allowed.join(", ")}, is ${String(all[field])}`,
        );
      }
      return found;
    },
  };
}
