import type { DatabaseSync, StatementSync } from "node:sqlite";
import { errorMessage } from "../../../common/text/error.ts";
import { GroupCommit } from "../../queue/group-commit.ts";
import { openDurable } from "../../queue/sqlite-file.ts";
import { QueueUnavailableError } from "../../queue/types.ts";
import {
  type EventBody,
  type JobEvent,
  type JobLog,
  type JobState,
  type JobSummary,
  newSummary,
  RETENTION_MS,
  summaryAfter,
} from "./types.ts";

/** Jobs that ended are kept at most; the oldest go first. */
const MAX_ENDED = 50_000;
/** A job that never ends (its queue was lost) is forgotten after so long, milliseconds. */
const ABANDONED_MS = 7 * RETENTION_MS;
const PRUNE_MS = 60_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL, state TEXT NOT NULL, last_seq INTEGER NOT NULL,
    failures INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (state = 'queued', changed_ms);
  CREATE TABLE IF NOT EXISTS events (
    job_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
  ) STRICT, WITHOUT ROWID;
`;

export interface SqliteLogOptions {
  readonly file: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly maxEnded?: number;
  readonly onQuarantine?: (setAside: string, reason: string) => void;
}

/** The log of jobs in a database of its own; the writes of a few milliseconds share one fsync. */
export class SqliteJobLog implements JobLog {
  readonly #options: SqliteLogOptions;
  readonly #db: DatabaseSync;
  readonly #commit: GroupCommit;
  readonly #listeners = new Set<(event: JobEvent) => void>();
  readonly #findJob: StatementSync;
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  /** Throws `QueueInUseError` when another process holds the file. */
  constructor(options: SqliteLogOptions) {
    this.#options = options;
    this.#db = openDurable({ ...options, schema: SCHEMA, nowMs: options.nowMs() });
    this.#commit = new GroupCommit({ db: this.#db, delayMs: 2 });
    this.#findJob = this.#db.prepare("SELECT * FROM jobs WHERE id = ?");
    this.#timer = setInterval(() => void this.prune().catch(() => undefined), PRUNE_MS);
    this.#timer.unref();
  }

  begin(jobId: string, digest: string): Promise<JobSummary> {
    return this.#write(
      () => {
        const present = this.#find(jobId);
        if (present !== undefined) return { summary: present, event: undefined };
        return this.#insert(newSummary(jobId, digest), { event: "queued" });
      },
      ({ summary, event }) => {
        if (event !== undefined) this.#tell(event);
        return summary;
      },
    );
  }

  append(jobId: string, body: EventBody, acceptedMs?: number): Promise<JobEvent | undefined> {
    return this.#write(
      () => {
        const present = this.#find(jobId);
        if (present !== undefined && present.state !== "queued" && body.event !== "queued") return undefined;
        return this.#insert(present ?? newSummary(jobId, ""), body, acceptedMs).event;
      },
      (event) => {
        if (event !== undefined) this.#tell(event);
        return event;
      },
    );
  }

  async find(jobId: string): Promise<JobSummary | undefined> {
    this.#refuseClosed();
    return this.#find(jobId);
  }

  async events(jobId: string, after: number): Promise<readonly JobEvent[]> {
    this.#refuseClosed();
    return this.#db
      .prepare("SELECT seq, at_ms, body FROM events WHERE job_id = ? AND seq > ? ORDER BY seq")
      .all(jobId, after)
      .map((row) => {
        const body = JSON.parse(String(row.body)) as EventBody;
        return { ...body, jobId, seq: Number(row.seq), at: new Date(Number(row.at_ms)).toISOString() };
      });
  }

  onEvent(listener: (event: JobEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Forgets what is older than 24 hours, and the oldest beyond the bound. Runs by itself once a minute. */
  prune(): Promise<void> {
    const nowMs = Math.floor(this.#options.nowMs());
    return this.#write(
      () => {
        const forget = (condition: string, ...values: number[]) => {
          this.#db
            .prepare(`DELETE FROM events WHERE job_id IN (SELECT id FROM jobs WHERE ${condition})`)
            .run(...values);
          this.#db.prepare(`DELETE FROM jobs WHERE ${condition}`).run(...values);
        };
        forget("state <> 'queued' AND changed_ms <= ?", nowMs - RETENTION_MS);
        forget("state = 'queued' AND changed_ms <= ?", nowMs - ABANDONED_MS);
        const oldest =
          "SELECT id FROM jobs WHERE state <> 'queued' ORDER BY changed_ms DESC, id LIMIT -1 OFFSET ?";
        forget(`id IN (${oldest})`, this.#options.maxEnded ?? MAX_ENDED);
      },
      () => undefined,
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    clearInterval(this.#timer);
    this.#commit.flush();
    this.#closed = true;
    this.#db.close();
  }

  #find(jobId: string): JobSummary | undefined {
    const row = this.#findJob.get(jobId);
    if (row === undefined) return undefined;
    return {
      jobId,
      state: String(row.state) as JobState,
      digest: String(row.digest),
      lastSeq: Number(row.last_seq),
      failures: Number(row.failures),
      acceptedMs: Number(row.accepted_ms),
    };
  }

  /** Inside a transaction. */
  #insert(
    before: Omit<JobSummary, "state">,
    body: EventBody,
    acceptedMs?: number,
  ): { readonly summary: JobSummary; readonly event: JobEvent } {
    const atMs = Math.floor(this.#options.nowMs());
    const summary = summaryAfter(before, body, acceptedMs);
    const { jobId, lastSeq: seq } = summary;
    this.#db
      .prepare(
        "INSERT OR REPLACE INTO jobs (id, digest, state, last_seq, failures, accepted_ms, changed_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
      )
      .run(jobId, summary.digest, summary.state, seq, summary.failures, summary.acceptedMs, atMs);
    this.#db
      .prepare("INSERT INTO events (job_id, seq, at_ms, body) VALUES (?, ?, ?, ?)")
      .run(jobId, seq, atMs, JSON.stringify(body));
    return { summary, event: { ...body, jobId, seq, at: new Date(atMs).toISOString() } };
  }

  #tell(event: JobEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #write<T, R>(apply: () => T, committed: (applied: T) => R): Promise<R> {
    if (this.#closed) return Promise.reject(new QueueUnavailableError("the log of jobs is closed"));
    let applied: { readonly value: T } | undefined;
    return new Promise((resolve, reject) => {
      this.#commit.add({
        apply: () => {
          applied = { value: apply() };
        },
        committed: () => {
          if (applied !== undefined) resolve(committed(applied.value));
        },
        failed: (error) => {
          const reason = errorMessage(error);
          reject(new QueueUnavailableError(`the log of jobs cannot be written: ${reason}`, { cause: error }));
        },
      });
    });
  }

  #refuseClosed(): void {
    if (this.#closed) throw new QueueUnavailableError("the log of jobs is closed");
  }
}
