import { z } from "zod";
import { described, flag, number, setting, text } from "../../common/settings/fields.ts";
import type { Internal } from "../../common/settings/internal.ts";
import type { Plugin } from "../kernel/plugin.ts";
import type { ScrapeRecipe, Signal, SignalShape, Thresholds, Unit } from "../kernel/signal.ts";

/** What one kind of signal is, before configuration. */
export interface SignalDefinition extends Pick<Plugin, "kind" | "docs"> {
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

/** A kind of signal: one folder of this room. */
export interface SignalPlugin extends SignalDefinition, Plugin<SignalSettings> {
  readonly settings: SignalSchema;
  /** The signal with these settings; what is not given is the definition's. */
  create(settings: SignalSettings): Signal;
}

type SignalSchema = ReturnType<typeof settingsOf>;
export type SignalSettings = Partial<Internal<SignalSchema>>;

export function defineSignal(definition: SignalDefinition): SignalPlugin {
  return {
    ...definition,
    settings: settingsOf(definition),
    metrics: [],
    create: (given) => signalOf(definition, given),
  };
}

const MAX_BYTES = 2 ** 53 - 1;

const scrapeRecipe = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({
      kind: z.literal("histogram_quantile"),
      metric: text("a metric name"),
      quantile: number({ min: 0, max: 1, unit: "a quantile" }),
      scale: number({ min: 0, max: 1e9, unit: "a factor", above: true }).default(1),
    }),
    z.strictObject({
      kind: z.literal("rate_ratio"),
      numerator: text("a metric name"),
      denominator: text("a metric name"),
    }),
    z.strictObject({
      kind: z.literal("gauge"),
      metric: text("a metric name"),
      combine: z.enum(["max", "sum"], { error: 'must be "max" or "sum"' }),
    }),
  ],
  { error: 'must have a kind: "histogram_quantile", "rate_ratio" or "gauge"' },
);

/** The keys are the same for every kind of signal; the thresholds also have flags. */
function settingsOf({ docs, unit, env, thresholds }: SignalDefinition) {
  const shown = thresholds({});
  const max = unit === "ratio" ? 1 : MAX_BYTES;
  const level = (name: keyof Thresholds) =>
    setting(number({ min: 0, max, unit, above: true }).optional(), `${docs.summary}: ${name} (${unit})`, {
      env: env[name],
      shownDefault: String(shown[name]),
    });
  const promql = () => text("a PromQL expression with $jobs, $by and $window").optional();
  return z
    .strictObject({
      enabled: described(flag().optional(), "false: not observed at all", "true"),
      slo: level("slo"),
      exit: level("exit"),
      limit: level("limit"),
      linear: described(
        flag().optional(),
        "false: the linear predictor forecasts and is shown, and never triggers",
        "true; false for memory",
      ),
      trend: described(flag().optional(), "the same for the trend predictor", "true"),
      query: described(promql(), "PromQL with `$jobs`, `$by` and `$window`", "of the signal"),
      support_query: described(
        promql(),
        "PromQL, same placeholders: requests in the window behind a value",
        "of the signal",
      ),
      scrape: described(
        scrapeRecipe.optional(),
        "how to compute it from a page: `{kind: gauge, metric: …, combine: max}`, `{kind: rate_ratio, numerator: …, denominator: …}` or `{kind: histogram_quantile, metric: …, quantile: 0.95, scale: 1000}`",
        "of the signal",
      ),
    })
    .prefault({});
}

function signalOf(definition: SignalDefinition, given: SignalSettings): Signal {
  const { kind, unit, shape, windowed, promql, supportPromql, scrape, predictors } = definition;
  return {
    name: kind,
    unit,
    shape,
    windowed,
    promql: given.query ?? promql,
    // Another query counts other requests: the default count would not be the one behind its values.
    supportPromql: given.supportQuery ?? (given.query === undefined ? supportPromql : undefined),
    scrape: given.scrape ?? scrape,
    thresholds: definition.thresholds(given),
    ...(unit === "ratio" ? { max: 1 } : {}),
    linear: given.linear ?? predictors.linear,
    trend: given.trend ?? predictors.trend,
  };
}
