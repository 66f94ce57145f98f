import type { Answer } from "../ledger.ts";
import type { Parameter, ParameterValues } from "../parameters.ts";
import type { FaultMode, InjectionTime } from "./fault-mode.ts";
import { constantRamp, type Ramp, rampAt, steerTo } from "./ramp.ts";

/** The consumer of a queue is slowed down; a later call replaces the factor. */
export class BacklogFault implements FaultMode {
  readonly mode = "backlog";
  readonly parameters: readonly Parameter[] = [
    { name: "factor", type: "number", unit: "", min: 1, aboveMin: true, max: 1_000 },
  ];
  #ramp: Ramp = constantRamp(1);

  inject(values: ParameterValues, time: InjectionTime): Answer {
    this.#ramp = steerTo(this.#ramp, { to: values.number("factor"), ...time });
    return { backlog_factor: this.#ramp.to };
  }

  /** How many times slower the consumer is at `nowMs`; 1 = not slowed. */
  factor(nowMs: number): number {
    return rampAt(this.#ramp, nowMs);
  }

  clear(): boolean {
    const active = this.#ramp.to > 1;
    this.#ramp = constantRamp(1);
    return active;
  }

  describe(nowMs: number): Answer | undefined {
    if (this.#ramp.to === 1) return undefined;
    return { backlog_factor: this.factor(nowMs), final_factor: this.#ramp.to };
  }
}
