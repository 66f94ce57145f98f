/** A rate limit with a burst of one second's worth (one at least). Times are monotonic milliseconds. */
export class TokenBucket {
  #perSecond: number;
  #tokens: number;
  #atMs: number;

  constructor(options: { readonly perSecond: number; readonly nowMs: number }) {
    this.#perSecond = options.perSecond;
    this.#tokens = Math.max(1, options.perSecond);
    this.#atMs = options.nowMs;
  }

  /** Another rate from now on. What was saved up beyond the new burst is lost. */
  setRate(perSecond: number, nowMs: number): void {
    if (perSecond === this.#perSecond) return;
    this.#refill(nowMs);
    this.#perSecond = perSecond;
    this.#tokens = Math.min(this.#tokens, Math.max(1, perSecond));
  }

  /** Takes one token; answers 0, or the milliseconds until there is one (and then takes none). */
  take(nowMs: number): number {
    this.#refill(nowMs);
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return ((1 - this.#tokens) / this.#perSecond) * 1_000;
  }

  #refill(nowMs: number): void {
    const elapsedS = Math.max(0, nowMs - this.#atMs) / 1_000;
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#tokens = Math.min(Math.max(1, this.#perSecond), this.#tokens + elapsedS * this.#perSecond);
  }
}
