import { DatabaseSync } from "node:sqlite";
import type { DocumentKind } from "../../kernel/store.ts";
import { StoreError } from "../../kernel/store.ts";
import { migrateRecord, SCHEMA_VERSION, sqlBetween } from "../migrate.ts";
import * as records from "../records.ts";
import { pragma, readRow, readTable, type Table, updateRow, upsertRow } from "./rows.ts";

/** Marks the file as a Helius journal in SQLite's header ("HLJ1"). */
const APPLICATION_ID = 0x484c4a31;

/** Up to here the header alone told the version; since then a row of `meta` does too, which has a checksum. */
const LAST_UNRECORDED = 2;

/** A newer program wrote it: neither read, nor damaged. */
export class NewerVersionError extends StoreError {}

/**
 * Which version a file has, 1 to `SCHEMA_VERSION`.
 * @throws NewerVersionError, and StoreError for what is no journal or contradicts itself.
 */
export function storedVersion(db: DatabaseSync): number {
  const version = Number(pragma(db, "user_version"));
  if (pragma(db, "application_id") !== APPLICATION_ID || version < 1)
    throw new StoreError("it is not a journal of this program");
  const recorded = readRow(db, "meta", "version");
  if (recorded === undefined ? version > LAST_UNRECORDED : recorded !== String(version))
    throw new StoreError(
      `its header says that its version is ${version}, its record ${recorded ?? "nothing"}`,
    );
  if (version > SCHEMA_VERSION)
    throw new NewerVersionError(
      `a newer program wrote it (version ${version}; this one knows ${SCHEMA_VERSION}). Nothing was changed: ` +
        "start that program again, or give this one a data directory of its own",
    );
  return version;
}

/** Brings tables and records from version `from`, 0 for none, to the newest; call it inside a transaction. */
export function migrate(db: DatabaseSync, from: number): void {
  db.exec(sqlBetween(from, SCHEMA_VERSION));
  for (const table of ["intents", "outcomes", "last_actions", "series", "documents"] as const) {
    const update = updateRow(db, table);
    for (const { key, body } of [...readTable(db, table)]) {
      const text = migrateText(table, body, from);
      if (text !== body) update(key, text);
    }
  }
  upsertRow(db, "meta")("version", String(SCHEMA_VERSION));
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION};`);
}

function migrateText(table: Exclude<Table, "meta">, text: string, from: number): string {
  const record: unknown = JSON.parse(text);
  if (table !== "documents") return JSON.stringify(migrateRecord(table, record, from));
  const document = record as { readonly kind: DocumentKind; readonly body: unknown };
  return JSON.stringify({ ...document, body: migrateRecord(document.kind, document.body, from) });
}

/** Throws when a record is not one, or says something else than its row. */
export function checkRecords(db: DatabaseSync): void {
  for (const { body } of readTable(db, "intents")) records.intents.decode(body);
  // The time that retention goes by is a copy of the record's, without a checksum of its own.
  const times = db.prepare("SELECT at_ms FROM outcomes WHERE intent_id = ?");
  for (const { key, body } of readTable(db, "outcomes"))
    if (times.get(key)?.at_ms !== records.outcomes.decode(body).at.wallMs)
      throw new StoreError(`the time of the outcome ${JSON.stringify(key)} is not that of its record`);
  for (const { body } of readTable(db, "series")) records.series.decode(body);
  for (const { body } of readTable(db, "last_actions")) records.lastActions.decode(body);
  for (const { body } of readTable(db, "documents")) records.documents.decode(body);
}

/** Throws unless the tables are exactly those of `version`. */
export function checkTables(db: DatabaseSync, version: number): void {
  const expected = new DatabaseSync(":memory:");
  try {
    expected.exec(sqlBetween(0, version));
    if (tablesOf(db) !== tablesOf(expected)) throw new StoreError("its schema is damaged");
  } finally {
    expected.close();
  }
}

function tablesOf(db: DatabaseSync): string {
  const rows = db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").all();
  return JSON.stringify(rows.map((row) => [row.type, row.name, row.tbl_name, row.sql]));
}
