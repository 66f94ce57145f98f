import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { privateFile } from "../../../common/disk/private.ts";
import { StoreError } from "../../kernel/store.ts";
import type { Clock } from "../../kernel/time.ts";
import { SCHEMA_VERSION } from "../migrate.ts";
import * as records from "../records.ts";
import { describe, isSurroundings } from "./errors.ts";
import { headerProblem, setAside, syncDirectory } from "./file.ts";
import { inTransaction, pragma, readRow, upsertRow } from "./rows.ts";
import { checkRecords, checkTables, migrate, NewerVersionError, storedVersion } from "./schema.ts";

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
 * surroundings (full disk, no permission, locked) is thrown, and so is a newer program's journal; what is wrong with the
 * contents leads to quarantine.
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
    if (isSurroundings(error) || error instanceof NewerVersionError) throw error;
    return { problem: describe(error), epoch };
  }
}

function connect(path: string): DatabaseSync {
  privateFile(path);
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  try {
    db.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;");
    return db;
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/**
 * Throws when anything in the file is not what this program, or an older one, would have written. What an older one
 * wrote is brought to the present version, all of it or nothing.
 */
function verify(db: DatabaseSync): void {
  const version = storedVersion(db);
  // Reads every page and compares indexes with their tables; the file is small.
  const verdict = pragma(db, "integrity_check(1)");
  if (verdict !== "ok") throw new StoreError(`integrity_check: ${String(verdict).replaceAll(/\s+/g, " ")}`);
  if (pragma(db, "foreign_key_check") !== undefined) throw new StoreError("a terminal record has no intent");
  checkTables(db, version);
  storedEpoch(db);
  storedNotice(db);
  if (version === SCHEMA_VERSION) checkRecords(db);
  else upgrade(db, version);
  useWal(db);
}

function upgrade(db: DatabaseSync, version: number): void {
  try {
    inTransaction(db, () => {
      migrate(db, version);
      checkRecords(db);
    });
  } catch (error) {
    if (isSurroundings(error)) throw error;
    throw new StoreError(`it cannot go from version ${version} to ${SCHEMA_VERSION}: ${describe(error)}`);
  }
}

function useWal(db: DatabaseSync): void {
  const mode = pragma(db, "journal_mode = WAL");
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

/** Counts the epoch up by one, on disk. */
function startRun(db: DatabaseSync): { epoch: number; notice: records.QuarantineNotice | undefined } {
  try {
    const epoch = storedEpoch(db) + 1;
    inTransaction(db, () => upsertRow(db, "meta")("epoch", String(epoch)));
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
      upsertRow(db, "meta")("epoch", String(epoch));
      if (notice !== undefined) upsertRow(db, "meta")("quarantine", records.notices.encode(notice));
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
