import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { StoreError } from "../../kernel/store.ts";

/** Tables whose rows are a key, a text and a checksum, with the column that holds the key. */
const TABLES = {
  meta: "key",
  intents: "id",
  outcomes: "intent_id",
  last_actions: "target",
  series: "key",
  documents: "key",
} as const;

export type Table = keyof typeof TABLES;

/** CRC-32 of a row's place and text: a row that moved or changed does not match. */
export function checksum(table: Table, key: string, body: string): number {
  return crc32(`${table}\0${key}\0${body}`);
}

/** The text of a row, after checking it against its checksum. Throws `StoreError` naming the row. */
export function bodyOf(table: Table, { key, body, crc }: Readonly<Record<string, unknown>>): string {
  if (typeof key !== "string" || typeof body !== "string" || crc !== checksum(table, key, body)) {
    throw new StoreError(`the row ${JSON.stringify(key)} of ${table} does not match its checksum`);
  }
  return body;
}

/** All rows of a table, checked, in order of insertion where the table has one. Write nothing to it meanwhile. */
export function* readTable(
  db: DatabaseSync,
  table: Table,
): Generator<{ readonly key: string; readonly body: string }> {
  const order = table === "intents" ? " ORDER BY seq" : "";
  const rows = db.prepare(`SELECT ${TABLES[table]} AS key, body, crc FROM ${table}${order}`).iterate();
  for (const row of rows) yield { key: String(row.key), body: bodyOf(table, row) };
}

/** One row's text, checked, or undefined. */
export function readRow(db: DatabaseSync, table: Table, key: string): string | undefined {
  const name = TABLES[table];
  const row = db.prepare(`SELECT ${name} AS key, body, crc FROM ${table} WHERE ${name} = ?`).get(key);
  return row && bodyOf(table, row);
}

/** Writes one row's text under a key, with its checksum. */
export type WriteRow = (key: string, body: string) => void;

/** Writes rows of a table, each in place of an earlier one. */
export function upsertRow(
  db: DatabaseSync,
  table: "meta" | "last_actions" | "series" | "documents",
): WriteRow {
  const name = TABLES[table];
  const statement = db.prepare(
    `INSERT INTO ${table} (${name}, body, crc) VALUES (?, ?, ?)
     ON CONFLICT (${name}) DO UPDATE SET body = excluded.body, crc = excluded.crc`,
  );
  return (key, body) => void statement.run(key, body, checksum(table, key, body));
}

/** Changes the text of rows that are there. */
export function updateRow(db: DatabaseSync, table: Table): WriteRow {
  const statement = db.prepare(`UPDATE ${table} SET body = ?, crc = ? WHERE ${TABLES[table]} = ?`);
  return (key, body) => void statement.run(body, checksum(table, key, body), key);
}

/** Runs `work` in one write transaction: all of it or nothing. */
export function inTransaction(db: DatabaseSync, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    rollBack(db);
    throw error;
  }
}

function rollBack(db: DatabaseSync): void {
  try {
    if (db.isTransaction) db.exec("ROLLBACK");
  } catch {
    // The first error is the one to report; an unfinished transaction is undone at the next opening.
  }
}

/** The first value that a pragma answers with; undefined when it has no answer. */
export function pragma(db: DatabaseSync, text: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${text}`).get() ?? {})[0];
}
