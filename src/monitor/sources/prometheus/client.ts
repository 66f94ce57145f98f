import { DelegateBackoff, handleWhenResult, retry } from "cockatiel";
import type { Dispatcher } from "undici";
import { type Answer, excerpt, first } from "../../../common/net/exchange.ts";
import { type Asked, ask } from "../shared/ask.ts";
import { parseAnswer, type ResultType, readRow, type Shape, type VectorRow } from "./answer.ts";

export interface QueryClientOptions {
  /** Without a trailing slash; may carry a path prefix. */
  readonly baseUrl: string;
  readonly dispatcher: Dispatcher;
  /** Cap on one answer's body, bytes. */
  readonly maxResponseBytes: number;
  /** Longest wait before the one retry, milliseconds; the wait is between half of it and all of it. */
  readonly maxRetryDelayMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

interface Unanswered {
  readonly ok: false;
  readonly status: "unreachable" | "invalid";
  readonly detail: string;
}

export type VectorAnswer = { readonly ok: true; readonly rows: readonly VectorRow[] } | Unanswered;
type RangeAnswer = { readonly ok: true; readonly rows: readonly unknown[] } | Unanswered;
type JsonAnswer = { readonly ok: true; readonly text: string } | Unanswered;

/** Evaluation times of a range query, milliseconds since the epoch. */
interface QueryRange {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

/** Asks Prometheus' HTTP API. Never throws. */
export interface QueryClient {
  /** At the server's own time. */
  instant(promql: string, shape: Shape, signal: AbortSignal): Promise<VectorAnswer>;
  range(promql: string, range: QueryRange, signal: AbortSignal): Promise<RangeAnswer>;
  /** Another endpoint of the API, as text. @param path e.g. `/api/v1/targets?state=active` */
  get(path: string, signal: AbortSignal): Promise<JsonAnswer>;
}

/**
 * A client for queries that keeps its limits: byte cap while streaming, the caller's signal as total deadline,
 * redirects refused, one jittered retry when the connection failed or the server answered 5xx.
 *
 * An instant query sends no `time` parameter. With it Prometheus would evaluate at our clock, and when its clock runs
 * ahead would serve old samples as fresh; without it, its clock shows in the answer and skew is seen.
 */
export function createQueryClient(options: QueryClientOptions): QueryClient {
  const { baseUrl, dispatcher, maxResponseBytes: maxBytes } = options;
  const backoff = new DelegateBackoff(() => options.maxRetryDelayMs * (0.5 + 0.5 * options.random()));
  const retryable = handleWhenResult((result) => {
    const asked = result as Asked;
    return !asked.ok && asked.retryable;
  });
  const policy = retry(retryable, { maxAttempts: 1, backoff });
  // POST: the list of jobs may be longer than a URL can be.
  const post = (path: string, params: Record<string, string>, signal: AbortSignal) =>
    policy.execute(
      () =>
        ask({
          url: `${baseUrl}${path}`,
          method: "POST",
          headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
          body: new URLSearchParams(params).toString(),
          dispatcher,
          maxBytes,
          signal,
        }),
      signal,
    );
  return {
    async instant(query, shape, signal) {
      const asked = await post("/api/v1/query", { query }, signal);
      if (!asked.ok) return asked;
      const answer = readAnswer(asked, "vector");
      return answer.ok ? { ok: true, rows: answer.rows.flatMap((row) => readRow(row, shape) ?? []) } : answer;
    },
    async range(query, range, signal) {
      const asked = await post("/api/v1/query_range", { query, ...inSeconds(range) }, signal);
      return asked.ok ? readAnswer(asked, "matrix") : asked;
    },
    async get(path, signal) {
      const headers = { accept: "application/json" };
      const asked = await ask({ url: `${baseUrl}${path}`, headers, dispatcher, maxBytes, signal });
      if (!asked.ok) return asked;
      if (asked.status !== 200) return { ok: false, status: "invalid", detail: `HTTP ${asked.status}` };
      return { ok: true, text: asked.body.toString("utf8") };
    },
  };
}

function inSeconds({ fromMs, toMs, stepMs }: QueryRange): Record<string, string> {
  return { start: `${fromMs / 1000}`, end: `${toMs / 1000}`, step: `${stepMs / 1000}` };
}

function readAnswer({ status, headers, body }: Answer, type: ResultType): RangeAnswer {
  const invalid = (detail: string): Unanswered => ({ ok: false, status: "invalid", detail });
  const contentType = first(headers["content-type"]) || "no content type";
  if (status === 200 && !/\bjson\b/i.test(contentType))
    return invalid(`answer is not JSON (${contentType}): ${excerpt(body)}`);
  const answer = parseAnswer(body.toString("utf8"), type);
  if (status !== 200) return invalid(`HTTP ${status}: ${answer.ok ? "unexpected status" : answer.detail}`);
  return answer.ok ? answer : invalid(answer.detail);
}
