import type { DatabaseSync } from "node:sqlite";
import { errorMessage } from "../../common/text/error.ts";
import { GroupCommit } from "./group-commit.ts";
import { fingerprint, KeyWindow } from "./key-window.ts";
import { openDurable } from "./sqlite-file.ts";
import { QUEUE_SCHEMA, QueueTables, type StoredMessage } from "./sqlite-tables.ts";
import {
  type DeadLetter,
  type DeadLetterQuery,
  type Delivery,
  type DurableQueue,
  MAX_REASON_CHARS,
  type OfferOutcome,
  type QueueMessage,
  QueueUnavailableError,
  type Settlement,
} from "./types.ts";

export interface SqliteQueueOptions {
  readonly file: string;
  readonly lanes: readonly string[];
  /** Messages a lane holds; more are refused. */
  readonly laneCapacity: number;
  /** Payload bytes a lane holds. Default 256 MiB. */
  readonly laneBytes?: number;
  /** How long a key is remembered at least, milliseconds; see `KeyWindow`. */
  readonly dedupWindowMs: number;
  /** Keys remembered for a window at most. Default 1,000,000. */
  readonly dedupKeys?: number;
  /** Dead letters a lane keeps; beyond, its oldest go. Default 25,000. */
  readonly deadCapacity?: number;
  /** How long a write waits for others to share its fsync, milliseconds. Default 2. */
  readonly commitDelayMs?: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly onQuarantine?: (setAside: string, reason: string) => void;
  /** Dead letters were forgotten for want of room. */
  readonly onDeadDropped?: (count: number) => void;
}

interface Lane {
  readonly id: number;
  readonly name: string;
  /** Stored and about to be stored. */
  count: number;
  bytes: number;
  dead: number;
  /** Everything in `ready` up to here was handed out. */
  cursor: number;
  /** Given back without a failure: first in line. */
  readonly returned: StoredMessage[];
  /** Sequences of delayed messages from their handing out until their settlement is on disk. */
  readonly delayedOut: Set<number>;
}

interface Handed {
  readonly lane: Lane;
  readonly message: StoredMessage;
}

/**
 * The embedded engine: one SQLite file, one fsync for all writes of a few milliseconds. Memory does not grow with the
 * number of messages that wait; only what is handed out, and the dedup window, is in memory.
 */
export class SqliteQueue implements DurableQueue {
  readonly lanes: readonly string[];
  readonly #options: SqliteQueueOptions;
  readonly #db: DatabaseSync;
  readonly #tables: QueueTables;
  readonly #commit: GroupCommit;
  readonly #lanes = new Map<string, Lane>();
  readonly #window: KeyWindow;
  /** Keys of messages that are about to be stored. */
  readonly #pendingKeys = new Set<string>();
  #fresh: Buffer[] = [];
  readonly #handed = new Map<number, Handed>();
  #seq: number;
  #deliveries = 0;
  #closed = false;

