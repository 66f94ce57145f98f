import { randomUUID } from "node:crypto";
import type { Product } from "./catalogue.ts";

/** `queued`: waits; `confirmed`: taken from stock; `backordered`: the stock was too small, and was ordered anew. */
type OrderStatus = "queued" | "confirmed" | "backordered";

export interface Order {
  readonly id: string;
  readonly product_id: number;
  readonly quantity: number;
  readonly total_cents: number;
  readonly status: OrderStatus;
}

export interface OrderQueueOptions {
  /** Orders that may wait; more are refused. */
  readonly capacity: number;
  /** Orders the worker processes a second, when it is not slowed. */
  readonly ratePerSecond: number;
  /** How many times slower the worker is now; 1 = not slowed. */
  readonly slowdown: () => number;
  /** Monotonic time of the start, milliseconds. */
  readonly nowMs: number;
  /** Processed orders that are remembered; the oldest are forgotten. Default 10,000. */
  readonly remembered?: number;
}

/** Pieces of each product after a delivery; also the most that one order can take. */
const FULL_STOCK = 1_000;

/** Accepted orders wait in a bounded queue and are processed in order at a steady rate. */
export class OrderQueue {
  readonly #options: OrderQueueOptions;
  readonly #orders = new Map<string, Order>();
  readonly #stock = new Map<number, number>();
  #waiting: string[] = [];
  #next = 0;
  #lastMs: number;
  #credit = 0;

  constructor(options: OrderQueueOptions) {
    this.#options = options;
    this.#lastMs = options.nowMs;
  }

  /** Orders that wait. */
  get depth(): number {
    return this.#waiting.length - this.#next;
  }

  /** Queues an order; undefined when the queue is full. The product must exist. */
  place(product: Product, quantity: number): Order | undefined {
    if (this.depth >= this.#options.capacity) return undefined;
    const order: Order = {
      id: randomUUID(),
      product_id: product.id,
      quantity,
      total_cents: product.price_cents * quantity,
      status: "queued",
    };
    this.#orders.set(order.id, order);
    this.#waiting.push(order.id);
    return order;
  }

  find(id: string): Order | undefined {
    return this.#orders.get(id);
  }

  /** Seconds until a full queue has room again, at the present rate. */
  secondsUntilRoom(): number {
    return Math.max(1, Math.ceil(this.#options.slowdown() / this.#options.ratePerSecond));
  }

  /** Processes what the time since the last call allows. An idle worker saves up no more than one order. */
  advance(nowMs: number): void {
    const elapsed = Math.max(0, nowMs - this.#lastMs) / 1_000;
    this.#lastMs = nowMs;
    this.#credit += (elapsed * this.#options.ratePerSecond) / this.#options.slowdown();
    while (this.#credit >= 1 && this.depth > 0) {
      this.#credit -= 1;
      this.#processNext();
    }
    if (this.depth === 0) this.#credit = Math.min(1, this.#credit);
    this.#tidy();
  }

  #processNext(): void {
    const id = this.#waiting[this.#next];
    this.#next += 1;
    const order = id === undefined ? undefined : this.#orders.get(id);
    if (order === undefined) return;
    const stock = this.#stock.get(order.product_id) ?? FULL_STOCK;
    const enough = stock >= order.quantity;
    this.#stock.set(order.product_id, enough ? stock - order.quantity : FULL_STOCK);
    // Moved to the end of the map, so that its head is the order processed longest ago or waiting longest.
    this.#orders.delete(order.id);
    this.#orders.set(order.id, { ...order, status: enough ? "confirmed" : "backordered" });
  }

  #tidy(): void {
    if (this.#next > 1_000 && this.#next * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    let excess = this.#orders.size - this.depth - (this.#options.remembered ?? 10_000);
    for (const [id, order] of this.#orders) {
      if (excess <= 0) return;
      if (order.status === "queued") continue;
      this.#orders.delete(id);
      excess -= 1;
    }
  }
}
