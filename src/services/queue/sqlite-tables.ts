import type { DatabaseSync, StatementSync } from "node:sqlite";
import { FINGERPRINT_BYTES } from "./key-window.ts";
import type { DeadLetter } from "./types.ts";

/**
 * `ready` is clustered by lane and sequence, so that appending and reading are sequential. `delayed` and `dead` are
 * small as a rule. `recent` holds the fingerprints of one commit a row, for the dedup window.
 */
export const QUEUE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS lanes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE IF NOT EXISTS ready (
    lane INTEGER NOT NULL, seq INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, key TEXT NOT NULL,
    payload BLOB NOT NULL, PRIMARY KEY (lane, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS delayed (
    seq INTEGER PRIMARY KEY, lane INTEGER NOT NULL, due_ms INTEGER NOT NULL, accepted_ms INTEGER NOT NULL,
    key TEXT NOT NULL, payload BLOB NOT NULL, failures INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS delayed_by_due ON delayed (lane, due_ms);
  CREATE TABLE IF NOT EXISTS dead (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, lane INTEGER NOT NULL, dead_ms INTEGER NOT NULL, key TEXT NOT NULL,
    payload BLOB NOT NULL, failures INTEGER NOT NULL, reason TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS dead_by_lane ON dead (lane, seq);
  CREATE TABLE IF NOT EXISTS recent (n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, fingerprints BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS recent_by_age ON recent (at_ms);
`;

/** A message as it lies in `ready` or `delayed`. */
export interface StoredMessage {
  readonly seq: number;
  readonly key: string;
  readonly payload: Uint8Array;
  readonly acceptedMs: number;
  readonly failures: number;
}

/** The statements of the queue, prepared once. */
export class QueueTables {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Number of a lane; a new name gets a new one. */
  laneId(name: string): number {
    this.#run("INSERT OR IGNORE INTO lanes (name) VALUES (?)", name);
    return Number(this.#prepared("SELECT id FROM lanes WHERE name = ?").get(name)?.id);
  }

  /** Messages of a lane and their payload bytes. */
  size(lane: number): { readonly count: number; readonly bytes: number } {
    let count = 0;
    let bytes = 0;
    for (const table of ["ready", "delayed"]) {
      const row = this.#prepared(
        `SELECT count(*) AS n, coalesce(sum(length(payload)), 0) AS b FROM ${table} WHERE lane = ?`,
      ).get(lane);
      count += Number(row?.n);
      bytes += Number(row?.b);
    }
    return { count, bytes };
  }

  highestSeq(): number {
    const row = this.#prepared(
      "SELECT max((SELECT coalesce(max(seq), 0) FROM ready), (SELECT coalesce(max(seq), 0) FROM delayed)) AS n",
    ).get();
    return Number(row?.n);
  }

  insertReady(lane: number, message: Omit<StoredMessage, "failures">): void {
    this.#run(
      "INSERT INTO ready (lane, seq, accepted_ms, key, payload) VALUES (?, ?, ?, ?, ?)",
      lane,
      message.seq,
      message.acceptedMs,
      message.key,
      message.payload,
    );
  }

  /** Messages of a lane after `seq`, in order. */
  readyAfter(lane: number, seq: number, limit: number): StoredMessage[] {
    const rows = this.#prepared(
      "SELECT seq, key, payload, accepted_ms, 0 AS failures FROM ready WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
    ).all(lane, seq, limit);
    return rows.map(stored);
  }

  /** Delayed messages of a lane whose time has come, the longest due first. */
  due(lane: number, nowMs: number, limit: number): StoredMessage[] {
    const rows = this.#prepared(
      "SELECT seq, key, payload, accepted_ms, failures FROM delayed WHERE lane = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?",
    ).all(lane, nowMs, limit);
    return rows.map(stored);
  }

  remove(lane: number, message: { readonly seq: number; readonly failures: number }): void {
    if (message.failures > 0) this.#run("DELETE FROM delayed WHERE seq = ?", message.seq);
    else this.#run("DELETE FROM ready WHERE lane = ? AND seq = ?", lane, message.seq);
  }

  /** Moves a message to `delayed`, with its new count of failures. */
  delay(lane: number, message: StoredMessage, dueMs: number): void {
    this.#run(
      "INSERT OR REPLACE INTO delayed (seq, lane, due_ms, accepted_ms, key, payload, failures) VALUES (?, ?, ?, ?, ?, ?, ?)",
      message.seq,
      lane,
      Math.floor(dueMs),
      message.acceptedMs,
      message.key,
      message.payload,
      message.failures,
    );
  }

  insertDead(lane: number, letter: Omit<DeadLetter, "id" | "lane">): void {
    this.#run(
      "INSERT INTO dead (lane, dead_ms, key, payload, failures, reason) VALUES (?, ?, ?, ?, ?, ?)",
      lane,
      letter.deadMs,
      letter.key,
      letter.payload,
      letter.failures,
      letter.reason,
    );
  }

  dead(lane: number | undefined, limit: number): DeadLetter[] {
    const rows = this.#prepared(
      `SELECT seq, name, dead_ms, key, payload, failures, reason FROM dead JOIN lanes ON lanes.id = dead.lane
       WHERE ? IS NULL OR dead.lane = ? ORDER BY seq LIMIT ?`,
    ).all(lane ?? null, lane ?? null, limit);
    return rows.map((row) => ({
      id: Number(row.seq),
      lane: String(row.name),
      key: String(row.key),
      payload: row.payload as Uint8Array,
      reason: String(row.reason),
      failures: Number(row.failures),
      deadMs: Number(row.dead_ms),
    }));
  }

  deadCount(lane: number): number {
    return Number(this.#prepared("SELECT count(*) AS n FROM dead WHERE lane = ?").get(lane)?.n);
  }

  removeDead(seq: number): void {
    this.#run("DELETE FROM dead WHERE seq = ?", seq);
  }

  /** Forgets a lane's oldest dead letters. */
  dropDead(lane: number, count: number): void {
    this.#run(
      "DELETE FROM dead WHERE seq IN (SELECT seq FROM dead WHERE lane = ? ORDER BY seq LIMIT ?)",
      lane,
      count,
    );
  }

  addRecent(atMs: number, fingerprints: readonly Buffer[]): void {
    this.#run("INSERT INTO recent (at_ms, fingerprints) VALUES (?, ?)", atMs, Buffer.concat(fingerprints));
  }

  dropRecentBefore(atMs: number): void {
    this.#run("DELETE FROM recent WHERE at_ms < ?", Math.floor(atMs));
  }

  /** Calls `visit` with each fingerprint accepted at or after `sinceMs`, the oldest first. */
  eachRecent(sinceMs: number, visit: (fingerprint: Buffer, atMs: number) => void): void {
    const rows = this.#prepared("SELECT at_ms, fingerprints FROM recent WHERE at_ms >= ? ORDER BY n").iterate(
      Math.floor(sinceMs),
    );
    for (const row of rows) {
      const all = Buffer.from(row.fingerprints as Uint8Array);
      for (let at = 0; at + FINGERPRINT_BYTES <= all.length; at += FINGERPRINT_BYTES) {
        visit(all.subarray(at, at + FINGERPRINT_BYTES), Number(row.at_ms));
      }
    }
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): void {
    this.#prepared(sql).run(...values);
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function stored(row: Record<string, unknown>): StoredMessage {
  return {
    seq: Number(row.seq),
    key: String(row.key),
    payload: row.payload as Uint8Array,
    acceptedMs: Number(row.accepted_ms),
    failures: Number(row.failures),
  };
}
