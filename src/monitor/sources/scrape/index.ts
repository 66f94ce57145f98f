import { Agent, type Dispatcher } from "undici";
import { z } from "zod";
import { setting } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import type {
  MetricSource,
  Observation,
  ObserveRequest,
  PartsObservation,
  PartsRequest,
  Unusable,
} from "../../kernel/observation.ts";
import type { Signal } from "../../kernel/signal.ts";
import type { Instance, Series, Target } from "../../kernel/target.ts";
import { formatNumber } from "../../kernel/text.ts";
import type { Clock, Instant } from "../../kernel/time.ts";
import type { OpenSource, SourcePlugin } from "../shared/context.ts";
import { lowerBound } from "../shared/quantile.ts";
import { fellAndReturned, START_METRIC, wentBack } from "./alternation.ts";
import { type Computed, computeRecipe, metricsOf } from "./calculate.ts";
import type { InstanceHistory } from "./instance-history.ts";
import { Pages, type Scraped } from "./pages.ts";
import { partsMetrics, sumParts } from "./parts.ts";

const NAME = "scrape";

const settings = z.strictObject({
  path: setting(
    z
      .string({ error: "must be a path" })
      .regex(/^\/[^\s?#]*$/, "must be a path that starts with /")
      .default("/metrics"),
    "where a target shows its metrics",
  ),
});

export const scrape = {
  kind: NAME,
  docs: { summary: "the metrics page of every instance, read by the monitor itself: needs no Prometheus" },
  settings,
  metrics: [],
  create: (context, { path }) => createScrapeSource({ ...context, path }),
} as const satisfies SourcePlugin<Internal<typeof settings>>;

/** @internal for its tests */
export interface ScrapeSourceOptions {
  /** Path of the metrics page on every instance; default `/metrics`. */
  readonly path?: string;
  /** Deadline of one whole `observe` or `parts`, milliseconds; must be shorter than the cycle. */
  readonly timeoutMs: number;
  /** Cap on one page, bytes after decompression. */
  readonly maxResponseBytes: number;
  /** Window of rates, milliseconds; at least two cycles, better four, so that it holds two scrapes. */
  readonly rateWindowMs: number;
  readonly clock: Clock;
  /** Pages asked for at the same time; default 128. */
  readonly maxConcurrent?: number;
  /** Connections to use instead of the source's own; the caller then closes them. */
  readonly dispatcher?: Dispatcher;
}

export type ScrapeSource = OpenSource & Required<Pick<MetricSource, "parts">>;

/**
 * The metric source that needs no Prometheus: it reads `/metrics` of every instance itself and keeps the last rate
 * window of the counters it needs. Rates and quantiles are computed as Prometheus does, so a rate needs two scrapes:
 * to be warm for a fail-over, `observe` must be called every cycle.
 *
 * `parts` reads the page that `observe` fetched in this cycle (also one that is still on its way), and asks only where
 * there is none.
 *
 * A target is observed only when all its instances answered with a page that can be trusted: a part of them would be
 * partial data (`invalid`, naming the instance); `unreachable` when none answered.
 * @internal for its tests
 */
export function createScrapeSource(options: ScrapeSourceOptions): ScrapeSource {
  const dispatcher = options.dispatcher ?? new Agent({ connections: 2, pipelining: 1 });
  const pages = new Pages({
    ...options,
    dispatcher,
    path: options.path ?? "/metrics",
    maxConcurrent: options.maxConcurrent ?? 128,
  });
  const deadlineOf = (signal: AbortSignal) =>
    AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);

  async function observe({ plan, signal }: ObserveRequest): Promise<readonly Observation[]> {
    const instances = new Map<string, Instance>();
    const wanted = partsMetrics(plan.map(({ target }) => target)).add(START_METRIC);
    for (const { target, signal: observed } of plan) {
      for (const instance of target.instances) instances.set(instance.url, instance);
      for (const metric of metricsOf(observed.scrape)) wanted.add(metric);
    }
    pages.keep(instances);
    const scraped = await pages.fetch([...instances.keys()], wanted, deadlineOf(signal));
    return plan.map((series) => observeSeries(series, scraped));
  }

  async function parts({ targets, signal }: PartsRequest): Promise<readonly PartsObservation[]> {
    const divided = targets.filter((target) => target.parts !== undefined);
    const urls = new Set(divided.flatMap(({ instances }) => instances.map(({ url }) => url)));
    const scraped = await pages.ofThisCycle([...urls], partsMetrics(divided), deadlineOf(signal));
    return targets.map((target) => observeParts(target, scraped));
  }

  function observeSeries({ target, signal }: Series, scraped: ReadonlyMap<string, Scraped>): Observation {
    const times = timesOf(target, scraped);
    if ("status" in times) return times;
    const histories = historiesOf(target);
    const several = severalProcesses(histories, signal);
    if (several !== undefined) return unusable("invalid", several);
    const range = { endMs: Math.max(...times.map((at) => at.monoMs)), windowMs: options.rateWindowMs };
    const timestampMs = Math.min(...times.map((at) => at.wallMs));
    if (target.aggregate === "job") {
      return toObservation(computeRecipe(signal.scrape, histories, range), timestampMs, signal);
    }
    const each = histories.map((history) => computeRecipe(signal.scrape, [history], range));
    return worst(target, each, timestampMs, signal);
  }

  function observeParts(target: Target, scraped: ReadonlyMap<string, Scraped>): PartsObservation {
    if (target.parts === undefined) return unusable("missing", "target has no parts");
    const times = timesOf(target, scraped);
    if ("status" in times) return times;
    const summed = sumParts(target.parts, historiesOf(target));
    if (!summed.ok) return unusable(summed.status, summed.detail);
    const timestampMs = Math.min(...times.map((at) => at.wallMs));
    return { status: "ok", source: NAME, timestampMs, parts: summed.parts };
  }

  function historiesOf(target: Target): InstanceHistory[] {
    return target.instances.flatMap((instance) => pages.historyOf(instance.url));
  }

  return {
    name: NAME,
    observe,
    parts,
    close: async () => {
      if (!options.dispatcher) await dispatcher.destroy();
    },
  };
}

type UnusableObservation = Exclude<Observation, { status: "ok" }>;

/** Why a target is not to be trusted: one of its addresses is several processes. */
function severalProcesses(
  histories: readonly InstanceHistory[],
  { scrape: recipe }: Signal,
): string | undefined {
  const why = (how: string) =>
    `several processes answer under one address: ${how}; list every replica in urls, or watch it through Prometheus`;
  for (const history of histories) {
    const starts = history.series(START_METRIC);
    if (starts.some(wentBack)) return why(`${START_METRIC} goes back and forth`);
    if (starts.length > 0 || recipe.kind === "gauge") continue;
    const counter = metricsOf(recipe).find((metric) => history.series(metric).some(fellAndReturned));
    if (counter !== undefined) return why(`${counter} falls and returns`);
  }
  return undefined;
}

/** When the pages of a target's instances were asked for, if all of them answered. */
function timesOf(
  target: Target,
  scraped: ReadonlyMap<string, Scraped>,
): readonly Instant[] | UnusableObservation {
  const times: Instant[] = [];
  for (const { url } of target.instances) {
    const result = scraped.get(url);
    if (result?.ok) times.push(result.at);
  }
  const complete = times.length > 0 && times.length === target.instances.length;
  return complete ? times : incomplete(target, scraped, times.length);
}

/** The observation of a target of which at least one instance gave no page. */
function incomplete(
  target: Target,
  scraped: ReadonlyMap<string, Scraped>,
  answered: number,
): UnusableObservation {
  const failures = target.instances.flatMap(({ name, url }) => {
    const result = scraped.get(url);
    return result && !result.ok ? [{ name, ...result }] : [];
  });
  const first = failures.find((failure) => failure.status === "invalid") ?? failures[0];
  if (!first) return unusable("missing", "target has no instances");
  const detail = `${first.name}: ${first.detail}`;
  const total = target.instances.length;
  if (answered > 0)
    return unusable("invalid", `partial: ${failures.length} of ${total} instances gave no page (${detail})`);
  return unusable(first.status, detail);
}

/** The largest value; an instance without traffic is passed over, any other that has none spoils the target. */
function worst(target: Target, each: readonly Computed[], timestampMs: number, signal: Signal): Observation {
  let found: Observation | undefined;
  for (const [at, computed] of each.entries()) {
    const instance = target.instances[at]?.name ?? "";
    if (!computed.ok) {
      if (computed.idle) continue;
      return unusable(computed.status, `${instance}: ${computed.detail}`);
    }
    if (found?.status !== "ok" || computed.value > found.value) {
      const { value, ...more } = certain(computed, signal);
      found = { status: "ok", source: NAME, value, timestampMs, instance, ...more };
    }
  }
  return found ?? unusable("missing", "no traffic in the window");
}

function toObservation(computed: Computed, timestampMs: number, signal: Signal): Observation {
  if (!computed.ok) return unusable(computed.status, computed.detail);
  const { support } = computed;
  const known = certain(computed, signal);
  return {
    status: "ok",
    source: NAME,
    timestampMs,
    ...known,
    ...(support === undefined ? {} : { support }),
  };
}

/** What a value certainly is: of a quantile beyond what its buckets tell, the least. */
function certain(
  { value, bounds = [] }: Extract<Computed, { ok: true }>,
  { scrape: recipe, thresholds, unit }: Signal,
): { readonly value: number; readonly atLeast?: string } {
  if (bounds.length === 0 || recipe.kind !== "histogram_quantile") return { value };
  const shown = (number: number) => `${formatNumber(number)} ${unit}`;
  const least = lowerBound(value, bounds, { slo: thresholds.slo, metric: recipe.metric, shown });
  return least === undefined ? { value } : { value: least.value, atLeast: least.why };
}

function unusable(status: Unusable, detail: string): UnusableObservation {
  return { status, source: NAME, detail };
}
