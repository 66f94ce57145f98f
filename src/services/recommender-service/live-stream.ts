import type { Basket } from "./model/interactions.ts";

/** Baskets that are remembered for the next training; the oldest are forgotten. */
const MAX_LIVE_BASKETS = 5_000;

/** The live data that the next training learns from: what customers had looked at when they were advised. Bounded, in memory. */
export class LiveStream {
  #baskets: Basket[] = [];
  #dropped = 0;

  /** Takes in the known products of a history; one alone says nothing about what goes together. */
  offer(basket: Basket, paused: boolean): void {
    if (basket.length < 2) return;
    if (paused) {
      this.#dropped += 1;
      return;
    }
    this.#baskets.push(basket);
    if (this.#baskets.length > 2 * MAX_LIVE_BASKETS) this.#baskets = this.#baskets.slice(-MAX_LIVE_BASKETS);
  }

  /** What the next training learns from. */
  baskets(): readonly Basket[] {
    return this.#baskets.slice(-MAX_LIVE_BASKETS);
  }

  /** Baskets that came while the stream was paused. */
  get dropped(): number {
    return this.#dropped;
  }
}
