import { JetStreamApiError, type JsMsg, type MsgRequest } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { errorMessage } from "../../common/text/error.ts";
import { ACK_WAIT_MS, type JetStreamLink, type LinkOptions, namesOf, openLink } from "./jetstream-link.ts";
import { fingerprint } from "./key-window.ts";
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

export interface JetStreamQueueOptions extends LinkOptions {
  readonly logger: Logger;
}

const PUBLISH_TIMEOUT_MS = 5_000;
/** How often depths are read from the engine, milliseconds. */
const POLL_MS = 500;
const RECONNECT_MS = 1_000;
/** A fetched message older than this is left to the engine, which is about to deliver it again. */
const STALE_MS = ACK_WAIT_MS * 0.6;
const MAX_FETCH = 1_000;
const MIN_FETCH = 16;
/** Messages whose failures are remembered. */
const MAX_COUNTED = 100_000;
/** How long one pull request stands, milliseconds. */
const FETCH_MS = 5_000;

const KEY = "Helius-Key";
const REASON = "Helius-Reason";
const FAILURES = "Helius-Failures";

interface Lane {
  readonly name: string;
  depth: number;
  fetching: boolean;
  readonly fetched: { readonly message: JsMsg; readonly atMs: number }[];
}

/**
 * The engine for several machines: NATS JetStream. Deduplication, capacity, redelivery and dead letters are the
 * stream's own, so several processes can share it. Failures are counted by the process that saw them: with several
 * gateways, or across a restart, a message may be tried more often than the limit before it is given up.
 */
