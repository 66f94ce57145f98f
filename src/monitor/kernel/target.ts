import type { PartsRecipe } from "./parts.ts";
import type { Signal } from "./signal.ts";

/** One process of a target. */
export interface Instance {
  /** `host:port`, as in Prometheus' `instance` label. */
  readonly name: string;
  /** Base URL without a trailing slash, e.g. `http://app:8000`. */
  readonly url: string;
  /** Base URL of its Helius admin plane; absent: it is not stated to have one, and none is called. */
  readonly adminUrl?: string;
  /** Its metrics page, where that is not the path that all have: a whole URL. */
  readonly metricsUrl?: string;
}

/** What answers a forecast of a target, or a person who asks, where no playbook answers that series. */
export type Mitigation =
  | { readonly playbook: string }
  /** A kind of action, on the target itself or on what is named outside. */
  | { readonly action: string; readonly on?: Instance };

/** A service under watch: decided on as one, acted on instance by instance. */
export interface Target {
  readonly name: string;
  /** Value of the `job` label in Prometheus; empty: its series have none. */
  readonly job: string;
  /** What tells its series from others of the job: further labels with their values. */
  readonly match?: Readonly<Record<string, string>>;
  readonly instances: readonly Instance[];
  /** `job`: one value over all instances; `worst_instance`: the worst of the per-instance values. */
  readonly aggregate: "job" | "worst_instance";
  readonly signals: readonly Signal[];
  readonly cooldownMs: number;
  /** False: decide and log for this target, never call (shadow). */
  readonly autoHeal: boolean;
  /** Absent: it is watched, not touched. */
  readonly mitigation?: Mitigation;
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
