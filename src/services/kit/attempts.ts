/** Failures allowed from one address in one window. */
export const MAX_FAILURES = 30;
/** Length of the window, milliseconds. */
export const FAILURE_WINDOW_MS = 60_000;
const MAX_ADDRESSES = 1_000;

/** Counts refused tokens by address, so that guessing is slow. Bounded: the addresses seen longest ago go first. */
export class FailedAttempts {
  readonly #windows = new Map<string, { startMs: number; failures: number }>();

  /** Seconds this address must wait, or 0. `nowMs` is monotonic. */
  waitSeconds(address: string, nowMs: number): number {
    const window = this.#windows.get(address);
    if (window === undefined) return 0;
    const leftMs = window.startMs + FAILURE_WINDOW_MS - nowMs;
    if (leftMs <= 0) {
      this.#windows.delete(address);
      return 0;
    }
    return window.failures >= MAX_FAILURES ? Math.ceil(leftMs / 1_000) : 0;
  }

  /** Notes one refused token. */
  add(address: string, nowMs: number): void {
    const window = this.#windows.get(address);
    if (window !== undefined && nowMs - window.startMs < FAILURE_WINDOW_MS) {
      window.failures += 1;
      return;
    }
    this.#windows.delete(address);
    this.#windows.set(address, { startMs: nowMs, failures: 1 });
    if (this.#windows.size <= MAX_ADDRESSES) return;
    const oldest = this.#windows.keys().next().value;
    if (oldest !== undefined) this.#windows.delete(oldest);
  }
}