export class JetStreamQueue implements DurableQueue {
  readonly lanes: readonly string[];
  readonly #options: JetStreamQueueOptions;
  readonly #names: ReturnType<typeof namesOf>;
  readonly #lanes = new Map<string, Lane>();
  readonly #handed = new Map<number, JsMsg>();
  readonly #failures = new Map<number, number>();
  #link: JetStreamLink | undefined;
  #deliveries = 0;
  #dead = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: JetStreamQueueOptions) {
    this.#options = options;
    this.lanes = options.lanes;
    this.#names = namesOf(options.name);
    for (const name of options.lanes) this.#lanes.set(name, { name, depth: 0, fetching: false, fetched: [] });
  }

  /**
   * Connects; when the server is not there yet, answers nevertheless and goes on trying: until then every write is
   * refused with `QueueUnavailableError`.
   */
  static async open(options: JetStreamQueueOptions): Promise<JetStreamQueue> {
    const queue = new JetStreamQueue(options);
    await queue.#connect();
    return queue;
  }

  async offer(message: QueueMessage): Promise<OfferOutcome> {
    const lane = this.#lane(message.lane);
    const id = fingerprint(message.lane, message.key).toString("hex");
    try {
      const extra = headers();
      extra.set(KEY, Buffer.from(message.key).toString("base64url"));
      const ack = await this.#connected().client.publish(this.#names.subject(lane.name), message.payload, {
        msgID: id,
        headers: extra,
        timeout: PUBLISH_TIMEOUT_MS,
      });
      if (ack.duplicate) return "duplicate";
      lane.depth += 1;
      return "accepted";
    } catch (error) {
      if (error instanceof JetStreamApiError && /maximum messages/.test(error.message)) {
        lane.depth = Math.max(lane.depth, this.#options.laneCapacity);
        return "full";
      }
      throw unavailable(error);
    }
  }

  take(laneName: string, limit: number): readonly Delivery[] {
    const lane = this.#lane(laneName);
    const oldest = performance.now() - STALE_MS;
    while ((lane.fetched[0]?.atMs ?? oldest) < oldest) lane.fetched.shift();
    const taken = lane.fetched.splice(0, limit);
    if (lane.fetched.length < limit)
      void this.#fetch(lane, Math.min(MAX_FETCH, Math.max(MIN_FETCH, limit * 4)));
    return taken.map(({ message }) => {
      this.#deliveries += 1;
      this.#handed.set(this.#deliveries, message);
      return {
        id: this.#deliveries,
        lane: laneName,
        key: keyOf(message.headers?.get(KEY)),
        payload: message.data,
        failures: this.#failures.get(message.seq) ?? 0,
        acceptedMs: Math.floor(message.info.timestampNanos / 1e6),
      };
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<void> {
    const results = await Promise.allSettled(settlements.map((settlement) => this.#settleOne(settlement)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw unavailable(failed.reason);
  }

  async bury(message: QueueMessage, reason: string): Promise<void> {
    this.#lane(message.lane);
    try {
      await this.#publishDead(message, { reason, failures: 0 });
    } catch (error) {
      throw unavailable(error);
    }
  }

  depth(lane: string): number {
    return this.#lane(lane).depth;
  }

  fill(lane: string): number {
    return Math.min(1, this.#lane(lane).depth / this.#options.laneCapacity);
  }

  async deadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    try {
      const { manager } = this.#connected();
      const letters: DeadLetter[] = [];
      const subject = this.#names.deadSubject(query.lane ?? "*");
      for (let seq = 1; letters.length < query.limit; ) {
        // The server takes `next_by_subj` here since 2.9; the client's type knows it for direct reads only.
        const request = { seq, next_by_subj: subject } as MsgRequest;
        const found = await manager.streams.getMessage(this.#names.dead, request);
        if (found === null) break;
        letters.push({
          id: found.seq,
          lane: found.subject.slice(found.subject.lastIndexOf(".") + 1),
          key: keyOf(found.header.get(KEY)),
          payload: found.data,
          reason: decodeURIComponent(found.header.get(REASON)),
          failures: Number(found.header.get(FAILURES)),
          deadMs: found.time.getTime(),
        });
        seq = found.seq + 1;
      }
      return letters;
    } catch (error) {
      throw unavailable(error);
    }
  }

  async replay(query: DeadLetterQuery): Promise<number> {
    const letters = await this.deadLetters(query);
    let replayed = 0;
    try {
      const { client, manager } = this.#connected();
      for (const letter of letters) {
        const extra = headers();
        extra.set(KEY, Buffer.from(letter.key).toString("base64url"));
        // Another id than the first time, which the window may still hold; the same one if this is interrupted.
        const ack = await client.publish(this.#names.subject(letter.lane), letter.payload, {
          msgID: `replay-${letter.id}-${letter.deadMs}`,
          headers: extra,
          timeout: PUBLISH_TIMEOUT_MS,
        });
        await manager.streams.deleteMessage(this.#names.dead, letter.id);
        if (ack.duplicate) continue;
        replayed += 1;
        this.#dead = Math.max(0, this.#dead - 1);
        this.#lane(letter.lane).depth += 1;
      }
    } catch (error) {
      throw unavailable(error);
    }
    return replayed;
  }

  deadCount(): number {
    return this.#dead;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const lane of this.#lanes.values()) for (const { message } of lane.fetched.splice(0)) message.nak();
    const { connection } = this.#link ?? {};
    if (connection === undefined || connection.isClosed()) return;
    await Promise.race([
      connection.flush().catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 1_000).unref()),
    ]);
    await connection.close();
  }

  async #settleOne(settlement: Settlement): Promise<void> {
    const { delivery } = settlement;
    const message = this.#handed.get(delivery.id);
    if (message === undefined) return;
    this.#handed.delete(delivery.id);
    const lane = this.#lane(delivery.lane);
    switch (settlement.verdict) {
      case "release":
        message.nak(POLL_MS);
        return;
      case "retry":
        this.#countFailure(message.seq, delivery.failures + 1);
        message.nak(Math.ceil(settlement.delayMs));
        return;
      case "dead":
        await this.#publishDead(
          delivery,
          { reason: settlement.reason, failures: delivery.failures + 1 },
          `dead-${message.seq}-${message.info.timestampNanos}`,
        );
        break;
      default:
    }
    this.#failures.delete(message.seq);
    message.ack();
    lane.depth = Math.max(0, lane.depth - 1);
  }

  async #publishDead(
    message: QueueMessage,
    why: { readonly reason: string; readonly failures: number },
    /** Keeps a message that is given up twice, because its acknowledgement was lost, from being kept twice. */
    id?: string,
  ): Promise<void> {
    const extra = headers();
    extra.set(KEY, Buffer.from(message.key).toString("base64url"));
    extra.set(REASON, encodeURIComponent(why.reason.slice(0, MAX_REASON_CHARS).toWellFormed()));
    extra.set(FAILURES, String(why.failures));
    await this.#connected().client.publish(this.#names.deadSubject(message.lane), message.payload, {
      headers: extra,
      timeout: PUBLISH_TIMEOUT_MS,
      ...(id === undefined ? {} : { msgID: id }),
    });
    this.#dead += 1;
  }

  /** Bounded: what another process finished is never asked for again here, and must not pile up. */
  #countFailure(seq: number, failures: number): void {
    this.#failures.delete(seq);
    this.#failures.set(seq, failures);
    const oldest = this.#failures.keys().next().value;
    if (this.#failures.size > MAX_COUNTED && oldest !== undefined) this.#failures.delete(oldest);
  }

  async #fetch(lane: Lane, count: number): Promise<void> {
    const consumer = this.#link?.consumers.get(lane.name);
    if (lane.fetching || consumer === undefined || this.#closed) return;
    lane.fetching = true;
    try {
      const messages = await consumer.fetch({ max_messages: count, expires: FETCH_MS });
      for await (const message of messages) {
        if (this.#closed) message.nak();
        else lane.fetched.push({ message, atMs: performance.now() });
      }
    } catch (error) {
      if (this.#closed) return;
      this.#options.logger.warn(
        { lane: lane.name, err: error },
        "queue engine did not deliver, trying again",
      );
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS).unref());
    } finally {
      lane.fetching = false;
    }
  }

  async #connect(): Promise<void> {
    try {
      const link = await openLink(this.#options);
      if (this.#closed) {
        await link.connection.close();
        return;
      }
      this.#link = link;
      this.#options.logger.info({ queue: this.#options.name }, "queue engine connected");
      await this.#poll();
    } catch (error) {
      this.#options.logger.error({ queue: this.#options.name, err: error }, "queue engine cannot be reached");
      this.#again(() => this.#connect(), RECONNECT_MS * (1 + Math.random()));
    }
  }

  async #poll(): Promise<void> {
    try {
      const { manager } = this.#connected();
      const info = await manager.streams.info(this.#names.stream, { subjects_filter: ">" });
      for (const lane of this.#lanes.values()) {
        lane.depth = info.state.subjects?.[this.#names.subject(lane.name)] ?? 0;
      }
      this.#dead = (await manager.streams.info(this.#names.dead)).state.messages;
    } catch (error) {
      if (!this.#closed) this.#options.logger.warn({ err: error }, "queue depths could not be read");
    }
    this.#again(() => this.#poll(), POLL_MS);
  }

  #again(work: () => Promise<void>, ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void work(), ms);
    this.#timer.unref();
  }

  #connected(): JetStreamLink {
    if (this.#link !== undefined && !this.#closed) return this.#link;
    throw new QueueUnavailableError(
      this.#closed ? "the queue is closed" : "the queue engine is not connected",
    );
  }

  #lane(name: string): Lane {
    const lane = this.#lanes.get(name);
    if (lane === undefined) throw new RangeError(`there is no lane ${JSON.stringify(name)}`);
    return lane;
  }
}

function keyOf(header: string | undefined): string {
  return Buffer.from(header ?? "", "base64url").toString("utf8");
}

function unavailable(error: unknown): QueueUnavailableError {
  if (error instanceof QueueUnavailableError) return error;
  const reason = errorMessage(error);
  return new QueueUnavailableError(`the queue engine did not take it: ${reason}`, { cause: error });
}
