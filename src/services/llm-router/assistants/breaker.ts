import {
  type CircuitBreakerPolicy,
  CircuitState,
  circuitBreaker,
  handleWhen,
  type IBackoff,
  type IBackoffFactory,
} from "cockatiel";
import { FailureWindow, type FailureWindowOptions } from "./failure-window.ts";

export type BreakerState = "closed" | "open" | "half_open";
export const BREAKER_STATES: readonly BreakerState[] = ["closed", "open", "half_open"];

export interface BreakerOptions extends FailureWindowOptions {
  /** How long it stays open before one call is let through as a probe, milliseconds. */
  readonly openMs: number;
  /** False: the error says nothing about the assistant. */
  readonly counts: (error: Error) => boolean;
  readonly onChange?: (state: BreakerState) => void;
}

/** The call was not made: the circuit is open, or its one probe is still under way. */
export class CircuitOpenError extends Error {
  override readonly name = "CircuitOpenError";
}

/**
 * Circuit breaker on the failure rate of a window (cockatiel's policy). Two things differ from the bare policy: what
 * comes while the probe is under way fails at once instead of waiting for it, and the time it stays open is monotonic,
 * so that a jump of the wall clock neither opens nor holds it.
 */
export class Breaker {
  readonly #policy: CircuitBreakerPolicy;

  constructor(options: BreakerOptions) {
    this.#policy = circuitBreaker(
      handleWhen((error) => options.counts(error as Error)),
      { breaker: new FailureWindow(options), halfOpenAfter: monotonicWait(options.openMs, options.monoMs) },
    );
    this.#policy.onStateChange(() => options.onChange?.(this.state));
  }

  get state(): BreakerState {
    const { state } = this.#policy;
    if (state === CircuitState.Closed) return "closed";
    return state === CircuitState.HalfOpen ? "half_open" : "open";
  }

  /** Runs `call`. Throws `CircuitOpenError` without running it, or what it throws. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.state === "half_open") throw new CircuitOpenError("the circuit's probe is under way");
    try {
      return await this.#policy.execute(call);
    } catch (error) {
      if ((error as { isBrokenCircuitError?: unknown }).isBrokenCircuitError !== true) throw error;
      throw new CircuitOpenError("the circuit is open", { cause: error });
    }
  }
}

/**
 * The policy compares the wall clock with `duration`: endless until the monotonic time is over, nothing from then on.
 */
function monotonicWait(openMs: number, monoMs: () => number): IBackoffFactory<unknown> {
  const next = (): IBackoff<unknown> => {
    const endMs = monoMs() + openMs;
    return {
      next,
      get duration() {
        return monoMs() >= endMs ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
      },
    };
  };
  return { next };
}
