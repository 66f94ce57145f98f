import type { ScrapeRecipe } from "../../kernel/signal.ts";

/** Samples of one series in ascending time; the two arrays have the same length. @internal for its tests */
export interface Samples {
  /** Milliseconds on any one clock. */
  readonly times: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

/** The range `(endMs - windowMs, endMs]` that a rate speaks of. */
export interface Range {
  readonly endMs: number;
  readonly windowMs: number;
}

/** A series as the recipes see it. */
export interface RecipeSeries extends Samples {
  /** Upper bound of a histogram bucket (`le`), where the series has one. */
  readonly le: number | undefined;
}

/** Everything known of one instance. */
export interface RecipeData {
  /** Series of a metric in the window; none: an empty list. */
  series(metric: string): readonly RecipeSeries[];
  /** Newest values of a metric on the newest page. */
  current(metric: string): readonly number[];
  /** Whether the newest page declares the metric, if only with `# TYPE`. */
  declared(metric: string): boolean;
}

export type Computed =
  | {
      readonly ok: true;
      readonly value: number;
      /** Requests in the range behind the value; for rates and quantiles. */
      readonly support?: number;
      /** Of a quantile: the finite bounds of its buckets, ascending, in the unit of the value. */
      readonly bounds?: readonly number[];
    }
  | {
      readonly ok: false;
      readonly status: "missing" | "invalid";
      readonly detail: string;
      readonly idle: boolean;
    };

/** Names of the metrics whose samples a recipe needs. */
export function metricsOf(recipe: ScrapeRecipe): readonly string[] {
  if (recipe.kind === "histogram_quantile") return [`${recipe.metric}_bucket`];
  return recipe.kind === "gauge" ? [recipe.metric] : [recipe.numerator, recipe.denominator];
}

/** Computes a recipe over all given instances together, as Prometheus does with `sum` over them. */
export function computeRecipe(
  recipe: ScrapeRecipe,
  instances: readonly RecipeData[],
  range: Range,
): Computed {
  if (recipe.kind === "gauge") return gauge(recipe, instances);
  if (recipe.kind === "rate_ratio") return rateRatio(recipe, instances, range);
  return quantile(recipe, instances, range);
}

/**
 * Increase a second over the range, by the rule of Prometheus' `rate()`: counter resets are added back, then the
 * increase between first and last sample is extended to the borders of the range, unless they are more than 1.1 sample
 * distances away, and never to below zero at the start.
 * Undefined with fewer than two samples in the range; NaN when a sample is negative or not finite.
 * Source: `extrapolatedRate` in Prometheus' promql/functions.go (2.x), described in its documentation of `rate`.
 * @internal for its tests
 */
export function extrapolatedRate({ times, values }: Samples, { endMs, windowMs }: Range): number | undefined {
  const startMs = endMs - windowMs;
  let count = 0;
  let firstTime = 0;
  let lastTime = 0;
  let firstValue = 0;
  let lastValue = 0;
  let resets = 0;
  for (let at = 0; at < times.length; at++) {
    const time = times[at] ?? Number.NaN;
    if (!(time > startMs && time <= endMs)) continue;
    const value = values[at] ?? Number.NaN;
    if (!Number.isFinite(value) || value < 0) return Number.NaN;
    if (count === 0) {
      firstTime = time;
      firstValue = value;
    } else if (value < lastValue) resets += lastValue;
    count += 1;
    lastTime = time;
    lastValue = value;
  }
  if (count < 2 || lastTime === firstTime) return undefined;
  const increase = lastValue - firstValue + resets;
  const sampled = lastTime - firstTime;
  const distance = sampled / (count - 1);
  let toStart = firstTime - startMs;
  const toEnd = endMs - lastTime;
  if (increase > 0) toStart = Math.min(toStart, sampled * (firstValue / increase));
  const threshold = distance * 1.1;
  const covered =
    sampled + (toStart < threshold ? toStart : distance / 2) + (toEnd < threshold ? toEnd : distance / 2);
  return (increase * (covered / sampled)) / (windowMs / 1000);
}

/** @internal for its tests */
export interface Bucket {
  /** Upper bound; the last one must be infinite. */
  readonly le: number;
  /** Cumulative count or rate. */
  readonly count: number;
}

/**
 * Quantile of a cumulative histogram by Prometheus' rule: linear inside the bucket, from zero in the first one; the
 * last finite bound when it falls into the infinite bucket. Buckets of one bound are added up; counts that fall are
 * raised to their predecessor's.
 * `q` in [0, 1]. NaN when there is no infinite bucket, fewer than two buckets, or nothing was observed.
 * Source: `bucketQuantile` in Prometheus' promql/quantile.go.
 * @internal for its tests
 */
export function bucketQuantile(q: number, given: readonly Bucket[]): number {
  const merged = new Map<number, number>();
  for (const { le, count } of given) merged.set(le, (merged.get(le) ?? 0) + count);
  const bounds = [...merged.keys()].sort((a, b) => a - b);
  const last = bounds.length - 1;
  if (last < 1 || bounds[last] !== Number.POSITIVE_INFINITY) return Number.NaN;
  const counts: number[] = [];
  let highest = Number.NEGATIVE_INFINITY;
  for (const bound of bounds) {
    highest = Math.max(highest, merged.get(bound) ?? 0);
    counts.push(highest);
  }
  const total = counts[last] ?? 0;
  if (total === 0) return Number.NaN;
  const rank = q * total;
  const at = counts.findIndex((count, index) => index === last || count >= rank);
  const upper = bounds[at] ?? Number.NaN;
  if (at === last) return bounds[last - 1] ?? Number.NaN;
  if (at === 0 && upper <= 0) return upper;
  const lower = at === 0 ? 0 : (bounds[at - 1] ?? Number.NaN);
  const below = at === 0 ? 0 : (counts[at - 1] ?? 0);
  const inside = (counts[at] ?? 0) - below;
  return lower + (upper - lower) * ((rank - below) / inside);
}

type GaugeRecipe = Extract<ScrapeRecipe, { kind: "gauge" }>;
type RatioRecipe = Extract<ScrapeRecipe, { kind: "rate_ratio" }>;
type QuantileRecipe = Extract<ScrapeRecipe, { kind: "histogram_quantile" }>;

function gauge({ metric, combine }: GaugeRecipe, instances: readonly RecipeData[]): Computed {
  const values = instances.flatMap((instance) => instance.current(metric));
  if (values.length === 0) return missing(`no metric ${metric}`);
  if (!values.every(Number.isFinite)) return missing(`${metric} is not a finite number`);
  if (values.some((value) => value < 0)) return invalid(`${metric} is negative`);
  // Not by spread: one argument a series could overflow the stack.
  return {
    ok: true,
    value: values.reduce((sum, value) => (combine === "sum" ? sum + value : Math.max(sum, value)), 0),
  };
}

function rateRatio(recipe: RatioRecipe, instances: readonly RecipeData[], range: Range): Computed {
  const denominator = sumOfRates(recipe.denominator, instances, range);
  if (!denominator.ok) return denominator;
  if (denominator.value === 0) return idle("no traffic in the window");
  // Many counters do not exist before they count something: with traffic that is a zero.
  const untouched = instances.every((instance) => instance.series(recipe.numerator).length === 0);
  const support = denominator.value * (range.windowMs / 1000);
  if (untouched) return { ok: true, value: 0, support };
  const numerator = sumOfRates(recipe.numerator, instances, range);
  return numerator.ok ? { ok: true, value: numerator.value / denominator.value, support } : numerator;
}

function quantile(recipe: QuantileRecipe, instances: readonly RecipeData[], range: Range): Computed {
  const metric = `${recipe.metric}_bucket`;
  const buckets: Bucket[] = [];
  let known = false;
  for (const series of instances.flatMap((instance) => instance.series(metric))) {
    known = true;
    const rate = extrapolatedRate(series, range);
    if (rate === undefined || series.le === undefined) continue;
    if (Number.isNaN(rate)) return invalid(`${metric} has a sample that is negative or not finite`);
    buckets.push({ le: series.le, count: rate });
  }
  if (buckets.length === 0) return noRate(metric, known, range);
  if (!buckets.some(({ le }) => le === Number.POSITIVE_INFINITY))
    return invalid(`${metric} has no bucket le="+Inf"`);
  const finite = [...new Set(buckets.map(({ le }) => le).filter(Number.isFinite))].sort((a, b) => a - b);
  const bounds = finite.map((bound) => bound * recipe.scale);
  if (finite.length === 0) return invalid(`${recipe.metric} has no finite bucket: it tells no quantile`);
  const value = bucketQuantile(recipe.quantile, buckets) * recipe.scale;
  if (Number.isNaN(value)) return idle("no traffic in the window");
  if (value < 0) return invalid(`quantile of ${metric} is negative`);
  const perSecond = buckets.reduce(
    (sum, { le, count }) => (le === Number.POSITIVE_INFINITY ? sum + count : sum),
    0,
  );
  return { ok: true, value, support: perSecond * (range.windowMs / 1000), bounds };
}

function sumOfRates(metric: string, instances: readonly RecipeData[], range: Range): Computed {
  let sum: number | undefined;
  let known = false;
  for (const series of instances.flatMap((instance) => instance.series(metric))) {
    known = true;
    const rate = extrapolatedRate(series, range);
    if (rate === undefined) continue;
    if (Number.isNaN(rate)) return invalid(`${metric} has a sample that is negative or not finite`);
    sum = (sum ?? 0) + rate;
  }
  return sum === undefined ? noRate(metric, known, range) : { ok: true, value: sum };
}

function noRate(metric: string, known: boolean, { windowMs }: Range): Computed {
  return missing(known ? `${metric} needs two scrapes within ${windowMs / 1000} s` : `no metric ${metric}`);
}

function missing(detail: string): Computed {
  return { ok: false, status: "missing", detail, idle: false };
}

function idle(detail: string): Computed {
  return { ok: false, status: "missing", detail, idle: true };
}

function invalid(detail: string): Computed {
  return { ok: false, status: "invalid", detail, idle: false };
}
