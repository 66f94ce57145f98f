import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../kernel/store.ts";
import type { Clock } from "../../kernel/time.ts";
import * as records from "../records.ts";
import { describe, isSurroundings } from "./errors.ts";
import { headerProblem, setAside, syncDirectory } from "./file.ts";
import { checksum, inTransaction, readRow, readTable, upsert } from "./rows.ts";
import {
  APPLICATION_ID,
  expectedSchema,
  migrate,
  pragmaNumber,
  SCHEMA_VERSION,
  schemaText,
} from "./schema.ts";

/** How long a call waits for an operator's tool that reads or copies the file, milliseconds. */
const BUSY_TIMEOUT_MS = 2_000;

/** A connection to a sound journal, with the epoch of this run already on disk. */
export interface Opened {
  readonly db: DatabaseSync;
  readonly epoch: number;
  readonly notice: records.QuarantineNotice | undefined;
}

/** Where to open, and what an earlier run left beside it. */
export interface OpenRequest {
  readonly path: string;
  readonly clock: Clock;
  readonly usedBefore: boolean;
  readonly onQuarantine: ((notice: string) => void) | undefined;
}

/**
 * Opens the journal, or starts a new one in place of a damaged one. Call it with the lock held. What is wrong with the
 * surroundings (full disk, no permission, locked) is thrown; what is wrong with the contents leads to quarantine.
 */
export function openJournal({ path, clock, usedBefore, onQuarantine }: OpenRequest): Opened {
  if (!existsSync(path)) {
    // The lock file outlives the journal: without a journal beside it, state has been lost.
    const lost = usedBefore ? `the journal ${path} is gone although an earlier run used it` : undefined;
    // A write-ahead log without its journal would be replayed into the new one.
    const orphan = existsSync(`${path}-wal`)
      ? `; its log was moved to ${setAside(path, clock.now().wallMs)}-wal`
      : "";
    return startFresh({ path, clock, onQuarantine, lost: lost && lost + orphan, leastEpoch: 1 });
  }
  const found = inspect(path);
  if (found.problem === undefined) return { ...startRun(found.db), db: found.db };
  const place = setAside(path, clock.now().wallMs);
  const lost = `the journal ${path} could not be read (${found.problem}) and was moved to ${place}`;
  return startFresh({ path, clock, onQuarantine, lost, leastEpoch: (found.epoch ?? 0) + 1 });
}

type Inspection =
  | { readonly problem: undefined; readonly db: DatabaseSync }
  | { readonly problem: string; readonly epoch: number | undefined };

function inspect(path: string): Inspection {
  const header = headerProblem(path);
  if (header !== undefined) return { problem: header, epoch: undefined };
  let db: DatabaseSync | undefined;
  try {
    db = connect(path);
    verify(db);
    return { problem: undefined, db };
  } catch (error) {
    const epoch = db && salvageEpoch(db);
    closeQuietly(db);
    if (isSurroundings(error)) throw error;
    return { problem: describe(error), epoch };
  }
}

