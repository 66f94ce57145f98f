import {
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type MsgRequest,
  StorageType,
} from "@nats-io/jetstream";
import { connect, type NatsConnection, nanos } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { errorMessage } from "../../../common/text/error.ts";
import { QueueUnavailableError } from "../../queue/types.ts";
import {
  type EventBody,
  type JobEvent,
  type JobLog,
  type JobSummary,
  newSummary,
  RETENTION_MS,
  summaryAfter,
} from "./types.ts";

const STREAM = "HELIUS_LLM_EVENTS";
const SUBJECT = "helius.llm.events";
/** Bytes of events that are kept; beyond, the oldest go. */
const MAX_BYTES = 1_024 * 1_024 * 1_024;
const TIMEOUT_MS = 5_000;
const AGAIN_MS = 1_000;
/** The stream's answer to a write that expected another last event of the job. */
const WRONG_LAST_SEQUENCE = 10_071;
/** Another writer may be first so often before the write is given up. */
const MAX_CONFLICTS = 10;

/** What one message of the stream holds: the event, and the job as it is after it. */
interface Entry {
  readonly event: JobEvent;
  readonly summary: JobSummary;
}

interface Link {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
}

export interface NatsLogOptions {
  /** `nats://[USER:PASSWORD@]HOST:PORT`, several separated by commas. */
  readonly url: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/**
 * The log of jobs in a JetStream stream, one subject a job, so that routers that share a queue share what happened too:
 * a client may resume at any of them. A write says which event of the job it follows, and the stream refuses it when
 * another came first; therefore a job has one end here as well.
 */
export class NatsJobLog implements JobLog {
  readonly #options: NatsLogOptions;
  readonly #listeners = new Set<(event: JobEvent) => void>();
  #link: Link | undefined;
  #lastSeen = 0;
  #stop: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: NatsLogOptions) {
    this.#options = options;
  }

  /** Answers even when the server is not there yet: until it is, everything throws `QueueUnavailableError`. */
  static async open(options: NatsLogOptions): Promise<NatsJobLog> {
    const log = new NatsJobLog(options);
    await log.#connect();
    return log;
  }

