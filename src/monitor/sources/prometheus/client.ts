import { DelegateBackoff, handleWhenResult, retry } from "cockatiel";
import type { Dispatcher } from "undici";
import { boundedRequest, excerpt, type HttpFailure, type HttpSuccess } from "../shared/bounded-http.ts";
import { parseVectorAnswer } from "./vector.ts";

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

/** Runs one instant query at the server's own time. Never throws. */
export type InstantQuery = (promql: string, signal: AbortSignal) => Promise<QueryAnswer>;

/**
 * A client for instant queries that keeps its limits: byte cap while streaming, the caller's signal as total deadline,
 * redirects refused, one jittered retry when the connection failed or the server answered 5xx.
 *
 * No `time` parameter is sent. With it Prometheus would evaluate at our clock, and when its clock runs ahead would
 * serve old samples as fresh; without it, its clock shows in the answer and skew is seen.
 */
export function createInstantQuery(options: QueryClientOptions): InstantQuery {
  const backoff = new DelegateBackoff(() => options.maxRetryDelayMs * (0.5 + 0.5 * options.random()));
  const policy = retry(
    handleWhenResult((result) => isFailure(result) && result.retryable),
    { maxAttempts: 1, backoff },
  );
  return async (promql, signal) => {
    const attempt = () =>
      boundedRequest({
        // POST: the list of jobs may be longer than a URL can be.
        url: `${options.baseUrl}/api/v1/query`,
        method: "POST",
        headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ query: promql }).toString(),
        dispatcher: options.dispatcher,
        maxBytes: options.maxResponseBytes,
        signal,
      });
    const exchange = await policy.execute(attempt, signal);
    return exchange.ok ? readAnswer(exchange) : exchange;
  };
}

function readAnswer(exchange: HttpSuccess): QueryAnswer {
  const { httpStatus, contentType, body } = exchange;
  if (httpStatus === 200 && !/\bjson\b/i.test(contentType)) {
    const kind = contentType === "" ? "no content type" : contentType;
    return { ok: false, status: "invalid", detail: `answer is not JSON (${kind}): ${excerpt(body)}` };
  }
  const answer = parseVectorAnswer(body.toString("utf8"));
  if (answer.ok && httpStatus === 200) return answer;
  const prefix = httpStatus === 200 ? "" : `HTTP ${httpStatus}: `;
  return {
    ok: false,
    status: "invalid",
    detail: `${prefix}${answer.ok ? "unexpected status" : answer.detail}`,
  };
}

function isFailure(result: unknown): result is HttpFailure {
  return typeof result === "object" && result !== null && "ok" in result && result.ok === false;
}
