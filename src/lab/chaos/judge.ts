import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { LogLine } from "../../../test/e2e/kit/process.ts";
import type { Intent, Outcome } from "../../monitor/kernel/action.ts";

/** Intents and outcomes by the id of the intent. */
export interface Journal {
  readonly intents: ReadonlyMap<string, Intent>;
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** A monitor's journal as it lies on disk, whether or not a monitor is at work on it. */
export function readJournal(dataDir: string): Journal {
  return lookInto(join(dataDir, "monitor.db"), (db) => {
    const read = <T>(sql: string) =>
      new Map(
        db
          .prepare(sql)
          .all()
          .map((row) => [String(row.id), JSON.parse(String(row.body)) as T]),
      );
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'intents'").get() === undefined)
      return { intents: new Map(), outcomes: new Map() };
    return {
      intents: read<Intent>("SELECT id, body FROM intents"),
      outcomes: read<Outcome>("SELECT intent_id AS id, body FROM outcomes"),
    };
  });
}

/** What a service's own ledger says of each key: whether it has answered. */
export function readLedger(file: string): ReadonlyMap<string, boolean> {
  return lookInto(file, (db) => {
    const rows = db.prepare("SELECT key, answer FROM calls").all();
    return new Map(rows.map((row) => [String(row.key), row.answer !== null]));
  });
}

/** Opens a copy: opening a file after a crash repairs it, and the judge must change nothing. */
function lookInto<T>(file: string, read: (db: DatabaseSync) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "helius-judge-"));
  const copy = join(folder, "copy.db");
  try {
    for (const suffix of ["", "-wal"])
      if (existsSync(file + suffix)) copyFileSync(file + suffix, copy + suffix);
    const db = new DatabaseSync(copy);
    try {
      return read(db);
    } finally {
      db.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Everything known of one monitor and its service, over all its lives. */
export interface Evidence {
  /** Lines of effects that the service itself wrote. */
  readonly effects: readonly LogLine[];
  readonly ledger: ReadonlyMap<string, boolean>;
  /** Rows that were on disk after some crash. */
  readonly seen: { readonly intents: ReadonlySet<string>; readonly outcomes: ReadonlySet<string> };
  /** After the last, orderly, stop. */
  readonly journal: Journal;
  readonly dataDir: string;
  /** Cooldown of each target, milliseconds. */
  readonly cooldownMs: (target: string) => number;
}

export interface Judgement {
  readonly duplicateEffects: number;
  readonly lostRecords: number;
  readonly violations: readonly string[];
}

/** Holds the promises against what the service did and what the journal says. */
export function judge(evidence: Evidence): Judgement {
  const { effects, ledger, seen, journal } = evidence;
  const byKey = new Map<string, number>();
  for (const line of effects) {
    const key = String(line.idempotency_key);
    byKey.set(key, (byKey.get(key) ?? 0) + 1);
  }
  const duplicates = [...byKey].filter(([, count]) => count > 1);
  const lost = [
    ...[...byKey.keys()]
      .filter((key) => !journal.intents.has(key))
      .map((key) => `effect ${key} has no intent`),
    ...[...seen.intents]
      .filter((id) => !journal.intents.has(id))
      .map((id) => `intent ${id} was on disk and is gone`),
    ...[...seen.outcomes]
      .filter((id) => !journal.outcomes.has(id))
      .map((id) => `the outcome of ${id} was on disk and is gone`),
    ...[...journal.intents.keys()]
      .filter((id) => !journal.outcomes.has(id))
      .map((id) => `intent ${id} has no terminal record`),
    ...[...journal.outcomes.values()].flatMap((o) => contradiction(o, byKey.has(o.intentId), ledger)),
  ];
  const quarantined = readdirSync(evidence.dataDir).filter((name) => name.includes("corrupt"));
  return {
    duplicateEffects: duplicates.reduce((sum, [, count]) => sum + count - 1, 0),
    lostRecords: lost.length,
    violations: [
      ...duplicates.map(([key, count]) => `${count} effects under key ${key}`),
      ...lost,
      ...tooSoon(effects, evidence),
      ...quarantined.map((name) => `the journal was set aside as ${name}`),
    ],
  };
}

/** A record that says other than what the service did. */
function contradiction(
  { intentId, status, detail }: Outcome,
  effect: boolean,
  ledger: ReadonlyMap<string, boolean>,
): string[] {
  if (status === "applied" && !effect) return [`${intentId} is recorded as applied and had no effect`];
  if (status !== "applied" && status !== "unknown" && effect)
    return [`${intentId} is recorded as ${status} (${detail}) and had an effect`];
  if (effect && ledger.get(intentId) !== true)
    return [`the service's ledger does not know the effect ${intentId}`];
  return [];
}

/** Two effects on one target within its cooldown, whatever their keys; on the service's clock, which is never faked. */
function tooSoon(effects: readonly LogLine[], { journal, cooldownMs }: Evidence): string[] {
  const last = new Map<string, number>();
  const found: string[] = [];
  for (const line of effects) {
    const target = journal.intents.get(String(line.idempotency_key))?.target;
    if (target === undefined) continue;
    const atMs = Date.parse(String(line.ts));
    const sinceMs = atMs - (last.get(target) ?? Number.NEGATIVE_INFINITY);
    // The journal counts from the call, the service from its arrival: a slow first and a quick second call come closer.
    if (sinceMs < 0.5 * cooldownMs(target))
      found.push(`${target} was acted on twice within ${sinceMs} ms, cooldown ${cooldownMs(target)} ms`);
    last.set(target, atMs);
  }
  return found;
}
