import type { PartsRecipe } from "./parts.ts";
import type { Signal } from "./signal.ts";

/** One process of a target. */
export interface Instance {
  /** `host:port`, as in Prometheus' `instance` label. */
  readonly name: string;
  /** Base URL without a trailing slash, e.g. `http://app:8000`. */
  readonly url: string;
  /** Base URL of its admin plane, where that is elsewhere. */
  readonly adminUrl?: string;
}

/** A service under watch: decided on as one, acted on instance by instance. */
export interface Target {
  readonly name: string;
  /** Value of the `job` label in Prometheus. */
  readonly job: string;
  readonly instances: readonly Instance[];
  /** `job`: one value over all instances; `worst_instance`: the worst of the per-instance values. */
  readonly aggregate: "job" | "worst_instance";
  readonly signals: readonly Signal[];
  readonly cooldownMs: number;
  /** False: decide and log for this target, never call (shadow). */
  readonly autoHeal: boolean;
  /** How its parts are told apart, where it has some (regions of a gateway). */
  readonly parts?: PartsRecipe;
}

/** One signal of one target: the unit that is observed, forecast and decided on. */
export interface Series {
  /** Position in every array that is aligned with the plan. */
  readonly index: number;
  readonly target: Target;
  readonly signal: Signal;
}

/** Stable key of a series, for state that outlives a process. */
export function seriesKey(target: string, signal: string): string {
  return `${target}/${signal}`;
}
