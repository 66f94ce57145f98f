import { CircuitState, type IBreaker } from "cockatiel";

/** Pieces a window is counted in; what has left it may still count for one piece's length. */
const BUCKETS = 10;

export interface FailureWindowOptions {
  /** Length of the window, milliseconds. */
  readonly windowMs: number;
  /** The circuit opens at this share of failures, above 0 to 1. */
  readonly failureRate: number;
  /** Fewer calls in the window than this never open it. */
  readonly minCalls: number;
  /** Monotonic clock, milliseconds. */
  readonly monoMs: () => number;
}

interface Bucket {
  epoch: number;
  failures: number;
  calls: number;
}

/**
 * Failure rate over a window of real time, for cockatiel's circuit breaker. The library's own sampling breaker advances
 * by one bucket a call however long ago the last one was, so that at one call a minute its window of seconds is one of
 * many minutes; and it follows the wall clock, jumps included.
 */
export class FailureWindow implements IBreaker {
  readonly #options: FailureWindowOptions;
  #buckets: Bucket[] = [];

  constructor(options: FailureWindowOptions) {
    this.#options = options;
  }

  get state(): unknown {
    return this.#buckets.map((bucket) => ({ ...bucket }));
  }
  set state(value: unknown) {
    this.#buckets = structuredClone(value) as Bucket[];
  }

  success(state: CircuitState): void {
    if (state === CircuitState.HalfOpen) this.#buckets = [];
    this.#count(0);
  }

  failure(state: CircuitState): boolean {
    this.#count(1);
    if (state !== CircuitState.Closed) return true;
    let failures = 0;
    let calls = 0;
    for (const bucket of this.#buckets) {
      failures += bucket.failures;
      calls += bucket.calls;
    }
    return calls >= this.#options.minCalls && failures >= this.#options.failureRate * calls;
  }

  #count(failures: number): void {
    const epoch = Math.floor((this.#options.monoMs() * BUCKETS) / this.#options.windowMs);
    this.#buckets = this.#buckets.filter((bucket) => bucket.epoch > epoch - BUCKETS);
    const last = this.#buckets.at(-1);
    if (last?.epoch === epoch) {
      last.failures += failures;
      last.calls += 1;
    } else this.#buckets.push({ epoch, failures, calls: 1 });
  }
}
