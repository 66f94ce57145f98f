import { DatabaseSync } from "node:sqlite";

/** Marks the file as a Helius journal in SQLite's header ("HLJ1"). */
export const APPLICATION_ID = 0x484c4a31;

/**
 * One step a version, applied in order; `user_version` is the number of steps applied. Never edit a released step.
 * Every row carries its record as JSON and the CRC-32 of its place and text: SQLite pages have no checksum of their own.
 * The primary key of `outcomes` is what allows one terminal record an intent.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
   CREATE TABLE intents (
     seq INTEGER PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, crc INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE outcomes (
     intent_id TEXT PRIMARY KEY NOT NULL REFERENCES intents (id) ON DELETE CASCADE,
     at_ms REAL NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE last_actions (target TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
   CREATE TABLE series (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;`,
  `CREATE TABLE documents (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;`,
];

/** The newest schema version that this program knows. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Value of an integer pragma. */
export function pragmaNumber(db: DatabaseSync, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return Number(Object.values(row ?? {})[0]);
}

/** Applies the steps after version `from`; call it inside a transaction. */
export function migrate(db: DatabaseSync, from: number): void {
  for (const step of MIGRATIONS.slice(from)) db.exec(step);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION};`);
}

/** The schema as SQLite spells it, for comparison. */
export function schemaText(db: DatabaseSync): string {
  const rows = db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").all();
  return JSON.stringify(rows.map((row) => [row.type, row.name, row.tbl_name, row.sql]));
}

/** What `schemaText` must say of an undamaged journal at this version. */
export function expectedSchema(version: number): string {
  const db = new DatabaseSync(":memory:");
  try {
    for (const step of MIGRATIONS.slice(0, version)) db.exec(step);
    return schemaText(db);
  } finally {
    db.close();
  }
}
