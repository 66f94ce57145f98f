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

/** What one kind of signal is, before configuration. One folder of `src/monitor/signals` each. */
export interface SignalDefinition {
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  readonly unit: Unit;
  readonly shape: SignalShape;
  /** True when a value speaks of a whole rate window, so that samples up to one window after an action are from before it. */
  readonly windowed: boolean;
  /** PromQL with the placeholders `$jobs` (regular expression), `$by` (grouping labels) and `$window` (rate window). */
  readonly promql: string;
  /** PromQL, same placeholders: requests in the rate window behind a value; absent where no count stands behind it. */
  readonly supportPromql?: string;
  readonly scrape: ScrapeRecipe;
  /** Default thresholds, from those that the operator gave. */
  readonly thresholds: (given: Partial<Thresholds>) => Thresholds;
  /** Environment variables of the contract that set a threshold. */
  readonly env: { readonly slo?: string; readonly exit?: string; readonly limit?: string };
  /** Which predictors may trigger on it by default. */
  readonly predictors: { readonly linear: boolean; readonly trend: boolean };
}

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
  /** Whether each predictor may trigger; one that is off still forecasts. */
  readonly linear: boolean;
  readonly trend: boolean;
}
