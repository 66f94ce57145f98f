import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Intent, Outcome } from "../../kernel/action.ts";
import type {
  JournalEntry,
  LastAction,
  Persisted,
  SeriesState,
  Store,
  StoredDocument,
} from "../../kernel/store.ts";
import { StoreError } from "../../kernel/store.ts";
import type { StoreSettings } from "../records.ts";
import * as records from "../records.ts";
import { guarded, sqliteCode } from "./errors.ts";
import { prepareDirectory, takeLock } from "./file.ts";
import { checkpoint, closeQuietly, type Opened, openJournal } from "./open.ts";
import { bodyOf, checksum, inTransaction, readTable, upsertRow, type WriteRow } from "./rows.ts";

/** Settings of `openSqliteStore`. */
export interface SqliteStoreSettings extends StoreSettings {
  /** File of the journal; its directory is made when it is missing. `.lock`, `.pid`, `-wal` and `-shm` lie beside it. */
  readonly path: string;
  /** Told once, when earlier state turns out to be lost: where the damaged copy lies and why. */
  readonly onQuarantine?: ((notice: string) => void) | undefined;
}

/**
 * Opens the journal on embedded SQLite; one process at a time. The epoch is the stored one plus one, on disk before
 * this returns; a new journal, also one in place of a damaged one, begins at the wall clock's seconds.
 * Damaged files are moved to `<path>.corrupt-<wall ms>`, and `load().quarantined` says so, also after restarts within
 * `quarantineNoticeMs`. What an older program wrote is brought to the present version. Throws `StoreError`: written by a
 * newer program (nothing is changed then), directory not writable (named), in use by another monitor, disk full,
 * input/output error, bad settings.
 */
export function openSqliteStore(settings: SqliteStoreSettings): Store {
  const { path, clock, retention, onQuarantine } = settings;
  const noticeWindowMs = records.checkSettings(settings);
  prepareDirectory(path);
  const lock = takeLock(path);
  let opened: Opened | undefined;
  try {
    return guarded(`cannot open the journal ${path}`, () => {
      opened = openJournal({ path, clock, usedBefore: lock.usedBefore, onQuarantine });
      const { db } = opened;
      inTransaction(db, () => pruner(db, retention)(clock.now().wallMs));
      return new SqliteStore({ opened, settings, noticeWindowMs, release: lock.release });
    });
  } catch (error) {
    closeQuietly(opened?.db);
    lock.release();
    throw error;
  }
}

interface Statements {
  readonly insertIntent: StatementSync;
  readonly insertOutcome: StatementSync;
  readonly saveLastAction: WriteRow;
  readonly saveSeries: WriteRow;
  readonly saveDocument: WriteRow;
  readonly removeDocument: StatementSync;
  readonly entry: StatementSync;
  readonly open: StatementSync;
  readonly recent: StatementSync;
}

const ENTRIES = `SELECT i.id, i.body, i.crc, o.body AS outcome, o.crc AS outcome_crc
  FROM intents i LEFT JOIN outcomes o ON o.intent_id = i.id`;

function prepare(db: DatabaseSync): Statements {
  return {
    insertIntent: db.prepare("INSERT INTO intents (id, body, crc) VALUES (?, ?, ?)"),
    insertOutcome: db.prepare("INSERT INTO outcomes (intent_id, at_ms, body, crc) VALUES (?, ?, ?, ?)"),
    saveLastAction: upsertRow(db, "last_actions"),
    saveSeries: upsertRow(db, "series"),
    saveDocument: upsertRow(db, "documents"),
    removeDocument: db.prepare("DELETE FROM documents WHERE key = ?"),
    entry: db.prepare(`${ENTRIES} WHERE i.id = ?`),
    open: db.prepare(
      `SELECT id AS key, body, crc FROM intents
       WHERE NOT EXISTS (SELECT 1 FROM outcomes WHERE intent_id = intents.id) ORDER BY seq`,
    ),
    recent: db.prepare(`${ENTRIES} ORDER BY i.seq DESC LIMIT ?`),
  };
}

/** Removes what retention no longer covers; open intents have no outcome and are never met. */
function pruner(db: DatabaseSync, { maxEntries, maxAgeMs }: records.Retention): (wallMs: number) => void {
  const tooOld = db.prepare(
    "DELETE FROM intents WHERE id IN (SELECT intent_id FROM outcomes WHERE at_ms < ?)",
  );
  const tooMany = db.prepare(
    `DELETE FROM intents WHERE seq IN (
       SELECT i.seq FROM intents i JOIN outcomes o ON o.intent_id = i.id ORDER BY i.seq DESC LIMIT -1 OFFSET ?)`,
  );
  return (wallMs) => {
    tooMany.run(maxEntries);
    tooOld.run(wallMs - maxAgeMs);
  };
}

class SqliteStore implements Store {
  readonly epoch: number;
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #sql: Statements;
  readonly #prune: () => void;
  readonly #notice: () => string | undefined;
  readonly #release: () => void;