  async begin(jobId: string, digest: string): Promise<JobSummary> {
    const written = await this.#write(jobId, (present) => {
      return present === undefined
        ? { before: newSummary(jobId, digest), body: { event: "queued" } }
        : undefined;
    });
    if (written.summary === undefined) throw new QueueUnavailableError("the job could not be read back");
    return written.summary;
  }

  async append(jobId: string, body: EventBody, acceptedMs?: number): Promise<JobEvent | undefined> {
    const written = await this.#write(jobId, (present) => {
      if (present !== undefined && present.state !== "queued" && body.event !== "queued") return undefined;
      return { before: present ?? newSummary(jobId, ""), body, acceptedMs };
    });
    return written.event;
  }

  async find(jobId: string): Promise<JobSummary | undefined> {
    return (await this.#last(jobId))?.entry.summary;
  }

  async events(jobId: string, after: number): Promise<readonly JobEvent[]> {
    return this.#guarded(async ({ manager }) => {
      const events: JobEvent[] = [];
      for (let seq = 1; ; ) {
        // The server takes `next_by_subj` here since 2.9; the client's type knows it for direct reads only.
        const request = { seq, next_by_subj: subjectOf(jobId) } as MsgRequest;
        const found = await manager.streams.getMessage(STREAM, request);
        if (found === null) return events;
        const { event } = found.json<Entry>();
        if (event.seq > after) events.push(event);
        seq = found.seq + 1;
      }
    });
  }

  onEvent(listener: (event: JobEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stop?.();
    await this.#link?.connection.close();
  }

  /** `plan` sees the job as it is and says what to write, if anything. It is asked again when another writer was first. */
  async #write(
    jobId: string,
    plan: (
      present: JobSummary | undefined,
    ) =>
      | { readonly before: Omit<JobSummary, "state">; readonly body: EventBody; readonly acceptedMs?: number }
      | undefined,
  ): Promise<{ readonly event?: JobEvent; readonly summary: JobSummary | undefined }> {
    for (let attempt = 1; ; attempt += 1) {
      const last = await this.#last(jobId);
      const planned = plan(last?.entry.summary);
      if (planned === undefined) return { summary: last?.entry.summary };
      const summary = summaryAfter(planned.before, planned.body, planned.acceptedMs);
      const at = new Date(this.#options.nowMs()).toISOString();
      const entry: Entry = { event: { ...planned.body, jobId, seq: summary.lastSeq, at }, summary };
      if (await this.#publish(entry, last?.seq ?? 0)) return { event: entry.event, summary };
      if (attempt >= MAX_CONFLICTS) throw new QueueUnavailableError("the job is being written by others");
    }
  }

  /** False: another event came first. */
  #publish(entry: Entry, expected: number): Promise<boolean> {
    return this.#guarded(async ({ client }) => {
      try {
        await client.publish(subjectOf(entry.event.jobId), JSON.stringify(entry), {
          expect: { lastSubjectSequence: expected },
          timeout: TIMEOUT_MS,
        });
        return true;
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE) return false;
        throw error;
      }
    });
  }

  #last(jobId: string): Promise<{ readonly entry: Entry; readonly seq: number } | undefined> {
    return this.#guarded(async ({ manager }) => {
      const found = await manager.streams.getMessage(STREAM, { last_by_subj: subjectOf(jobId) });
      return found === null ? undefined : { entry: found.json<Entry>(), seq: found.seq };
    });
  }

  async #guarded<T>(work: (link: Link) => Promise<T>): Promise<T> {
    if (this.#link === undefined || this.#closed) {
      throw new QueueUnavailableError(`the log of jobs is ${this.#closed ? "closed" : "not connected"}`);
    }
    try {
      return await work(this.#link);
    } catch (error) {
      const reason = errorMessage(error);
      throw new QueueUnavailableError(`the log of jobs did not answer: ${reason}`, { cause: error });
    }
  }

  async #connect(): Promise<void> {
    try {
      const link = await openLink(this.#options.url);
      if (this.#closed) {
        await link.connection.close();
        return;
      }
      this.#link = link;
      this.#lastSeen = (await link.manager.streams.info(STREAM)).state.last_seq;
      void this.#listen(link);
    } catch (error) {
      this.#options.logger.error({ err: error }, "log of jobs cannot be reached, trying again");
      this.#again(() => this.#connect());
    }
  }

  /** Tells the listeners what is on the stream, from where this stopped the last time. */
  async #listen(link: Link): Promise<void> {
    try {
      const consumer = await link.client.consumers.get(STREAM, {
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: this.#lastSeen + 1,
      });
      const messages = await consumer.consume();
      this.#stop = () => messages.stop();
      for await (const message of messages) {
        this.#lastSeen = message.seq;
        const { event } = message.json<Entry>();
        for (const listener of this.#listeners) listener(event);
      }
    } catch (error) {
      if (!this.#closed)
        this.#options.logger.warn({ err: error }, "events of jobs are not followed, trying again");
    }
    this.#again(() => this.#listen(link));
  }

  #again(work: () => Promise<void>): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void work(), AGAIN_MS);
    this.#timer.unref();
  }
}

function subjectOf(jobId: string): string {
  return `${SUBJECT}.${jobId}`;
}

async function openLink(url: string): Promise<Link> {
  const parts = url.split(",").map((part) => new URL(part));
  const { username = "", password = "", protocol } = parts[0] ?? {};
  const connection = await connect({
    servers: parts.map(({ host }) => host),
    ...(username === "" ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === "tls:" ? { tls: {} } : {}),
    name: "helius llm-router",
    timeout: TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    reconnectJitter: 1_000,
  });
  try {
    const manager = await jetstreamManager(connection, { timeout: TIMEOUT_MS });
    const config = {
      subjects: [`${SUBJECT}.*`],
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_age: nanos(RETENTION_MS),
      max_bytes: MAX_BYTES,
    };
    try {
      await manager.streams.update(STREAM, config);
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.status !== 404) throw error;
      await manager.streams.add({ name: STREAM, ...config });
    }
    return { connection, client: jetstream(connection), manager };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
