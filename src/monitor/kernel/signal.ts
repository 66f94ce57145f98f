/** What a signal's curve is like: which constants of the trend predictor fit it. */
export type SignalShape = "latency" | "ratio" | "memory" | "backlog";

/** Units a signal is shown and configured in. */
export type Unit = "ms" | "ratio" | "bytes" | "messages";

/**
 * Three levels of one signal, in the signal's unit, with exit <= slo < limit.
 * Risk is entered above `slo`, left below `exit`; `limit` is where the service is certainly broken.
 */
export interface Thresholds {
  readonly slo: number;
  readonly exit: number;
  readonly limit: number;
}

/** How the scrape source computes a signal from one `/metrics` page and those before it. */
export type ScrapeRecipe =
  | {
      readonly kind: "histogram_quantile";
      /** Base name of the histogram, without `_bucket`. */
      readonly metric: string;
      readonly quantile: number;
      /** Factor from the histogram's unit to the signal's. */
      readonly scale: number;
    }
  | { readonly kind: "rate_ratio"; readonly numerator: string; readonly denominator: string }
  | { readonly kind: "gauge"; readonly metric: string; readonly combine: "max" | "sum" };

/** A signal of one target with its configuration resolved. */
export interface Signal {
  readonly name: string;
  readonly unit: Unit;
  readonly shape: SignalShape;
  readonly windowed: boolean;
  readonly promql: string;
  readonly supportPromql?: string | undefined;
  readonly scrape: ScrapeRecipe;
  readonly thresholds: Thresholds;
  /** Largest value there can be, e.g. 1 for a share; absent: there is no such bound. */
  readonly max?: number;
  /** Whether each predictor may trigger; one that is off still forecasts. */
  readonly linear: boolean;
  readonly trend: boolean;
}
