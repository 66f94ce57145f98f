import { DelegateBackoff, handleWhenResult, retry } from "cockatiel";
import type { Dispatcher } from "undici";
import { type Answer, excerpt, first } from "../../../common/net/exchange.ts";
import { type Asked, ask } from "../shared/ask.ts";
import { parseAnswer, type ResultType } from "./vector.ts";

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

export type QueryAnswer =
  | { readonly ok: true; readonly rows: readonly unknown[] }
  | { readonly ok: false; readonly status: "unreachable" | "invalid"; readonly detail: string };

/** Evaluation times of a range query, milliseconds since the epoch. */
interface QueryRange {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

/** Runs a query: at the server's own time, or over a range. Never throws. */
export type Query = (promql: string, signal: AbortSignal, range?: QueryRange) => Promise<QueryAnswer>;

/**
 * A client for queries that keeps its limits: byte cap while streaming, the caller's signal as total deadline,
 * redirects refused, one jittered retry when the connection failed or the server answered 5xx.
 *
 * An instant query sends no `time` parameter. With it Prometheus would evaluate at our clock, and when its clock runs
 * ahead would serve old samples as fresh; without it, its clock shows in the answer and skew is seen.
 */
export function createQuery(options: QueryClientOptions): Query {
  const { baseUrl, dispatcher, maxResponseBytes: maxBytes } = options;
  const backoff = new DelegateBackoff(() => options.maxRetryDelayMs * (0.5 + 0.5 * options.random()));
  const retryable = handleWhenResult((result) => {
    const asked = result as Asked;
    return !asked.ok && asked.retryable;
  });
  const policy = retry(retryable, { maxAttempts: 1, backoff });
  return async (query, signal, range) => {
    const params = { query, ...(range === undefined ? {} : inSeconds(range)) };
    // POST: the list of jobs may be longer than a URL can be.
    const attempt = () =>
      ask({
        url: `${baseUrl}/api/v1/query${range === undefined ? "" : "_range"}`,
        method: "POST",
        headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(params).toString(),
        dispatcher,
        maxBytes,
        signal,
      });
    const asked = await policy.execute(attempt, signal);
    return asked.ok ? readAnswer(asked, range === undefined ? "vector" : "matrix") : asked;
  };
}

function inSeconds({ fromMs, toMs, stepMs }: QueryRange): Record<string, string> {
  return { start: `${fromMs / 1000}`, end: `${toMs / 1000}`, step: `${stepMs / 1000}` };
}

function readAnswer({ status, headers, body }: Answer, type: ResultType): QueryAnswer {
  const invalid = (detail: string): QueryAnswer => ({ ok: false, status: "invalid", detail });
  const contentType = first(headers["content-type"]) || "no content type";
  if (status === 200 && !/\bjson\b/i.test(contentType))
    return invalid(`answer is not JSON (${contentType}): ${excerpt(body)}`);
  const answer = parseAnswer(body.toString("utf8"), type);
  if (status !== 200) return invalid(`HTTP ${status}: ${answer.ok ? "unexpected status" : answer.detail}`);
  return answer.ok ? answer : invalid(answer.detail);
}
