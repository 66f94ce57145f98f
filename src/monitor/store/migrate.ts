import type { DocumentKind } from "../kernel/store.ts";

/** What a migration may change: the records of a table, or the documents of a kind. */
export type RecordKind = "intents" | "outcomes" | "last_actions" | "series" | DocumentKind;

/** What one version of the journal changed. */
interface Version {
  /** New tables. */
  readonly sql?: string;
  /**
   * Fields with a new name: kind of record, path of the old name (`*` stands for every key or position), new name.
   * Where the old name is absent, nothing changes.
   */
  readonly renamed?: readonly (readonly [kind: RecordKind, path: string, to: string])[];
  /** What is not only renamed, after `renamed`. */
  readonly changed?: Partial<Record<RecordKind, (record: unknown) => unknown>>;
}

/**
 * Every version, from 1. Once released, one is never edited. To rename or change what is kept: a line to the newest
 * version while it is unreleased, else a new one; `test/store/upgrade.test.ts` opens what older programs wrote.
 * Every row carries its record as JSON and the CRC-32 of its place and text: SQLite pages have no checksum of their own.
 * The primary key of `outcomes` is what allows one terminal record an intent. `meta` stays as it is for good: any program
 * reads in it which version the file has.
 */
const VERSIONS: readonly Version[] = [
  {
    sql: `CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
   CREATE TABLE intents (
     seq INTEGER PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, crc INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE outcomes (
     intent_id TEXT PRIMARY KEY NOT NULL REFERENCES intents (id) ON DELETE CASCADE,
     at_ms REAL NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE last_actions (target TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
   CREATE TABLE series (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;`,
  },
  {
    sql: `CREATE TABLE documents (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;`,
  },
  {
    renamed: [
      ["intents", "witness", "predictor"],
      ["run", "witness", "predictor"],
      ["run", "steps.*.undoTries", "undoAttempts"],
      ["verification", "toldMonoMs", "notifiedMonoMs"],
      ["verification", "targets.*.tries", "attempts"],
      ["verification", "targets.*.escalation.tries", "attempts"],
      ["verification", "ended.*.escalation.tries", "attempts"],
      ["alert", "heardAt", "receivedAt"],
    ],
  },
];

/** The newest version that this program knows. */
export const SCHEMA_VERSION = VERSIONS.length;

/** What makes the tables of `version` out of those of `from`. */
export function sqlBetween(from: number, version: number): string {
  return VERSIONS.slice(from, version)
    .map(({ sql = "" }) => sql)
    .join("\n");
}

/** A record as version `from` wrote it, as the newest version writes it. */
export function migrateRecord(kind: RecordKind, record: unknown, from: number): unknown {
  let next = record;
  for (const { renamed = [], changed = {} } of VERSIONS.slice(from)) {
    for (const [of, path, to] of renamed) if (of === kind) next = rename(next, path.split("."), to);
    next = changed[kind]?.(next) ?? next;
  }
  return next;
}

function rename(value: unknown, [step, ...rest]: readonly string[], to: string): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return step === "*" ? value.map((inner) => rename(inner, rest, to)) : value;
  const fields = Object.entries(value).map(([key, inner]) => {
    if (step !== "*" && step !== key) return [key, inner];
    return rest.length === 0 ? [to, inner] : [key, rename(inner, rest, to)];
  });
  return Object.fromEntries(fields);
}
