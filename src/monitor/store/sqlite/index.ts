import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { NO_SETTINGS } from "../../../common/settings/fields.ts";
import { type JournalEntry, type LastAction, type Store, StoreError } from "../../kernel/store.ts";
import type { StoreSettings } from "../records.ts";
import * as records from "../records.ts";
import type { StorePlugin } from "../shared/context.ts";
import { guarded, sqliteCode } from "./errors.ts";
import { prepareDirectory, takeLock } from "./file.ts";
import { checkpoint, closeQuietly, type Opened, openJournal } from "./open.ts";
import { bodyOf, checksum, inTransaction, readTable, type Table, upsertRow } from "./rows.ts";

export const sqlite: StorePlugin = {
  kind: "sqlite",
  docs: { summary: "one file, `monitor.db` in the data folder: all is on disk before a call is made" },
  settings: NO_SETTINGS,
  metrics: [],
  create: ({ dataDir, ...context }) => openSqliteStore({ ...context, path: join(dataDir, "monitor.db") }),
};

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
  const { path, clock, onQuarantine } = settings;
  const noticeWindowMs = records.checkSettings(settings);
  prepareDirectory(path);
  const lock = takeLock(path);
  let opened: Opened | undefined;
  try {
    return guarded(`cannot open the journal ${path}`, () => {
      opened = openJournal({ path, clock, usedBefore: lock.usedBefore, onQuarantine });
      const { db, epoch, notice } = opened;
      const prune = pruner(db, settings);
      inTransaction(db, prune);
      const run = runner(db, path);
      const standing = () =>
        notice && records.noticeStands(notice, noticeWindowMs, clock) ? notice.text : undefined;
      const journal = { db, sql: prepare(db), prune, notice: standing, run };
      const close = () => {
        if (!db.isOpen) return;
        try {
          run("close", () => db.close());
        } finally {
          lock.release();
        }
      };
      return { epoch, ...reading(journal), ...writing(journal), close };
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

/** An open journal, and how anything is done on it. */
interface Journal {
  readonly db: DatabaseSync;
  readonly sql: ReturnType<typeof prepare>;
  readonly prune: () => void;
  readonly notice: () => string | undefined;
  /** Whatever goes wrong leaves as `StoreError`. */
  readonly run: <T>(doing: string, work: () => T) => T;
}

function runner(db: DatabaseSync, path: string): Journal["run"] {
  return (doing, work) => {
    if (!db.isOpen) throw new StoreError("the store is closed");
    return guarded(`journal ${path}: cannot ${doing}`, work);
  };
}

function reading({ db, sql, notice, run }: Journal): Pick<Store, "load" | "entry" | "recent"> {
  const all = <T>(table: Table, { decode }: records.Codec<T>) =>
    [...readTable(db, table)].map(({ body }) => decode(body));
  return {
    load: () =>
      run("load the state", () =>
        records.persisted({
          series: all("series", records.series),
          lastActions: all("last_actions", records.lastActions),
          openIntents: sql.open.all().map((row) => records.intents.decode(bodyOf("intents", row))),
          documents: all("documents", records.documents),
          quarantined: notice(),
        }),
      ),
    entry: (id) =>
      run(`read intent ${id}`, () => {
        const row = sql.entry.get(id);
        return row && entryOf(row);
      }),
    recent: (limit) => run("read the journal", () => sql.recent.all(records.checkLimit(limit)).map(entryOf)),
  };
}

function writing({
  db,
  sql,
  prune,
  run,
}: Journal): Omit<Store, "epoch" | "load" | "entry" | "recent" | "close"> {
  /** All of it or nothing, on disk when it returns. */
  const write = (doing: string, work: () => void): void => {
    run(doing, () => inTransaction(db, work));
    checkpoint(db);
  };
  const saveLastAction = (last: LastAction) =>
    sql.saveLastAction(last.target, records.lastActions.encode(last));
  return {
    recordIntent: (intent) =>
      write(`record intent ${intent.id}`, () => {
        const { id } = intent;
        const body = records.intents.encode(intent);
        unlessTaken(`intent ${id} is already recorded`, () => {
          sql.insertIntent.run(id, body, checksum("intents", id, body));
        });
        for (const action of records.lastActionsOf(intent)) saveLastAction(action);
      }),
    recordCall: (call) => write(`record a call to ${call.target}`, () => saveLastAction(call)),
    recordOutcome: (outcome) =>
      write(`record the outcome of intent ${outcome.intentId}`, () => {
        const { intentId, at } = outcome;
        const body = records.outcomes.encode(outcome);
        unlessTaken(`intent ${intentId} is not in the journal, or already has its terminal record`, () => {
          sql.insertOutcome.run(intentId, at.wallMs, body, checksum("outcomes", intentId, body));
        });
        prune();
      }),
    // Not worth a checkpoint: what a damaged log takes of it is learnt again.
    saveSeries: (changed) =>
      run("save the state of series", () => {
        if (changed.length === 0) return;
        inTransaction(db, () => {
          for (const state of changed) sql.saveSeries(state.key, records.series.encode(state));
        });
      }),
    saveDocuments(changed) {
      if (changed.length === 0 && db.isOpen) return;
      write("save documents", () => {
        for (const document of changed) {
          const key = records.documentKey(document);
          if (document.body === undefined) sql.removeDocument.run(key);
          else sql.saveDocument(key, records.documents.encode(document));
        }
      });
    },
  };
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
