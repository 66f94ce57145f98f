import { renameSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { privateFile, privateFolder } from "../../common/disk/private.ts";

/** What an admin call answered. */
export type Answer = Readonly<Record<string, unknown>>;

/** One admin call that carried an idempotency key. */
export interface LedgerEntry {
  readonly key: string;
  /** The call with its query, e.g. `POST /admin/fault?mode=leak&kb=50`. */
  readonly call: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly atMs: number;
  /** Undefined: begun, and the process ended before the effect was recorded. */
  readonly answer: Answer | undefined;
}

/** Entries older than this are forgotten, milliseconds. */
export const LEDGER_MAX_AGE_MS = 24 * 3_600_000;
/** At most so many entries are kept; the oldest go first. */
const LEDGER_MAX_ENTRIES = 10_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, call TEXT NOT NULL, at_ms INTEGER NOT NULL, answer TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS calls_by_age ON calls (at_ms);
  CREATE TABLE IF NOT EXISTS fence (id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL) STRICT;
`;

/** The file is in use by another process: two processes must not share one ledger. */
class LedgerInUseError extends Error {
  override readonly name = "LedgerInUseError";
}

/**
 * Durable record of the admin calls that carried a key, and of the highest epoch seen. Every write is on disk when
 * the method returns (WAL, `synchronous=FULL`). Bounded by age and by count.
 */
export class Ledger {
  readonly #db: DatabaseSync;
  readonly #maxEntries: number;

  /**
   * Opens or creates the file. A file that is not a sound database is set aside as `FILE.corrupt-MS` and
   * `onQuarantine` is told. Throws `LedgerInUseError` when another process holds it.
   */
  constructor(options: {
    readonly file: string;
    readonly nowMs: number;
    readonly maxEntries?: number;
    readonly onQuarantine?: (setAside: string, reason: string) => void;
  }) {
    privateFolder(dirname(options.file));
    this.#maxEntries = options.maxEntries ?? LEDGER_MAX_ENTRIES;
    this.#db = openSound(options);
  }

  /** The entry of a key, unless it is older than 24 hours at `nowMs`. */
  find(key: string, nowMs: number): LedgerEntry | undefined {
    const row = this.#db
      .prepare("SELECT key, call, at_ms, answer FROM calls WHERE key = ? AND at_ms > ?")
      .get(key, Math.floor(nowMs - LEDGER_MAX_AGE_MS));
    if (row === undefined) return undefined;
    return {
      key: String(row.key),
      call: String(row.call),
      atMs: Number(row.at_ms),
      answer: row.answer === null ? undefined : (JSON.parse(String(row.answer)) as Answer),
    };
  }

  /** Writes down that a call is about to take effect. Replaces an entry that was only begun. */
  begin(entry: { readonly key: string; readonly call: string; readonly atMs: number }): void {
    this.#transaction(() => {
      this.#db
        .prepare("INSERT OR REPLACE INTO calls (key, call, at_ms, answer) VALUES (?, ?, ?, NULL)")
        .run(entry.key, entry.call, Math.floor(entry.atMs));
      this.#db.prepare("DELETE FROM calls WHERE at_ms <= ?").run(Math.floor(entry.atMs - LEDGER_MAX_AGE_MS));
      this.#db
        .prepare(
          "DELETE FROM calls WHERE key IN (SELECT key FROM calls ORDER BY at_ms DESC, rowid DESC LIMIT -1 OFFSET ?)",
        )
        .run(this.#maxEntries);
    });
  }

  /** Writes down that the call took effect, and what it answers. */
  finish(key: string, answer: Answer): void {
    this.#db.prepare("UPDATE calls SET answer = ? WHERE key = ?").run(JSON.stringify(answer), key);
  }

  /** Forgets a call that was begun and had no effect. */
  abandon(key: string): void {
    this.#db.prepare("DELETE FROM calls WHERE key = ? AND answer IS NULL").run(key);
  }

  /** Highest epoch seen; undefined before the first. */
  epoch(): number | undefined {
    const row = this.#db.prepare("SELECT epoch FROM fence WHERE id = 1").get();
    return row === undefined ? undefined : Number(row.epoch);
  }

  /** Raises the highest epoch seen; a lower one changes nothing. */
  raiseEpoch(epoch: number): void {
    this.#db
      .prepare(
        "INSERT INTO fence (id, epoch) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
      )
      .run(epoch);
  }

  /** Entries kept at present. */
  count(): number {
    return Number(this.#db.prepare("SELECT count(*) AS n FROM calls").get()?.n);
  }

  close(): void {
    this.#db.close();
  }

  #transaction(work: () => void): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }
}

function openSound(options: {
  readonly file: string;
  readonly nowMs: number;
  readonly onQuarantine?: (setAside: string, reason: string) => void;
}): DatabaseSync {
  try {
    return openDatabase(options.file);
  } catch (error) {
    if (!isCorruption(error)) throw error;
    const setAside = `${options.file}.corrupt-${Math.floor(options.nowMs)}`;
    renameSync(options.file, setAside);
    for (const suffix of ["-wal", "-shm"]) {
      try {
        renameSync(`${options.file}${suffix}`, `${setAside}${suffix}`);
      } catch (missing) {
        if ((missing as NodeJS.ErrnoException).code !== "ENOENT") throw missing;
      }
    }
    options.onQuarantine?.(setAside, (error as Error).message);
    return openDatabase(options.file);
  }
}

function openDatabase(file: string): DatabaseSync {
  privateFile(file);
  const db = new DatabaseSync(file);
  try {
    db.exec(
      "PRAGMA busy_timeout=1000; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    );
    const check = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (check !== "ok") throw new CorruptLedger(`quick_check says ${String(check)}`);
    db.exec(SCHEMA);
    return db;
  } catch (error) {
    db.close();
    if (sqliteCode(error) !== SQLITE_BUSY) throw error;
    throw new LedgerInUseError(
      `${file} is in use by another process; give each instance a data directory of its own (HELIUS_DATA_DIR)`,
      { cause: error },
    );
  }
}

class CorruptLedger extends Error {}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function isCorruption(error: unknown): boolean {
  const code = sqliteCode(error);
  return error instanceof CorruptLedger || code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** Primary result code: the low byte of the extended one. */
function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}