  /** Throws `QueueInUseError` when another process holds the file. */
  constructor(options: SqliteQueueOptions) {
    this.#options = options;
    this.lanes = options.lanes;
    const nowMs = options.nowMs();
    this.#db = openDurable({ ...options, schema: QUEUE_SCHEMA, nowMs });
    this.#tables = new QueueTables(this.#db);
    for (const name of options.lanes) {
      const id = this.#tables.laneId(name);
      this.#lanes.set(name, {
        id,
        name,
        ...this.#tables.size(id),
        dead: this.#tables.deadCount(id),
        cursor: 0,
        returned: [],
        delayedOut: new Set(),
      });
    }
    this.#seq = this.#tables.highestSeq();
    const windowMs = options.dedupWindowMs;
    this.#window = new KeyWindow({
      windowMs,
      maxKeys: options.dedupKeys ?? 1_000_000,
      nowMs: nowMs - windowMs,
    });
    this.#tables.eachRecent(nowMs - 2 * windowMs, (key, atMs) => this.#window.add(key, atMs));
    this.#commit = new GroupCommit({
      db: this.#db,
      delayMs: options.commitDelayMs ?? 2,
      last: () => this.#storeFingerprints(),
    });
  }

  offer(message: QueueMessage): Promise<OfferOutcome> {
    const lane = this.#lane(message.lane);
    if (this.#closed) return Promise.reject(new QueueUnavailableError("the queue is closed"));
    const pendingKey = `${message.lane}\u0000${message.key}`;
    const key = fingerprint(message.lane, message.key);
    if (this.#window.has(key)) return Promise.resolve("duplicate");
    if (this.#pendingKeys.has(pendingKey))
      return this.#write(
        () => {},
        () => "duplicate" as const,
      );
    const bytes = message.payload.byteLength;
    const { laneCapacity, laneBytes = 256 * 1_024 * 1_024 } = this.#options;
    if (lane.count >= laneCapacity || lane.bytes + bytes > laneBytes) return Promise.resolve("full");
    lane.count += 1;
    lane.bytes += bytes;
    this.#pendingKeys.add(pendingKey);
    this.#seq += 1;
    const stored = {
      seq: this.#seq,
      key: message.key,
      payload: message.payload,
      acceptedMs: Math.floor(this.#options.nowMs()),
    };
    return this.#write(
      () => {
        this.#tables.insertReady(lane.id, stored);
        this.#fresh.push(key);
      },
      () => {
        this.#pendingKeys.delete(pendingKey);
        this.#window.add(key, stored.acceptedMs);
        return "accepted" as const;
      },
      () => {
        this.#pendingKeys.delete(pendingKey);
        lane.count -= 1;
        lane.bytes -= bytes;
      },
    );
  }

  take(laneName: string, limit: number): readonly Delivery[] {
    const lane = this.#lane(laneName);
    const taken = lane.returned.splice(0, limit);
    if (taken.length < limit) {
      const due = this.#tables.due(
        lane.id,
        this.#options.nowMs(),
        limit - taken.length + lane.delayedOut.size,
      );
      for (const message of due) {
        if (taken.length < limit && !lane.delayedOut.has(message.seq)) taken.push(message);
      }
    }
    if (taken.length < limit) {
      const ready = this.#tables.readyAfter(lane.id, lane.cursor, limit - taken.length);
      lane.cursor = ready.at(-1)?.seq ?? lane.cursor;
      taken.push(...ready);
    }
    return taken.map((message) => {
      this.#deliveries += 1;
      this.#handed.set(this.#deliveries, { lane, message });
      if (message.failures > 0) lane.delayedOut.add(message.seq);
      const { key, payload, failures, acceptedMs } = message;
      return { id: this.#deliveries, lane: laneName, key, payload, failures, acceptedMs };
    });
  }

  settle(settlements: readonly Settlement[]): Promise<void> {
    const known = settlements.flatMap((settlement) => {
      const handed = this.#handed.get(settlement.delivery.id);
      return handed === undefined ? [] : [{ settlement, ...handed }];
    });
    for (const { settlement } of known) this.#handed.delete(settlement.delivery.id);
    const giveBack = (entry: (typeof known)[number]) => void entry.lane.returned.push(entry.message);
    for (const entry of known) if (entry.settlement.verdict === "release") giveBack(entry);
    const lasting = known.filter(({ settlement }) => settlement.verdict !== "release");
    if (lasting.length === 0) return Promise.resolve();
    return this.#write(
      () => {
        for (const { settlement, lane, message } of lasting) this.#apply(settlement, lane, message);
      },
      () => {
        for (const { settlement, lane, message } of lasting) this.#account(settlement, lane, message);
      },
      () => lasting.forEach(giveBack),
    );
  }

  bury(message: QueueMessage, reason: string): Promise<void> {
    const lane = this.#lane(message.lane);
    const { key, payload } = message;
    const letter = {
      key,
      payload,
      reason: reason.slice(0, MAX_REASON_CHARS),
      failures: 0,
      deadMs: this.#wall(),
    };
    return this.#write(
      () => this.#tables.insertDead(lane.id, letter),
      () => this.#deadAdded(lane),
    );
  }

  depth(lane: string): number {
    return this.#lane(lane).count;
  }

  fill(laneName: string): number {
    const lane = this.#lane(laneName);
    const bytes = lane.bytes / (this.#options.laneBytes ?? 256 * 1_024 * 1_024);
    return Math.min(1, Math.max(lane.count / this.#options.laneCapacity, bytes));
  }

  async deadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    return this.#deadNow(query);
  }

  async replay(query: DeadLetterQuery): Promise<number> {
    const letters = this.#deadNow(query).filter((letter) => this.#lanes.has(letter.lane));
    const written = this.#write(
      () => {
        for (const letter of letters) {
          this.#seq += 1;
          this.#tables.removeDead(letter.id);
          const { key, payload } = letter;
          const stored = { seq: this.#seq, key, payload, acceptedMs: this.#wall() };
          this.#tables.insertReady(this.#lane(letter.lane).id, stored);
        }
      },
      () => {
        for (const letter of letters) {
          const lane = this.#lane(letter.lane);
          lane.count += 1;
          lane.bytes += letter.payload.byteLength;
          lane.dead -= 1;
        }
      },
    );
    // At once, so that a second call does not find the same letters.
    this.#commit.flush();
    await written;
    return letters.length;
  }

  deadCount(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.dead, 0);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#commit.flush();
    this.#db.close();
  }

  #deadNow(query: DeadLetterQuery): readonly DeadLetter[] {
    if (this.#closed) throw new QueueUnavailableError("the queue is closed");
    this.#commit.flush();
    const lane = query.lane === undefined ? undefined : this.#lane(query.lane).id;
    return this.#tables.dead(lane, query.limit);
  }

  #apply(settlement: Settlement, lane: Lane, message: StoredMessage): void {
    this.#tables.remove(lane.id, message);
    if (settlement.verdict === "retry") {
      const failures = message.failures + 1;
      this.#tables.delay(lane.id, { ...message, failures }, this.#options.nowMs() + settlement.delayMs);
    } else if (settlement.verdict === "dead") {
      const reason = settlement.reason.slice(0, MAX_REASON_CHARS);
      const { key, payload } = message;
      const failures = message.failures + 1;
      this.#tables.insertDead(lane.id, { key, payload, reason, failures, deadMs: this.#wall() });
    }
  }

  #account(settlement: Settlement, lane: Lane, message: StoredMessage): void {
    lane.delayedOut.delete(message.seq);
    if (settlement.verdict === "retry") return;
    lane.count -= 1;
    lane.bytes -= message.payload.byteLength;
    if (settlement.verdict === "dead") this.#deadAdded(lane);
  }

  #deadAdded(lane: Lane): void {
    lane.dead += 1;
    const excess = lane.dead - (this.#options.deadCapacity ?? 25_000);
    if (excess <= 0) return;
    lane.dead -= excess;
    void this.#write(
      () => this.#tables.dropDead(lane.id, excess),
      () => this.#options.onDeadDropped?.(excess),
      () => {
        lane.dead += excess;
      },
    ).catch(() => {});
  }

  #storeFingerprints(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    if (fresh.length === 0) return;
    this.#tables.addRecent(this.#wall(), fresh);
    this.#tables.dropRecentBefore(Math.min(this.#window.sinceMs, this.#wall() - this.#options.dedupWindowMs));
  }

  #write<T>(apply: () => void, committed: () => T, failed: () => void = () => {}): Promise<T> {
    if (this.#closed) {
      failed();
      return Promise.reject(new QueueUnavailableError("the queue is closed"));
    }
    return new Promise((resolve, reject) => {
      this.#commit.add({
        apply,
        committed: () => resolve(committed()),
        failed: (error) => {
          // Else the next commit would remember keys that were never stored, and drop their repetition.
          this.#fresh = [];
          failed();
          const reason = errorMessage(error);
          reject(new QueueUnavailableError(`the queue cannot write: ${reason}`, { cause: error }));
        },
      });
    });
  }

  #wall(): number {
    return Math.floor(this.#options.nowMs());
  }

  #lane(name: string): Lane {
    const lane = this.#lanes.get(name);
    if (lane === undefined) throw new RangeError(`there is no lane ${JSON.stringify(name)}`);
    return lane;
  }
}
