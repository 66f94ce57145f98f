import type { Answer } from "../ledger.ts";
import type { Parameter, ParameterValues } from "../parameters.ts";
import type { FaultMode, InjectionTime } from "./fault-mode.ts";
import { constantRamp, type Ramp, rampAt, steerTo } from "./ramp.ts";
import { ShareSelector } from "./share.ts";

/** A share of the requests is answered 500; a later call replaces the share. */
export class ErrorFault implements FaultMode {
  readonly mode = "error";
  readonly parameters: readonly Parameter[] = [
    { name: "ratio", type: "number", unit: "", min: 0, aboveMin: true, max: 1 },
  ];
  readonly #selector = new ShareSelector();
  #ramp: Ramp = constantRamp(0);

  inject(values: ParameterValues, time: InjectionTime): Answer {
    this.#ramp = steerTo(this.#ramp, { to: values.number("ratio"), ...time });
    return { error_ratio: this.#ramp.to };
  }

  /** Whether the request that arrives at `nowMs` fails. */
  strikes(nowMs: number): boolean {
    const ratio = rampAt(this.#ramp, nowMs);
    return ratio > 0 && this.#selector.pick(ratio);
  }

  clear(): boolean {
    const active = this.#ramp.to > 0;
    this.#ramp = constantRamp(0);
    this.#selector.reset();
    return active;
  }

  describe(nowMs: number): Answer | undefined {
    if (this.#ramp.to === 0) return undefined;
    return { error_ratio: rampAt(this.#ramp, nowMs), final_ratio: this.#ramp.to };
  }
}