  constructor(from: {
    opened: Opened;
    settings: SqliteStoreSettings;
    noticeWindowMs: number;
    release: () => void;
  }) {
    const { opened, settings, noticeWindowMs } = from;
    const { db, notice } = opened;
    this.epoch = opened.epoch;
    this.#db = db;
    this.#path = settings.path;
    this.#sql = prepare(db);
    const prune = pruner(db, settings.retention);
    this.#prune = () => prune(settings.clock.now().wallMs);
    this.#notice = () =>
      notice && records.noticeStands(notice, noticeWindowMs, settings.clock) ? notice.text : undefined;
    this.#release = from.release;
  }

  load(): Persisted {
    return this.#guarded("load the state", () =>
      records.persisted({
        series: readTable(this.#db, "series").map(({ body }) => records.series.decode(body)),
        lastActions: readTable(this.#db, "last_actions").map(({ body }) => records.lastActions.decode(body)),
        openIntents: this.#sql.open
          .all()
          .map(({ key, body, crc }) => records.intents.decode(bodyOf("intents", { key, body, crc }))),
        documents: readTable(this.#db, "documents").map(({ body }) => records.documents.decode(body)),
        quarantined: this.#notice(),
      }),
    );
  }

  recordIntent(intent: Intent): void {
    this.#guarded(`record intent ${intent.id}`, () => {
      const { id, target } = intent;
      const body = records.intents.encode(intent);
      const last = records.lastActions.encode(records.lastActionOf(intent));
      inTransaction(this.#db, () => {
        unlessTaken(`intent ${id} is already recorded`, () => {
          this.#sql.insertIntent.run(id, body, checksum("intents", id, body));
        });
        if (intent.origin?.undoes === undefined) this.#sql.saveLastAction(target, last);
      });
      checkpoint(this.#db);
    });
  }

  recordCall(call: LastAction): void {
    this.#guarded(`record a call to ${call.target}`, () => {
      const body = records.lastActions.encode(call);
      inTransaction(this.#db, () => {
        this.#sql.saveLastAction(call.target, body);
      });
      checkpoint(this.#db);
    });
  }

  recordOutcome(outcome: Outcome): void {
    const { intentId } = outcome;
    this.#guarded(`record the outcome of intent ${intentId}`, () => {
      const body = records.outcomes.encode(outcome);
      inTransaction(this.#db, () => {
        unlessTaken(`intent ${intentId} is not in the journal, or already has its terminal record`, () => {
          const crc = checksum("outcomes", intentId, body);
          this.#sql.insertOutcome.run(intentId, outcome.at.wallMs, body, crc);
        });
        this.#prune();
      });
      checkpoint(this.#db);
    });
  }

  saveSeries(changed: readonly SeriesState[]): void {
    this.#guarded("save the state of series", () => {
      const rows = changed.map((state) => ({ key: state.key, body: records.series.encode(state) }));
      if (rows.length === 0) return;
      inTransaction(this.#db, () => {
        for (const { key, body } of rows) this.#sql.saveSeries(key, body);
      });
    });
  }

  saveDocuments(changed: readonly StoredDocument[]): void {
    this.#guarded("save documents", () => {
      const rows = changed.map((d) => ({
        key: records.documentKey(d),
        body: d.body === undefined ? undefined : records.documents.encode(d),
      }));
      if (rows.length === 0) return;
      inTransaction(this.#db, () => {
        for (const { key, body } of rows) {
          if (body === undefined) this.#sql.removeDocument.run(key);
          else this.#sql.saveDocument(key, body);
        }
      });
      checkpoint(this.#db);
    });
  }

  entry(id: string): JournalEntry | undefined {
    return this.#guarded(`read intent ${id}`, () => {
      const row = this.#sql.entry.get(id);
      return row && entryOf(row);
    });
  }

  recent(limit: number): readonly JournalEntry[] {
    return this.#guarded("read the journal", () =>
      this.#sql.recent.all(records.checkLimit(limit)).map(entryOf),
    );
  }

  close(): void {
    if (!this.#db.isOpen) return;
    try {
      this.#guarded("close", () => this.#db.close());
    } finally {
      this.#release();
    }
  }

  #guarded<T>(doing: string, work: () => T): T {
    if (!this.#db.isOpen) throw new StoreError("the store is closed");
    return guarded(`journal ${this.#path}: cannot ${doing}`, work);
  }
}

function entryOf(row: Readonly<Record<string, unknown>>): JournalEntry {
  const { id: key, body, crc, outcome, outcome_crc } = row;
  const intent = bodyOf("intents", { key, body, crc });
  if (outcome === null) return records.decodeEntry(intent, undefined);
  return records.decodeEntry(intent, bodyOf("outcomes", { key, body: outcome, crc: outcome_crc }));
}

/** Runs an insert; a violated key (SQLite's CONSTRAINT) leaves as `StoreError` with this message. */
function unlessTaken(message: string, insert: () => void): void {
  try {
    insert();
  } catch (error) {
    if (sqliteCode(error) === 19) throw new StoreError(message);
    throw error;
  }
}
