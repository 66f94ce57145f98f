import type { Answer } from "../ledger.ts";
import type { Parameter, ParameterValues } from "../parameters.ts";
import type { FaultMode, InjectionTime } from "./fault-mode.ts";
import { constantRamp, type Ramp, raise, rampAt } from "./ramp.ts";

/** The most that calls can add up to, milliseconds. */
const MAX_LATENCY_MS = 5_000;

/** Artificial latency of every request; calls add up. */
export class LatencyFault implements FaultMode {
  readonly mode = "latency";
  readonly parameters: readonly Parameter[] = [
    { name: "inc", type: "number", unit: "milliseconds", min: 0, aboveMin: true, max: MAX_LATENCY_MS },
  ];
  #ramp: Ramp = constantRamp(0);

  inject(values: ParameterValues, time: InjectionTime): Answer {
    this.#ramp = raise(this.#ramp, {
      by: values.number("inc"),
      cap: MAX_LATENCY_MS,
      nowMs: time.nowMs,
      overMs: time.overMs,
    });
    return { artificial_latency_ms: tidy(this.#ramp.to) };
  }

  /** Delay of a request that arrives at `nowMs`, milliseconds. */
  delayMs(nowMs: number): number {
    return tidy(rampAt(this.#ramp, nowMs));
  }

  clear(): boolean {
    const active = this.#ramp.to > 0;
    this.#ramp = constantRamp(0);
    return active;
  }

  describe(nowMs: number): Answer | undefined {
    if (this.#ramp.to === 0) return undefined;
    return { artificial_latency_ms: this.delayMs(nowMs), final_latency_ms: tidy(this.#ramp.to) };
  }
}

/** Without the last digits that sums of decimals leave. */
function tidy(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
