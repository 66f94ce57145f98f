import { CircuitState, CountBreaker } from "cockatiel";

export const BREAKER_STATES = ["closed", "open", "half_open"] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

/** Writes the verdict looks back on. */
const WINDOW = 10;
/** Writes before there is a verdict. */
const MINIMUM = 3;
const FAILURE_SHARE = 0.5;

export interface RegionBreakerOptions {
  /** First pause after opening, milliseconds. It doubles with each probe that fails, up to `maxPauseMs`. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  readonly onChange?: (from: BreakerState, to: BreakerState) => void;
}

/**
 * Circuit breaker of one region's downstream write: opens when at least half of the last 10 writes failed (3 at least),
 * pauses, then lets one probe through. The judgement is cockatiel's `CountBreaker`; the pause runs on the time that the
 * caller gives (monotonic milliseconds), so that a change of the wall clock does not matter.
 */
export class RegionBreaker {
  readonly #options: RegionBreakerOptions;
  #count = newCount();
  #state: BreakerState = "closed";
  #pauseMs: number;
  #retryAtMs = 0;

  constructor(options: RegionBreakerOptions) {
    this.#options = options;
    this.#pauseMs = options.pauseMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** How many messages the next write may hold: `limit`, 1 for a probe, or 0 while it pauses. */
  allowance(limit: number, nowMs: number): number {
    if (this.#state === "open" && nowMs >= this.#retryAtMs) this.#become("half_open");
    if (this.#state === "open") return 0;
    return this.#state === "half_open" ? Math.min(1, limit) : limit;
  }

  succeeded(): void {
    if (this.#state === "half_open") {
      this.#pauseMs = this.#options.pauseMs;
      this.#count = newCount();
      this.#become("closed");
    } else {
      this.#count.success(CircuitState.Closed);
    }
  }

  failed(nowMs: number): void {
    if (this.#state === "half_open") this.#pauseMs = Math.min(this.#options.maxPauseMs, this.#pauseMs * 2);
    else if (this.#state === "open" || !this.#count.failure(CircuitState.Closed)) return;
    this.#retryAtMs = nowMs + this.#pauseMs;
    this.#become("open");
  }

  #become(state: BreakerState): void {
    const from = this.#state;
    this.#state = state;
    this.#options.onChange?.(from, state);
  }
}

function newCount(): CountBreaker {
  // It opens above the threshold; a half must be enough.
  return new CountBreaker({ threshold: FAILURE_SHARE - 1e-9, size: WINDOW, minimumNumberOfCalls: MINIMUM });
}
