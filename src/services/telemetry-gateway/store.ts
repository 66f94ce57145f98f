import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { openDurable, transaction } from "../queue/sqlite-file.ts";
import { splitKey } from "./message.ts";
import { REGIONS, type Region } from "./regions.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS telemetry (
    n INTEGER PRIMARY KEY, device TEXT NOT NULL, id TEXT NOT NULL, stored_ms INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS telemetry_once ON telemetry (device, id);
`;

/** One message for the store; the key is that of `messageKey`. */
export interface StoreItem {
  readonly key: string;
  readonly payload: Uint8Array;
}

/** How many rows a commit may take away at most, so that an expiry never holds up the writes. */
const EXPIRE_ROWS = 5_000;

/**
 * Where telemetry goes: one durable table a region, unique by device and message id, so that a message that is
 * delivered twice has one effect. Rows older than the retention go.
 */
export class TelemetryStore {
  readonly #regions = new Map<Region, { readonly db: DatabaseSync; readonly insert: StatementSync }>();
  readonly #retentionMs: number;

  constructor(options: {
    readonly directory: string;
    readonly retentionMs: number;
    readonly nowMs: number;
    readonly onQuarantine?: (setAside: string, reason: string) => void;
  }) {
    this.#retentionMs = options.retentionMs;
    for (const region of REGIONS) {
      const file = join(options.directory, `telemetry-${region}.sqlite`);
      const db = openDurable({ ...options, file, schema: SCHEMA });
      const insert = db.prepare(
        "INSERT OR IGNORE INTO telemetry (device, id, stored_ms, body) VALUES (?, ?, ?, ?)",
      );
      this.#regions.set(region, { db, insert });
    }
  }

  /** Stores all or nothing; on disk when it returns. Answers how many were new. Throws what the database throws. */
  write(region: Region, items: readonly StoreItem[], nowMs: number): number {
    const { db, insert } = this.#of(region);
    return transaction(db, () => {
      let stored = 0;
      for (const { key, payload } of items) {
        const { device, id } = splitKey(key);
        const body = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
        stored += Number(insert.run(device, id, Math.floor(nowMs), body).changes);
      }
      return stored;
    });
  }

  /** Takes away what is older than the retention, a bounded number of rows a call. Answers how many. */
  expire(nowMs: number): number {
    let gone = 0;
    for (const { db } of this.#regions.values()) {
      const statement = db.prepare(
        "DELETE FROM telemetry WHERE n IN (SELECT n FROM (SELECT n, stored_ms FROM telemetry ORDER BY n LIMIT ?) WHERE stored_ms < ?)",
      );
      gone += Number(statement.run(EXPIRE_ROWS, Math.floor(nowMs - this.#retentionMs)).changes);
    }
    return gone;
  }

  count(region: Region): number {
    return Number(this.#of(region).db.prepare("SELECT count(*) AS n FROM telemetry").get()?.n);
  }

  close(): void {
    for (const { db } of this.#regions.values()) db.close();
  }

  #of(region: Region) {
    const found = this.#regions.get(region);
    if (found === undefined) throw new RangeError(`there is no region ${region}`);
    return found;
  }
}
