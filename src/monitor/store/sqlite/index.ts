import type { DatabaseSync } from "node:sqlite";
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
import { bodyOf, checksum, inTransaction, readTable, type Table, upsertRow } from "./rows.ts";

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
      const { db, notice } = opened;
      const prune = pruner(db, { clock, retention });
      inTransaction(db, prune);
      const standing = () =>
        notice && records.noticeStands(notice, noticeWindowMs, clock) ? notice.text : undefined;
      return new SqliteStore({ opened, path, prune, notice: standing, release: lock.release });
    });
  } catch (error) {
    closeQuietly(opened?.db);
    lock.release();
    throw error;
  }
}

const ENTRIES = `SELECT i.id AS key, i.body, i.crc, o.body AS outcome, o.crc AS outcome_crc
  FROM intents i LEFT JOIN outcomes o ON o.intent_id = i.id`;

function prepare(db: DatabaseSync) {
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
function pruner(db: DatabaseSync, { clock, retention }: StoreSettings): () => void {
  const tooOld = db.prepare(
    "DELETE FROM intents WHERE id IN (SELECT intent_id FROM outcomes WHERE at_ms < ?)",
  );
  const tooMany = db.prepare(
    `DELETE FROM intents WHERE seq IN (
       SELECT i.seq FROM intents i JOIN outcomes o ON o.intent_id = i.id ORDER BY i.seq DESC LIMIT -1 OFFSET ?)`,
  );
  return () => {
    tooMany.run(retention.maxEntries);
    tooOld.run(clock.now().wallMs - retention.maxAgeMs);
  };
}

class SqliteStore implements Store {
  readonly epoch: number;
  readonly #db: DatabaseSync;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #path: string;
  readonly #prune: () => void;
  readonly #notice: () => string | undefined;
  readonly #release: () => void;

  constructor(from: {
    opened: Opened;
    path: string;
    prune: () => void;
    notice: () => string | undefined;
    release: () => void;
  }) {
    const { db, epoch } = from.opened;
    this.epoch = epoch;
    this.#db = db;
    this.#sql = prepare(db);
    this.#path = from.path;
    this.#prune = from.prune;
    this.#notice = from.notice;
    this.#release = from.release;
  }

  load(): Persisted {
    const db = this.#db;
    const all = <T>(table: Table, { decode }: records.Codec<T>) =>
      [...readTable(db, table)].map(({ body }) => decode(body));
    return this.#guarded("load the state", () =>
      records.persisted({
        series: all("series", records.series),
        lastActions: all("last_actions", records.lastActions),
        openIntents: this.#sql.open.all().map((row) => records.intents.decode(bodyOf("intents", row))),
        documents: all("documents", records.documents),
        quarantined: this.#notice(),
      }),
    );
  }

  recordIntent(intent: Intent): void {
    const { id, origin } = intent;
    this.#write(`record intent ${id}`, () => {
      const body = records.intents.encode(intent);
      unlessTaken(`intent ${id} is already recorded`, () => {
        this.#sql.insertIntent.run(id, body, checksum("intents", id, body));
      });
      if (origin?.undoes === undefined) this.#saveLastAction(records.lastActionOf(intent));
    });
  }

  recordCall(call: LastAction): void {
    this.#write(`record a call to ${call.target}`, () => this.#saveLastAction(call));
  }

  recordOutcome(outcome: Outcome): void {
    const { intentId, at } = outcome;
    this.#write(`record the outcome of intent ${intentId}`, () => {
      const body = records.outcomes.encode(outcome);
      unlessTaken(`intent ${intentId} is not in the journal, or already has its terminal record`, () => {
        this.#sql.insertOutcome.run(intentId, at.wallMs, body, checksum("outcomes", intentId, body));
      });
      this.#prune();
    });
  }

  saveSeries(changed: readonly SeriesState[]): void {
    const save = () => {
      for (const state of changed) this.#sql.saveSeries(state.key, records.series.encode(state));
    };
    // Not worth a checkpoint: what a damaged log took of it is learnt again.
    this.#guarded("save the state of series", () => changed.length > 0 && inTransaction(this.#db, save));
  }

  saveDocuments(changed: readonly StoredDocument[]): void {
    if (changed.length === 0 && this.#db.isOpen) return;
    this.#write("save documents", () => {
      for (const document of changed) {
        const key = records.documentKey(document);
        if (document.body === undefined) this.#sql.removeDocument.run(key);
        else this.#sql.saveDocument(key, records.documents.encode(document));
      }
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

  #saveLastAction(last: LastAction): void {
    this.#sql.saveLastAction(last.target, records.lastActions.encode(last));
  }

  /** All of it or nothing, on disk when it returns. */
  #write(doing: string, work: () => void): void {
    this.#guarded(doing, () => inTransaction(this.#db, work));
    checkpoint(this.#db);
  }

  #guarded<T>(doing: string, work: () => T): T {
    if (!this.#db.isOpen) throw new StoreError("the store is closed");
    return guarded(`journal ${this.#path}: cannot ${doing}`, work);
  }
}

function entryOf({ outcome, outcome_crc: crc, ...intent }: Readonly<Record<string, unknown>>): JournalEntry {
  const body = outcome === null ? undefined : bodyOf("outcomes", { key: intent.key, body: outcome, crc });
  return records.decodeEntry(bodyOf("intents", intent), body);
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
