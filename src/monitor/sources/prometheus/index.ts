import { Agent, type Dispatcher } from "undici";
import { z } from "zod";
import { baseUrl, setting } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import type { MetricSource, Observation, ObserveRequest, PartsRequest } from "../../kernel/observation.ts";
import type { Series } from "../../kernel/target.ts";
import type { Instant } from "../../kernel/time.ts";
import type { OpenSource, SourcePlugin } from "../shared/context.ts";
import { createQuery, type QueryAnswer } from "./client.ts";
import { type Freshness, type FreshnessLimits, judgeTime, readFreshness } from "./freshness.ts";
import { preparedFor } from "./groups.ts";
import { readHistory } from "./history.ts";
import { readParts } from "./parts.ts";
import { countKey, type JobReading, readCounts, readJobs } from "./vector.ts";

const NAME = "prometheus";

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
  /** Oldest last scrape that still counts, milliseconds; at least two scrape intervals. */
  readonly maxSampleAgeMs: number;
  /** How far a timestamp may lie ahead of our clock, milliseconds. */
  readonly maxFutureMs: number;
  /** What `$window` stands for, milliseconds. */
  readonly rateWindowMs: number;
  /** Longest wait before the one retry, milliseconds; default 250. */
  readonly maxRetryDelayMs?: number;
  /** Uniform in [0, 1), for the retry's jitter; default `Math.random`. */
  readonly random?: () => number;
  /** Connections to use instead of the source's own; the caller then closes them. */
  readonly dispatcher?: Dispatcher;
}

export type PrometheusSource = OpenSource & Required<Pick<MetricSource, "history" | "parts">>;

/**
 * The metric source on Prometheus' HTTP API. Each `observe` sends one instant query a signal for all its targets, and
 * one for the time and success of every job's last scrape: values whose job was not scraped of late, or whose last
 * scrape failed, are refused, since `rate()` goes on answering from its window and gauges for five minutes.
 * A job is only as good as its worst instance: one that is down makes the job's value partial, so it is held back.
 *
 * Throws a `TypeError` at once when `baseUrl` is not an http(s) URL.
 */
export function createPrometheusSource(options: PrometheusSourceOptions): PrometheusSource {
  const baseUrl = checkBaseUrl(options.baseUrl);
  const dispatcher = options.dispatcher ?? new Agent({ connections: 16, pipelining: 1 });
  const query = createQuery({
    baseUrl,
    dispatcher,
    maxResponseBytes: options.maxResponseBytes,
    maxRetryDelayMs: options.maxRetryDelayMs ?? 250,
    random: options.random ?? Math.random,
  });

  /** The answer is younger than the call: its times are compared with the clock of its arrival. */
  function limitsAt(now: Instant, startedMs: number): FreshnessLimits {
    return {
      nowMs: now.wallMs + performance.now() - startedMs,
      maxSampleAgeMs: options.maxSampleAgeMs,
      maxFutureMs: options.maxFutureMs,
    };
  }

  async function parts(request: PartsRequest) {
    const startedMs = performance.now();
    const deadline = AbortSignal.any([request.signal, AbortSignal.timeout(options.timeoutMs)]);
    return readParts(request, {
      name: NAME,
      ask: (promql) => query(promql, deadline),
      limits: () => limitsAt(request.now, startedMs),
    });
  }

  async function observe({ plan, now, signal }: ObserveRequest): Promise<readonly Observation[]> {
    if (plan.length === 0) return [];
    const startedMs = performance.now();
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
    const { freshnessQuery, groups } = preparedFor(plan, options.rateWindowMs);
    // Groups that count the same requests share one query.
    const asked = new Map<string, Promise<QueryAnswer>>();
    const ask = (promql: string) => {
      const running = asked.get(promql) ?? query(promql, deadline);
      asked.set(promql, running);
      return running;
    };
    const counting = groups.map(async ({ support }) => {
      const answer = support === undefined ? undefined : await ask(support);
      return answer?.ok ? readCounts(answer.rows) : undefined;
    });
    const [freshnessAnswer, ...answers] = await Promise.all([
      ask(freshnessQuery),
      ...groups.map(({ values }) => ask(values)),
    ]);
    const counts = await Promise.all(counting);
    const limits = limitsAt(now, startedMs);
    const freshness = freshnessAnswer.ok ? readFreshness(freshnessAnswer.rows, limits) : undefined;
    const bySeries = new Map<Series, Observation>();
    for (const [at, { group }] of groups.entries()) {
      const answer = pick(answers, at);
      const readings = answer.ok ? readJobs(answer.rows, group.aggregate) : undefined;
      for (const [job, members] of group.byJob) {
        const about = {
          job,
          answer,
          reading: readings?.get(job),
          counts: counts[at],
          freshnessAnswer,
          fresh: freshness?.get(job),
          limits,
        };
        const observation = combine(about);
        for (const series of members) bySeries.set(series, observation);
      }
    }
    return plan.map((series) => bySeries.get(series) ?? unusable("missing", "series was not asked for"));
  }

  return {
    name: NAME,
    observe,
    parts,
    history: (request) => readHistory({ ...options, baseUrl }, request),
    close: async () => {
      if (!options.dispatcher) await dispatcher.destroy();
    },
  };
}

interface Evidence {
  readonly job: string;
  readonly answer: QueryAnswer;
  readonly reading: JobReading | undefined;
  readonly counts: ReadonlyMap<string, number> | undefined;
  readonly freshnessAnswer: QueryAnswer;
  readonly fresh: Freshness | undefined;
  readonly limits: FreshnessLimits;
}

/** One job's observation from its value and from when it was last scraped; the first thing that is wrong decides. */
function combine({ job, answer, reading, counts, freshnessAnswer, fresh, limits }: Evidence): Observation {
  if (!answer.ok) return unusable(answer.status, answer.detail);
  if (!freshnessAnswer.ok) {
    return unusable(freshnessAnswer.status, `age of the samples is unknown: ${freshnessAnswer.detail}`);
  }
  if (!fresh && !reading) return unusable("missing", `Prometheus knows no job ${job}`);
  if (!fresh) return unusable("stale", `Prometheus no longer scrapes job ${job} (no up sample)`);
  if (!fresh.ok) return unusable(fresh.status, fresh.detail);
  if (!reading) return unusable("missing", `no such series for job ${job}`);
  if (!reading.ok) return unusable(reading.status, reading.detail);
  const evaluated = judgeTime("evaluation", reading.evaluatedMs, limits);
  if (!evaluated.ok) return unusable(evaluated.status, evaluated.detail);
  const support = counts?.get(countKey(job, reading.instance));
  return {
    status: "ok",
    source: NAME,
    value: reading.value,
    timestampMs: fresh.scrapedMs,
    ...(support === undefined ? {} : { support }),
    ...(reading.instance === undefined ? {} : { instance: reading.instance }),
  };
}

function unusable(status: Exclude<Observation["status"], "ok">, detail: string): Observation {
  return { status, source: NAME, detail };
}

function pick(answers: readonly QueryAnswer[], at: number): QueryAnswer {
  return answers[at] ?? { ok: false, status: "invalid", detail: "query was not sent" };
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
