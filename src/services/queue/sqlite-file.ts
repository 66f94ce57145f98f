import { renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { privateFile, privateFolder } from "../../common/disk/private.ts";

/** The database is in use by another process: two processes must not share one queue file. */
class QueueInUseError extends Error {
  override readonly name = "QueueInUseError";
}

/**
 * Opens or creates a database whose commits are on disk when they return (WAL, `synchronous=FULL`), for this process
 * alone. A file that is not a sound database is set aside as `FILE.corrupt-MS` and `onQuarantine` is told.
 *
 * Throws `QueueInUseError` when another process holds the file.
 */
export function openDurable(options: {
  readonly file: string;
  readonly schema: string;
  readonly nowMs: number;
  readonly onQuarantine?: ((setAside: string, reason: string) => void) | undefined;
}): DatabaseSync {
  privateFolder(dirname(options.file));
  try {
    return open(options.file, options.schema);
  } catch (error) {
    const code = (error as { errcode?: number }).errcode ?? 0;
    if (isBusy(code))
      throw new QueueInUseError(`${options.file} is in use by another process`, { cause: error });
    if (!isDamaged(code)) throw error;
    const setAside = `${options.file}.corrupt-${Math.floor(options.nowMs)}`;
    renameSync(options.file, setAside);
    for (const suffix of ["-wal", "-shm"]) rmSync(options.file + suffix, { force: true });
    options.onQuarantine?.(setAside, (error as Error).message);
    return open(options.file, options.schema);
  }
}

function open(file: string, schema: string): DatabaseSync {
  privateFile(file);
  const db = new DatabaseSync(file);
  try {
    db.exec("PRAGMA busy_timeout = 2000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;");
    db.exec("PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;");
    db.exec(schema);
    // Takes the exclusive lock now, not at the first write.
    db.exec("BEGIN IMMEDIATE; COMMIT;");
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function isBusy(code: number): boolean {
  return (code & 0xff) === SQLITE_BUSY;
}

function isDamaged(code: number): boolean {
  return (code & 0xff) === SQLITE_CORRUPT || (code & 0xff) === SQLITE_NOTADB;
}

/** Runs `work` in one transaction; rolls back and throws on when it throws. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
