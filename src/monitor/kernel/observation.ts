import type { PartReading } from "./parts.ts";
import type { Series, Target } from "./target.ts";
import type { Instant } from "./time.ts";

/**
 * Why there is no usable value.
 * `missing`: the source answered and has no such series (or NaN, +-Inf, null);
 * `stale`: the newest sample is older than the limit, or its timestamp stands still;
 * `invalid`: an answer that cannot be trusted (duplicate series, negative, warnings, bad JSON, future timestamp, over the byte cap);
 * `unreachable`: no answer (refused, deadline, 5xx).
 */
export type Unusable = "missing" | "stale" | "invalid" | "unreachable";

/** What one source says of one series. Unknown is never zero: without `ok` there is no value. */
export type Observation =
  | {
      readonly status: "ok";
      readonly source: string;
      /** In the signal's unit; finite and not negative. */
      readonly value: number;
      /** When the sample was taken, milliseconds since the Unix epoch. */
      readonly timestampMs: number;
      /** Requests in the rate window behind the value; absent: unknown. A P95 over a handful is weak evidence. */
      readonly support?: number;
      /**
       * Present: the true value is this or more, since the measurement ends here; why, for people. It is no exact sample,
       * and says nothing where it lies below the SLO.
       */
      readonly atLeast?: string;
      /** The rate window behind it, milliseconds, where it is not the configured one. */
      readonly windowMs?: number;
      /** The instance that is worst, when the target is judged by its worst instance. */
      readonly instance?: string;
    }
  | {
      readonly status: Unusable;
      readonly source: string;
      /** For people: what was wrong, in one line. */
      readonly detail: string;
    };

export interface ObserveRequest {
  readonly plan: readonly Series[];
  readonly now: Instant;
  /** Aborted at the tick's deadline; a source gives up then and says `unreachable`. */
  readonly signal: AbortSignal;
}

/** A past value, for warming up. */
export interface HistorySample {
  readonly timestampMs: number;
  readonly value: number;
}

export interface HistoryRequest {
  readonly plan: readonly Series[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  readonly signal: AbortSignal;
}

/** What one source says of the parts of one target. */
export type PartsObservation =
  | {
      readonly status: "ok";
      readonly source: string;
      /** When the samples were taken, milliseconds since the Unix epoch: rates need it, the answer may be older than the call. */
      readonly timestampMs: number;
      readonly parts: readonly PartReading[];
    }
  | { readonly status: Unusable; readonly source: string; readonly detail: string };

export interface PartsRequest {
  readonly targets: readonly Target[];
  readonly now: Instant;
  readonly signal: AbortSignal;
}

/** Where measurements come from. Never throws: what goes wrong is in the observations. */
export interface MetricSource {
  readonly name: string;
  /** One observation a series, aligned with `plan`. */
  observe(request: ObserveRequest): Promise<readonly Observation[]>;
  /** Samples in ascending time, aligned with `plan`; an empty list where nothing is known. Absent: no history. */
  history?(request: HistoryRequest): Promise<readonly (readonly HistorySample[])[]>;
  /** One observation a target that has parts, aligned with `targets`. Absent: this source knows of no parts. */
  parts?(request: PartsRequest): Promise<readonly PartsObservation[]>;
}
