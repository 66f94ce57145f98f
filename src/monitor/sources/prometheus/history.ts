import { PrometheusDriver, type QueryResult } from "prometheus-query";
import { isObject } from "../../../common/net/json.ts";
import type { HistoryRequest, HistorySample } from "../../kernel/observation.ts";
import type { Target } from "../../kernel/target.ts";
import { distrust, labelOf, type Shape } from "./answer.ts";
import type { Bounds } from "./bounds.ts";
import type { QueryClient } from "./client.ts";
import { groupPlan, type QueryGroup, rendered, type Spans } from "./groups.ts";
import { keyOf } from "./identity.ts";

/** Prometheus refuses range queries with more points a series than this. */
export const MAX_POINTS = 11_000;
/** Points asked for in one query: bounds the answer, and how long reading it blocks the event loop. */
const POINTS_PER_QUERY = 50_000;

export interface HistoryOptions {
  readonly baseUrl: string;
  /** Total deadline of one `history` call, milliseconds. */
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly spansOf: (target: Target) => Spans;
  /** For the buckets behind quantiles: what they tell only roughly is left out. */
  readonly client: Pick<QueryClient, "instant">;
  readonly bounds: Bounds;
}

/** @internal for its tests */
export interface Grid {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

/**
 * The evaluation times inside a range: multiples of the step, so that repeated calls see the same points, and the
 * newest 11,000 where there would be more. Undefined when no such time lies in it.
 * @internal for its tests
 */
export function alignRange({ fromMs, toMs, stepMs }: Grid): Grid | undefined {
  if (!(stepMs >= 1) || !Number.isFinite(fromMs) || !Number.isFinite(toMs)) return undefined;
  const step = Math.round(stepMs);
  const end = Math.floor(toMs / step) * step;
  const start = Math.max(Math.ceil(fromMs / step) * step, end - (MAX_POINTS - 1) * step, 0);
  return start > end ? undefined : { fromMs: start, toMs: end, stepMs: step };
}

/**
 * Past values through `/api/v1/query_range`, aligned with the plan; an empty list where nothing is known or the answer
 * cannot be trusted. Queries go one after the other, so at most one answer is in memory. Never throws.
 */
export async function readHistory(
  options: HistoryOptions,
  request: HistoryRequest,
): Promise<readonly (readonly HistorySample[])[]> {
  const result: (readonly HistorySample[])[] = request.plan.map(() => []);
  const grid = alignRange(request);
  if (!grid) return result;
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(options.timeoutMs)]);
  const driver = boundedDriver(options, signal);
  const position = new Map(request.plan.map((series, at) => [series, at]));
  for (const { group, identities } of batches(groupPlan(request.plan, options.spansOf), grid)) {
    if (signal.aborted) break;
    const ask = (query: string, shape: Shape) => options.client.instant(query, shape, signal);
    await options.bounds.read(group, identities.map(keyOf), { ask, monoMs: Number.NEGATIVE_INFINITY });
    const promql = rendered(group, group.template.values, identities);
    let answer: QueryResult;
    try {
      // Dates, as the library takes the number 0 for "not given".
      answer = await driver.rangeQuery(
        promql,
        new Date(grid.fromMs),
        new Date(grid.toMs),
        grid.stepMs / 1000,
      );
    } catch {
      // Warm-up is a convenience: without it the predictors start cold.
      continue;
    }
    for (const [key, samples] of foldRange(answer, group)) {
      for (const series of group.members.get(key)?.series ?? []) {
        const exact = samples.filter(
          ({ value }) => options.bounds.judge(group, key, value, series.signal) === undefined,
        );
        put(result, position.get(series), exact);
      }
    }
  }
  return result;
}

function put(
  result: (readonly HistorySample[])[],
  at: number | undefined,
  samples: readonly HistorySample[],
): void {
  if (at !== undefined) result[at] = samples;
}

function* batches(
  groups: readonly QueryGroup[],
  grid: Grid,
): Generator<{ group: QueryGroup; identities: readonly (readonly string[])[] }> {
  const points = (grid.toMs - grid.fromMs) / grid.stepMs + 1;
  const size = Math.max(1, Math.floor(POINTS_PER_QUERY / points));
  for (const group of groups) {
    const all = [...group.members.values()].map(({ identity }) => identity);
    for (let from = 0; from < all.length; from += size)
      yield { group, identities: all.slice(from, from + size) };
  }
}

/**
 * prometheus-query with limits put in from outside, as its own options have none: the request interceptor sets signal,
 * byte cap, no redirects and no proxy from the environment; the response interceptor refuses answers with warnings,
 * which the library reads from the wrong object and so never reports.
 */
function boundedDriver(options: HistoryOptions, signal: AbortSignal): PrometheusDriver {
  return new PrometheusDriver({
    endpoint: options.baseUrl,
    timeout: options.timeoutMs,
    preferPost: true,
    requestInterceptor: {
      onFulfilled: (config) => {
        config.signal = signal;
        config.maxContentLength = options.maxResponseBytes;
        config.maxRedirects = 0;
        config.proxy = false;
        return config;
      },
    },
    responseInterceptor: {
      onFulfilled: (response) => {
        const remark = isObject(response.data) ? distrust(response.data) : undefined;
        if (remark !== undefined) throw new Error(remark);
        return response;
      },
    },
  });
}

/** Merges a range answer into one list a target; `worst_instance` takes the largest value at each time. */
function foldRange(
  answer: QueryResult,
  { aggregate, names }: Pick<QueryGroup, "aggregate" | "names">,
): Map<string, HistorySample[]> {
  const lists = new Map<string, HistorySample[][]>();
  for (const series of answer.result ?? []) {
    const labels: unknown = series.metric?.labels;
    if (!isObject(labels)) continue;
    const key = keyOf(names.map((name) => labelOf(labels, name) ?? ""));
    const samples: HistorySample[] = [];
    for (const { time, value } of series.values) {
      if (Number.isFinite(value) && value >= 0) samples.push({ timestampMs: time.getTime(), value });
    }
    const of = lists.get(key);
    if (of) of.push(samples);
    else lists.set(key, [samples]);
  }
  const folded = new Map<string, HistorySample[]>();
  for (const [key, of] of lists) {
    if (of.length === 1 && of[0]) folded.set(key, of[0]);
    else if (aggregate === "worst_instance") folded.set(key, largest(of));
    // Two series for one target: it cannot be known which is right.
  }
  return folded;
}

function largest(lists: readonly (readonly HistorySample[])[]): HistorySample[] {
  const byTime = new Map<number, number>();
  for (const { timestampMs, value } of lists.flat()) {
    byTime.set(timestampMs, Math.max(value, byTime.get(timestampMs) ?? 0));
  }
  return [...byTime].sort((a, b) => a[0] - b[0]).map(([timestampMs, value]) => ({ timestampMs, value }));
}
