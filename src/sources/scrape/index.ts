import { Agent, type Dispatcher } from "undici";
import type { MetricSource, Observation, ObserveRequest } from "../../domain/observation.ts";
import type { Instance, Series, Target } from "../../domain/target.ts";
import type { Clock, Instant } from "../../domain/time.ts";
import { boundedRequest } from "../shared/bounded-http.ts";
import { type Computed, computeRecipe, metricsOf } from "./calculate.ts";
import { InstanceHistory } from "./instance-history.ts";
import { ExpositionError, parseExposition } from "./parser.ts";

const NAME = "scrape";

export interface ScrapeSourceOptions {
  /** Path of the metrics page on every instance; default `/metrics`. */
  readonly path?: string;
  /** Deadline of one whole `observe`, milliseconds; must be shorter than the cycle. */
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

export interface ScrapeSource extends MetricSource {
  /** Closes the source's own connections. */
  close(): Promise<void>;
}

type Scraped =
  | { readonly ok: true; readonly at: Instant }
  | { readonly ok: false; readonly status: "unreachable" | "invalid"; readonly detail: string };

/** What is remembered of one instance between cycles. */
interface InstanceState {
  readonly history: InstanceHistory;
  /** It did not answer last time: it goes to the end of the queue, so that it holds up no other. */
  suspect: boolean;
}

/**
 * The metric source that needs no Prometheus: it reads `/metrics` of every instance itself and keeps the last rate
 * window of the counters it needs. Rates and quantiles are computed as Prometheus does, so a rate needs two scrapes:
 * to be warm for a fail-over, `observe` must be called every cycle.
 *
 * A target is observed only when all its instances answered with a page that can be trusted: a part of them would be
 * partial data (`invalid`, naming the instance); `unreachable` when none answered.
 */
export function createScrapeSource(options: ScrapeSourceOptions): ScrapeSource {
  const dispatcher = options.dispatcher ?? new Agent({ connections: 2, pipelining: 1 });
  const path = options.path ?? "/metrics";
  const states = new Map<string, InstanceState>();

  async function observe({ plan, signal }: ObserveRequest): Promise<readonly Observation[]> {
    const instances = new Map<string, Instance>();
    const wanted = new Set<string>();
    for (const { target, signal: observed } of plan) {
      for (const instance of target.instances) instances.set(instance.url, instance);
      for (const metric of metricsOf(observed.scrape)) wanted.add(metric);
    }
    for (const url of states.keys()) if (!instances.has(url)) states.delete(url);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
    const scraped = await scrapeAll([...instances.keys()], wanted, deadline);
    return plan.map((series) => observeSeries(series, scraped));
  }

  async function scrapeAll(urls: string[], wanted: ReadonlySet<string>, deadline: AbortSignal) {
    const results = new Map<string, Scraped>();
    const isSuspect = (url: string): number => (states.get(url)?.suspect ? 1 : 0);
    const queue = urls.sort((a, b) => isSuspect(a) - isSuspect(b)).values();
    const worker = async (): Promise<void> => {
      for (const url of queue) {
        const state = states.get(url) ?? {
          history: new InstanceHistory(options.rateWindowMs),
          suspect: false,
        };
        states.set(url, state);
        if (deadline.aborted) {
          // Never asked, so no suspicion either.
          results.set(url, { ok: false, status: "unreachable", detail: "no time left to ask it" });
          continue;
        }
        const result = await scrapeOne({ url, history: state.history, wanted, deadline });
        state.suspect = !result.ok && result.status === "unreachable";
        results.set(url, result);
      }
    };
    // The workers share one iterator: each takes the next instance when it is done with its last.
    await Promise.all(Array.from({ length: Math.min(options.maxConcurrent ?? 128, urls.length) }, worker));
    return results;
  }

  async function scrapeOne({ url, history, wanted, deadline }: ScrapeJob): Promise<Scraped> {
    const at = options.clock.now();
    const answer = await boundedRequest({
      url: url + path,
      dispatcher,
      method: "GET",
      headers: { accept: "text/plain;version=0.0.4", "accept-encoding": "gzip" },
      maxBytes: options.maxResponseBytes,
      signal: deadline,
    });
    if (!answer.ok) return answer;
    if (answer.httpStatus !== 200)
      return { ok: false, status: "invalid", detail: `HTTP ${answer.httpStatus}` };
    const problem = takeIn(answer.body, { history, wanted, at });
    return problem === undefined ? { ok: true, at } : { ok: false, status: "invalid", detail: problem };
  }

  function observeSeries({ target, signal }: Series, scraped: ReadonlyMap<string, Scraped>): Observation {
    const times: Instant[] = [];
    for (const instance of target.instances) {
      const result = scraped.get(instance.url);
      if (result?.ok) times.push(result.at);
    }
    if (times.length < target.instances.length || times.length === 0)
      return incomplete(target, scraped, times.length);
    const histories = target.instances.flatMap((instance) => states.get(instance.url)?.history ?? []);
    const range = { endMs: Math.max(...times.map((at) => at.monoMs)), windowMs: options.rateWindowMs };
    const timestampMs = Math.min(...times.map((at) => at.wallMs));
    if (target.aggregate === "job") {
      return toObservation(computeRecipe(signal.scrape, histories, range), timestampMs);
    }
    const each = histories.map((history) => computeRecipe(signal.scrape, [history], range));
    return worst(target, each, timestampMs);
  }

  return {
    name: NAME,
    observe,
    close: async () => {
      if (!options.dispatcher) await dispatcher.destroy();
    },
  };
}

interface ScrapeJob {
  readonly url: string;
  readonly history: InstanceHistory;
  readonly wanted: ReadonlySet<string>;
  readonly deadline: AbortSignal;
}

interface PageSink {
  readonly history: InstanceHistory;
  readonly wanted: ReadonlySet<string>;
  readonly at: Instant;
}

/** Reads a page into the history; returns what is wrong with it, if anything. */
function takeIn(body: Buffer, { history, wanted, at }: PageSink): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    return history.add(parseExposition(text, wanted), at);
  } catch (error) {
    if (error instanceof ExpositionError) return `page breaks the text format: ${error.message}`;
    if (error instanceof TypeError) return "page is not UTF-8";
    throw error;
  }
}

/** The observation of a target of which at least one instance gave no page. */
function incomplete(target: Target, scraped: ReadonlyMap<string, Scraped>, answered: number): Observation {
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
function worst(target: Target, each: readonly Computed[], timestampMs: number): Observation {
  let found: Observation | undefined;
  for (const [at, computed] of each.entries()) {
    const instance = target.instances[at]?.name ?? "";
    if (!computed.ok) {
      if (computed.idle) continue;
      return unusable(computed.status, `${instance}: ${computed.detail}`);
    }
    if (found?.status !== "ok" || computed.value > found.value) {
      found = { status: "ok", source: NAME, value: computed.value, timestampMs, instance };
    }
  }
  return found ?? unusable("missing", "no traffic in the window");
}

function toObservation(computed: Computed, timestampMs: number): Observation {
  if (!computed.ok) return unusable(computed.status, computed.detail);
  const { value, support } = computed;
  return { status: "ok", source: NAME, value, timestampMs, ...(support === undefined ? {} : { support }) };
}

function unusable(status: Exclude<Observation["status"], "ok">, detail: string): Observation {
  return { status, source: NAME, detail };
}
