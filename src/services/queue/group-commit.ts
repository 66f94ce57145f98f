import type { DatabaseSync } from "node:sqlite";
import { transaction } from "./sqlite-file.ts";

/** One write of a group: applied inside the transaction; its effects outside the database come after the commit. */
export interface GroupedWrite {
  /** Inside the transaction. */
  apply(): void;
  /** The transaction is on disk. */
  committed(): void;
  /** It is not; the database is as before. */
  failed(error: unknown): void;
}

/**
 * Gathers writes and commits them together, so that one fsync serves all that came within `delayMs` (or `maxWrites`,
 * whichever is first).
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #delayMs: number;
  readonly #maxWrites: number;
  readonly #last: () => void;
  #waiting: GroupedWrite[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly db: DatabaseSync;
    readonly delayMs: number;
    readonly maxWrites?: number;
    /** Applied inside each transaction, after its writes. */
    readonly last?: () => void;
  }) {
    this.#last = options.last ?? (() => {});
    this.#db = options.db;
    this.#delayMs = options.delayMs;
    this.#maxWrites = options.maxWrites ?? 1_000;
  }

  add(write: GroupedWrite): void {
    this.#waiting.push(write);
    if (this.#waiting.length >= this.#maxWrites) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#delayMs);
  }

  /** Commits what waits, now. Never throws: each write is told. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const writes = this.#waiting;
    if (writes.length === 0) return;
    this.#waiting = [];
    try {
      transaction(this.#db, () => {
        for (const write of writes) write.apply();
        this.#last();
      });
    } catch (error) {
      for (const write of writes) write.failed(error);
      return;
    }
    for (const write of writes) write.committed();
  }
}
