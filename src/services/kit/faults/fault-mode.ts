import type { Answer } from "../ledger.ts";
import type { Parameter, ParameterValues } from "../parameters.ts";

/** When a fault is injected, and over which time it grows. */
export interface InjectionTime {
  /** Monotonic, milliseconds. */
  readonly nowMs: number;
  /** 0: the whole effect at once. */
  readonly overMs: number;
}

/**
 * A kind of fault: `POST /admin/fault?mode=MODE&…`. The parameters are checked before `inject` sees them; `mode` and
 * `over` need not be declared.
 */
export interface FaultMode {
  readonly mode: string;
  readonly parameters: readonly Parameter[];
  /** Takes effect and answers the fields after `mode`. Throws `HttpError`, and then nothing has changed. */
  inject(values: ParameterValues, time: InjectionTime): Answer;
  /** Undoes everything. True when there was something to undo. */
  clear(): boolean;
  /** The present state for people; undefined while the fault is off. */
  describe(nowMs: number): Answer | undefined;
  /** Called about five times a second, for what a pure function of time cannot do. */
  advance?(nowMs: number): void;
}