function connect(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  try {
    db.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;");
    return db;
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/** Throws when anything in the file is not what this program would have written. */
function verify(db: DatabaseSync): void {
  const version = pragmaNumber(db, "user_version");
  if (pragmaNumber(db, "application_id") !== APPLICATION_ID || version < 1) {
    throw new StoreError("it is not a journal of this program");
  }
  if (version > SCHEMA_VERSION) {
    throw new StoreError(`its schema version ${version} is newer than this program's ${SCHEMA_VERSION}`);
  }
  // quick_check reads every page; the full check also compares indexes with their tables, and the file is small.
  for (const check of ["quick_check", "integrity_check"]) {
    const verdict = Object.values(db.prepare(`PRAGMA ${check}(1)`).get() ?? {})[0];
    if (verdict !== "ok") throw new StoreError(`${check}: ${String(verdict).replaceAll(/\s+/g, " ")}`);
  }
  if (db.prepare("PRAGMA foreign_key_check").get() !== undefined) {
    throw new StoreError("a terminal record has no intent");
  }
  if (schemaText(db) !== expectedSchema(version)) throw new StoreError("its schema is damaged");
  if (version < SCHEMA_VERSION) inTransaction(db, () => migrate(db, version));
  for (const { body } of readTable(db, "intents")) records.intents.decode(body);
  verifyOutcomes(db);
  for (const { body } of readTable(db, "series")) records.series.decode(body);
  for (const { body } of readTable(db, "last_actions")) records.lastActions.decode(body);
  for (const { body } of readTable(db, "documents")) records.documents.decode(body);
  storedEpoch(db);
  storedNotice(db);
  useWal(db);
}

/** The time that retention goes by is a copy of the record's, without a checksum of its own. */
function verifyOutcomes(db: DatabaseSync): void {
  const times = db.prepare("SELECT at_ms FROM outcomes WHERE intent_id = ?");
  for (const { key, body } of readTable(db, "outcomes")) {
    if (times.get(key)?.at_ms !== records.outcomes.decode(body).at.wallMs) {
      throw new StoreError(`the time of the outcome ${JSON.stringify(key)} is not that of its record`);
    }
  }
}

function useWal(db: DatabaseSync): void {
  const mode = Object.values(db.prepare("PRAGMA journal_mode = WAL").get() ?? {})[0];
  if (mode !== "wal")
    throw new StoreError(`the write-ahead log cannot be used (journal_mode ${String(mode)})`);
}

function storedEpoch(db: DatabaseSync): number {
  const epoch = Number(readRow(db, "meta", "epoch"));
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw new StoreError("it holds no epoch");
  return epoch;
}

function storedNotice(db: DatabaseSync): records.QuarantineNotice | undefined {
  const body = readRow(db, "meta", "quarantine");
  return body === undefined ? undefined : records.notices.decode(body);
}

/** The epoch of a damaged journal, if that row at least can be trusted. */
function salvageEpoch(db: DatabaseSync): number | undefined {
  try {
    return storedEpoch(db);
  } catch {
    return undefined;
  }
}

function writeMeta(db: DatabaseSync, key: string, body: string): void {
  upsert(db, "meta").run(key, body, checksum("meta", key, body));
}

/** Counts the epoch up by one, on disk. */
function startRun(db: DatabaseSync): { epoch: number; notice: records.QuarantineNotice | undefined } {
  try {
    const epoch = storedEpoch(db) + 1;
    inTransaction(db, () => writeMeta(db, "epoch", String(epoch)));
    checkpoint(db);
    return { epoch, notice: storedNotice(db) };
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/**
 * A new journal. Its first epoch is the wall clock's seconds: openings are rarer than one a second, so it lies above
 * every epoch that a lost journal can have reached, unless the wall clock has been set back since that one began.
 */
function startFresh(from: {
  path: string;
  clock: Clock;
  onQuarantine: ((notice: string) => void) | undefined;
  lost: string | undefined;
  leastEpoch: number;
}): Opened {
  const { path, clock, lost } = from;
  const now = clock.now();
  const epoch = Math.max(records.firstEpoch(now), from.leastEpoch);
  const notice = lost === undefined ? undefined : { text: lost, at: now, bootId: clock.bootId };
  const db = connect(path);
  try {
    useWal(db);
    inTransaction(db, () => {
      migrate(db, 0);
      writeMeta(db, "epoch", String(epoch));
      if (notice !== undefined) writeMeta(db, "quarantine", records.notices.encode(notice));
    });
    checkpoint(db);
    syncDirectory(path);
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
  if (lost !== undefined) from.onQuarantine?.(lost);
  return { db, epoch, notice };
}

/**
 * Moves what is committed from the write-ahead log into the database and empties the log. SQLite drops a damaged log
 * without a word; so that no journal row is ever only there, this follows every write of one. It is no part of the
 * promise to be on disk, which the commit has kept: when it fails, the next one makes up for it.
 */
export function checkpoint(db: DatabaseSync): void {
  try {
    db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  } catch {
    // See above: the committed log is still there.
  }
}

/** Closes a connection whose state no longer matters. */
export function closeQuietly(db: DatabaseSync | undefined): void {
  try {
    if (db?.isOpen) db.close();
  } catch {
    // Nothing was promised.
  }
}
