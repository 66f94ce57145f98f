import type { Logger } from "pino";
import type { ServiceClock } from "../kit/clock.ts";
import type { Random } from "../kit/random.ts";
import { type Delivery, type DurableQueue, QueueUnavailableError, type Settlement } from "../queue/types.ts";
import type { RegionBreaker } from "./breaker.ts";
import type { DownstreamFault } from "./downstream-fault.ts";
import { isMessageKey, messageKey, parseTelemetry, parseTopic } from "./message.ts";
import type { GatewayMetrics } from "./metrics.ts";
import { REGIONS, type Region } from "./regions.ts";
import type { StoreItem } from "./store.ts";

/** Failed attempts after which a message is a dead letter. */
const MAX_FAILURES = 5;
/** Messages of one write at most. */
const MAX_BATCH = 1_000;
/** Longest time that saves up capacity, milliseconds. */
const MAX_CREDIT_MS = 250;
const MALFORMED = "malformed";
const DOWNSTREAM_REASON = "downstream write failed";

/** The downstream: all or nothing; throws when it is out of order. */
interface TelemetrySink {
  write(region: Region, items: readonly StoreItem[], nowMs: number): number;
}

export interface ConsumerOptions {
  readonly queue: DurableQueue;
  readonly sink: TelemetrySink;
  readonly breakers: ReadonlyMap<Region, RegionBreaker>;
  readonly fault: DownstreamFault;
  readonly metrics: GatewayMetrics;
  readonly clock: ServiceClock;
  readonly logger: Logger;
  readonly random: Random;
  /** Messages a second, all regions together. */
  readonly ratePerSecond: number;
  /** How many times slower now; 1 = not slowed. */
  readonly slowdown: () => number;
  /** Wait before the second attempt, milliseconds; it doubles with each failure. */
  readonly retryBaseMs: number;
}

/**
 * Moves messages from the buffer to the store at a sustainable rate, shared evenly among the regions that have any.
 * A region whose breaker is open is left alone: its messages stay in the buffer and count no failure.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  #lastMs: number;
  #credit = 0;
  #turn = 0;
  #running: Promise<void> | undefined;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#lastMs = options.clock.monoMs();
  }

  /** Delivers what the time since the last call allows. A call while another is under way waits for that one. */
  tick(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #round(): Promise<void> {
    this.#earn();
    await Promise.all(this.#deliverAll());
  }

  #earn(): void {
    const { clock, ratePerSecond, slowdown } = this.#options;
    const nowMs = clock.monoMs();
    const rate = ratePerSecond / slowdown();
    this.#credit += (Math.max(0, nowMs - this.#lastMs) / 1_000) * rate;
    this.#credit = Math.min(this.#credit, Math.max(1, (MAX_CREDIT_MS / 1_000) * rate));
    this.#lastMs = nowMs;
  }

  /** In two rounds: an even share each, then what is left to those that have more. Another region begins each time. */
  #deliverAll(): Promise<void>[] {
    this.#turn = (this.#turn + 1) % REGIONS.length;
    const order = [...REGIONS.slice(this.#turn), ...REGIONS.slice(0, this.#turn)];
    const settled: Promise<void>[] = [];
    for (const round of [1, 2]) {
      const share = round === 1 ? Math.ceil(this.#credit / order.length) : MAX_BATCH;
      for (const region of order) {
        const limit = Math.min(Math.floor(this.#credit), share, MAX_BATCH);
        if (limit < 1) break;
        settled.push(this.#deliver(region, limit));
      }
    }
    return settled;
  }

  #deliver(region: Region, limit: number): Promise<void> {
    const { queue, breakers, clock } = this.#options;
    const breaker = breakers.get(region);
    const allowed = breaker?.allowance(limit, clock.monoMs()) ?? limit;
    if (allowed < 1) return Promise.resolve();
    const deliveries = queue.take(region, allowed);
    if (deliveries.length === 0) return Promise.resolve();
    this.#credit -= deliveries.length;
    return this.#settle(region, this.#write(region, deliveries));
  }

  #write(region: Region, all: readonly Delivery[]): Settlement[] {
    const { fault, sink, breakers, clock, metrics, logger } = this.#options;
    const breaker = breakers.get(region);
    // A probe tests the downstream, not the message: its failure is not the message's.
    const probing = breaker?.state === "half_open";
    const { items, unfit } = fitting(all);
    const struck = new Set(items.filter(() => fault.strikes(region, clock.monoMs())));
    const writable = items.filter((item) => !struck.has(item));
    try {
      if (writable.length > 0) sink.write(region, writable, clock.wallMs());
    } catch (error) {
      logger.error({ region, err: error, messages: writable.length }, "telemetry store cannot write");
      breaker?.failed(clock.monoMs());
      return all.map((delivery) => ({ delivery, verdict: "release" }));
    }
    if (items.length > 0) {
      if (struck.size * 2 >= items.length) breaker?.failed(clock.monoMs());
      else breaker?.succeeded();
    }
    metrics.delivered(region, writable.length);
    const settled = items.map((item): Settlement => {
      const { delivery } = item;
      if (!struck.has(item)) return { delivery, verdict: "done" };
      return probing ? { delivery, verdict: "release" } : this.#failure(delivery);
    });
    return [...settled, ...unfit];
  }

  #failure(delivery: Delivery): Settlement {
    const failures = delivery.failures + 1;
    const reason = `${DOWNSTREAM_REASON}, attempt ${failures} of ${MAX_FAILURES}`;
    if (failures >= MAX_FAILURES) return { delivery, verdict: "dead", reason };
    const { retryBaseMs, random } = this.#options;
    // Up to a quarter more, so that what failed together does not come back together.
    const delayMs = retryBaseMs * 2 ** (failures - 1) * (1 + random() / 4);
    return { delivery, verdict: "retry", delayMs, reason };
  }

  async #settle(region: Region, settlements: readonly Settlement[]): Promise<void> {
    const { queue, metrics, logger } = this.#options;
    try {
      await queue.settle(settlements);
    } catch (error) {
      if (!(error instanceof QueueUnavailableError)) throw error;
      logger.error({ region, err: error }, "deliveries could not be recorded, they will be repeated");
      return;
    }
    metrics.retried(region, settlements.filter((settlement) => settlement.verdict === "retry").length);
    const dead = settlements.filter((settlement) => settlement.verdict === "dead");
    if (dead.length === 0) return;
    const malformed = dead.filter(({ reason }) => reason.startsWith(MALFORMED)).length;
    metrics.deadLettered(region, "malformed", malformed);
    metrics.deadLettered(region, "retries_exhausted", dead.length - malformed);
    logger.warn({ region, messages: dead.length }, "telemetry dead-lettered");
  }
}

interface Item extends StoreItem {
  readonly delivery: Delivery;
}

/**
 * Parts what can be written from what cannot. Everything was checked when it was accepted, except malformed dead letters
 * that were replayed: those are checked now, by the rules of now.
 */
function fitting(deliveries: readonly Delivery[]): { readonly items: Item[]; readonly unfit: Settlement[] } {
  const items: Item[] = [];
  const unfit: Settlement[] = [];
  for (const delivery of deliveries) {
    const { key, payload } = delivery;
    if (isMessageKey(key)) {
      items.push({ delivery, key, payload });
      continue;
    }
    try {
      const { device } = parseTopic(key);
      items.push({ delivery, key: messageKey(device, parseTelemetry(payload).id), payload });
    } catch (error) {
      unfit.push({ delivery, verdict: "dead", reason: `${MALFORMED}: ${(error as Error).message}` });
    }
  }
  return { items, unfit };
}
