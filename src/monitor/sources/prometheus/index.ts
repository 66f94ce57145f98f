import { Agent, type Dispatcher } from "undici";
import { z } from "zod";
import { baseUrl, setting } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import type { MetricSource, Observation, ObserveRequest, PartsRequest } from "../../kernel/observation.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Notice, OpenSource, SourcePlugin } from "../shared/context.ts";
import { Bounds } from "./bounds.ts";
import { createQueryClient } from "./client.ts";
import { NAME } from "./combine.ts";
import type { FreshnessLimits } from "./freshness.ts";
import { readHistory } from "./history.ts";
import { Intervals } from "./intervals.ts";
import { createObserver } from "./observe.ts";
import { readParts } from "./parts.ts";

const settings = z.strictObject({
  url: setting(baseUrl().default("http://prometheus:9090"), "URL of Prometheus", { env: "PROM_URL" }),
});

export const prometheus = {
  kind: NAME,
  docs: { summary: "queries of a Prometheus server, or of what speaks its HTTP API" },
  settings,
  metrics: [],
  create: (context, { url }) => createPrometheusSource({ ...context, baseUrl: url }),
} as const satisfies SourcePlugin<Internal<typeof settings>>;

export interface PrometheusSourceOptions {
  /** `http://host:port`, with a path prefix where Prometheus has one. */
  readonly baseUrl: string;
  /** Total deadline of one `observe` or `parts` (retry included) or one `history`, milliseconds; must be shorter than the cycle. */
  readonly timeoutMs: number;
  /** Cap on one answer's body, bytes; about 200 a series are needed. Several answers are read at once, one a signal. */
  readonly maxResponseBytes: number;
  /** Oldest sample that still counts, milliseconds; longer where Prometheus scrapes a target more rarely. */
  readonly maxSampleAgeMs: number;
  /** How far a timestamp may lie ahead of our clock, milliseconds. */
  readonly maxFutureMs: number;
  /** What `$window` stands for, milliseconds; longer where Prometheus scrapes a target so rarely that it holds no two scrapes. */
  readonly rateWindowMs: number;
  /** Longest wait before the one retry, milliseconds; default 250. */
  readonly maxRetryDelayMs?: number;
  /** Uniform in [0, 1), for the retry's jitter; default `Math.random`. */
  readonly random?: () => number;
  /** Connections to use instead of the source's own; the caller then closes them. */
  readonly dispatcher?: Dispatcher;
  /** Told what an operator should know of Prometheus. */
  readonly notice?: Notice;
}

export type PrometheusSource = OpenSource & Required<Pick<MetricSource, "history" | "parts">>;

/**
 * The metric source on Prometheus' HTTP API. Each `observe` sends for each signal of all its targets one instant query for
 * the values and one for the age of each metric that they are computed of, and one for the time and success of every
 * target's last scrape. What is older than the limit is not used, whatever the look-back of Prometheus; a target without
 * `up` (pushed, recorded, federated) is judged by its samples' own times alone. A job is only as good as its worst
 * instance: one that is down makes the job's value partial, so it is held back.
 *
 * Throws a `TypeError` at once when `baseUrl` is not an http(s) URL.
 */
export function createPrometheusSource(options: PrometheusSourceOptions): PrometheusSource {
  const baseUrl = checkBaseUrl(options.baseUrl);
  const dispatcher = options.dispatcher ?? new Agent({ connections: 16, pipelining: 1 });
  const client = createQueryClient({
    baseUrl,
    dispatcher,
    maxResponseBytes: options.maxResponseBytes,
    maxRetryDelayMs: options.maxRetryDelayMs ?? 250,
    random: options.random ?? Math.random,
  });
  const notice = options.notice ?? (() => {});
  const configured = { windowMs: options.rateWindowMs, ageMs: options.maxSampleAgeMs };
  const intervals = new Intervals({ client, configured, notice });
  const bounds = new Bounds();

  /** The answer is younger than the call: its times are compared with the clock of its arrival. */
  const limitsFrom = (now: Instant) => {
    const startedMs = performance.now();
    return (ageMs: number): FreshnessLimits => ({
      nowMs: now.wallMs + performance.now() - startedMs,
      maxSampleAgeMs: ageMs,
      maxFutureMs: options.maxFutureMs,
    });
  };
  const deadlineOf = (signal: AbortSignal) =>
    AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
  const observer = createObserver({ client, intervals, bounds, configured, notice });

  return {
    name: NAME,
    async observe({ plan, now, signal }: ObserveRequest): Promise<readonly Observation[]> {
      if (plan.length === 0) return [];
      return observer({ plan, monoMs: now.monoMs, limits: limitsFrom(now), signal: deadlineOf(signal) });
    },
    parts: (request: PartsRequest) => {
      const deadline = deadlineOf(request.signal);
      return readParts(request, {
        name: NAME,
        ask: (promql, shape) => client.instant(promql, shape, deadline),
        spansOf: (target) => intervals.spansOf(target),
        limits: limitsFrom(request.now),
      });
    },
    history: (request) =>
      readHistory(
        { ...options, baseUrl, client, bounds, spansOf: (target) => intervals.spansOf(target) },
        request,
      ),
    close: async () => {
      if (!options.dispatcher) await dispatcher.destroy();
    },
  };
}

function checkBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new TypeError(
      `baseUrl must be an http or https URL such as http://prometheus:9090, got ${JSON.stringify(text)}`,
    );
  }
  return text.replace(/\/+$/, "");
}
