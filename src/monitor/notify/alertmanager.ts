import { DelegateBackoff, handleWhenResult, retry } from "cockatiel";
import { Agent, type Dispatcher, request } from "undici";
import type { EscalationAlert, Escalator, NotifyResult } from "../kernel/verification.ts";

export interface AlertmanagerSettings {
  /** Base URL without a trailing slash. */
  readonly url: string;
  /** For everything of one `tell`, repeats included, milliseconds above 0. */
  readonly timeoutMs: number;
  /** Longest wait before a repeat; the wait is between half of it and all of it, milliseconds. */
  readonly maxRetryDelayMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  /** Connections to use instead of its own; the caller then closes them. */
  readonly dispatcher?: Dispatcher;
}

/** Tries of one call, the first included. */
const ATTEMPTS = 3;
/** Alerts of one call: what there is more goes in the next. */
const BATCH = 50;
/** Longest answer that is read, bytes. Alertmanager answers with nothing, or with a short complaint. */
const MAX_ANSWER = 16_384;
/** The header `Date` has whole seconds, and the answer took its time: less than this is no difference of clocks. */
const SKEW_MS = 5000;

type Answer =
  | { readonly ok: true; readonly skewMs: number | undefined }
  | { readonly ok: false; readonly detail: string; readonly retryable: boolean };

/**
 * Tells people through Alertmanager's v2 API. Redirects are refused, answers bounded, repeats jittered, and all of it
 * within one deadline. Alertmanager takes an alert for over when its end has passed on its own clock; where that differs
 * from ours by seconds, as its answers show, times are given on its clock.
 */
export function createAlertmanagerEscalator(settings: AlertmanagerSettings): Escalator {
  const { url, timeoutMs, maxRetryDelayMs, random, now } = settings;
  const own = settings.dispatcher
    ? undefined
    : new Agent({ connect: { timeout: timeoutMs }, headersTimeout: 0, bodyTimeout: 0 });
  const dispatcher = settings.dispatcher ?? (own as Dispatcher);
  const policy = retry(
    handleWhenResult((result) => isRetryable(result)),
    {
      maxAttempts: ATTEMPTS - 1,
      backoff: new DelegateBackoff(() => maxRetryDelayMs * (0.5 + 0.5 * random())),
    },
  );
  // Kept until it differs clearly, so that the start of an episode stays what it was.
  let skewMs = 0;

  const post = async (alerts: readonly EscalationAlert[], signal: AbortSignal): Promise<Answer> => {
    const body = JSON.stringify(alerts.map((alert) => payload(alert, skewMs)));
    const once = () => call({ dispatcher, url: `${url}/api/v2/alerts`, body, signal, now });
    try {
      return await policy.execute(once, signal);
    } catch (error) {
      // Given up on between two attempts.
      return { ok: false, detail: messageOf(error, signal), retryable: true };
    }
  };

  const tellBatch = async (alerts: readonly EscalationAlert[], signal: AbortSignal): Promise<Answer> => {
    const answer = await post(alerts, signal);
    if (!answer.ok || answer.skewMs === undefined || Math.abs(answer.skewMs - skewMs) <= SKEW_MS)
      return answer;
    // What was just sent may already be over on its clock.
    skewMs = answer.skewMs;
    return post(alerts, signal);
  };

  return {
    async tell(alerts, outer): Promise<NotifyResult> {
      const signal = AbortSignal.any([outer, AbortSignal.timeout(timeoutMs)]);
      for (let from = 0; from < alerts.length; from += BATCH) {
        const answer = await tellBatch(alerts.slice(from, from + BATCH), signal);
        // What ran out of time is not repeated here, but may well be taken later.
        if (!answer.ok)
          return { status: "failed", detail: answer.detail, retryable: answer.retryable || signal.aborted };
      }
      return { status: "delivered", skewMs };
    },
    close: async () => {
      await own?.destroy();
    },
  };
}

function isRetryable(result: unknown): boolean {
  const answer = result as Answer;
  return !answer.ok && answer.retryable;
}

/** As Alertmanager takes it: RFC 3339, on its clock. */
function payload(alert: EscalationAlert, skewMs: number): Record<string, unknown> {
  const at = (ms: number) => new Date(ms + skewMs).toISOString();
  return {
    labels: alert.labels,
    annotations: alert.annotations,
    startsAt: at(alert.startsAtMs),
    endsAt: at(alert.endsAtMs),
    ...(alert.generatorUrl === undefined ? {} : { generatorURL: alert.generatorUrl }),
  };
}

async function call(input: {
  dispatcher: Dispatcher;
  url: string;
  body: string;
  signal: AbortSignal;
  now: () => number;
}): Promise<Answer> {
  const { dispatcher, url, body, signal, now } = input;
  const failed = (detail: string, retryable: boolean): Answer => ({ ok: false, detail, retryable });
  if (signal.aborted) return failed(messageOf(undefined, signal), false);
  const began = now();
  try {
    const asked = request(url, {
      dispatcher,
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body,
      signal,
    });
    // Undici notices an abort while connecting only once connected.
    const response = await Promise.race([asked, aborted(signal)]);
    const { statusCode: status, headers } = response;
    const said = await readSome(response.body, signal);
    if (status >= 200 && status < 300) return { ok: true, skewMs: skewOf(headers.date, began, now()) };
    if (status >= 300 && status < 400) return failed(`HTTP ${status}: a redirect is never followed`, false);
    return failed(`HTTP ${status}${said === "" ? "" : `: ${said}`}`, status >= 500 || status === 429);
  } catch (error) {
    return failed(messageOf(error, signal), !signal.aborted);
  }
}

/** How far its clock is ahead of ours, milliseconds; undefined where the answer does not say. */
function skewOf(date: string | string[] | undefined, began: number, ended: number): number | undefined {
  const its = Date.parse(typeof date === "string" ? date : "");
  return Number.isNaN(its) ? undefined : its - (began + ended) / 2;
}

/** The beginning of an answer, on one line; the rest is not read. */
async function readSome(body: Dispatcher.ResponseData["body"], signal: AbortSignal): Promise<string> {
  body.on("error", () => {});
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_ANSWER) break;
    }
  } catch {
    // What it had to say broke off: its status counts, unless the deadline has passed.
    if (signal.aborted) throw signal.reason;
  }
  return Buffer.concat(chunks)
    .toString("utf8")
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, 200);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function messageOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted)
    return signal.reason instanceof Error && signal.reason.name === "TimeoutError"
      ? "no complete answer before the deadline"
      : "cancelled";
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return (code === "" || message.includes(code) ? message : `${code} ${message}`).trim().slice(0, 200);
}
