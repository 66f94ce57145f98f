import type { Answer, Reply } from "./call.ts";

/** How often and how slowly a call is repeated. */
export interface RetryRules {
  /** All attempts, the first one included; at least 1. */
  readonly maxAttempts: number;
  /** Wait before the second attempt, doubled for each further one, milliseconds. */
  readonly baseMs: number;
  /** Longest wait of our own choice, milliseconds. */
  readonly maxMs: number;
}

export interface RetryRequest {
  readonly attempt: (timeoutMs: number) => Promise<Reply>;
  readonly rules: RetryRules;
  readonly attemptTimeoutMs: number;
  /** For all attempts and the waits between them, milliseconds. */
  readonly totalTimeoutMs: number;
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface RetryResult {
  /** The last reply. */
  readonly reply: Reply;
  /** What was said of the first attempt before the last one that may have had its effect. */
  readonly mayHaveApplied: string | undefined;
  /** Why it was not repeated once more, where it could have been. */
  readonly gaveUp: string | undefined;
}

/** Repeats a call while that can help: not sent, answer lost, 429, 5xx. A `Retry-After` is waited for or given up on. */
export async function withRetries(request: RetryRequest): Promise<RetryResult> {
  const { attempt, rules, attemptTimeoutMs, now, signal } = request;
  const deadline = now() + request.totalTimeoutMs;
  let mayHaveApplied: string | undefined;
  for (let n = 1; ; n += 1) {
    const reply = await attempt(Math.min(attemptTimeoutMs, deadline - now()));
    if (!canBeRepeated(reply)) return { reply, mayHaveApplied, gaveUp: undefined };
    const ended = (gaveUp: string): RetryResult => ({ reply, mayHaveApplied, gaveUp });
    if (signal.aborted) return ended("cancelled");
    if (n >= rules.maxAttempts) return ended(n === 1 ? "not repeated" : `after ${n} attempts`);
    const waitMs = Math.max(backoffMs(rules, n, request.random), retryAfterMs(reply) ?? 0);
    if (now() + waitMs >= deadline) {
      return ended(`a further attempt in ${Math.ceil(waitMs)} ms would be after the deadline`);
    }
    await pause(request, waitMs);
    if (signal.aborted) return ended("cancelled");
    if (now() >= deadline) return ended("the deadline has passed");
    mayHaveApplied ??= certainlyNothing(reply) ? undefined : summary(reply);
  }
}

/** True when the attempt has certainly had no effect on the service. */
export function certainlyNothing(reply: Reply): boolean {
  if (reply.kind === "not_sent") return true;
  if (reply.kind === "lost") return false;
  if (reply.status >= 300 && reply.status < 500) return true;
  return reply.status >= 500 && reply.json?.applied === false;
}

/** True when the service says that the action has taken effect. */
export function saysApplied(reply: Answer): boolean {
  return (reply.status >= 200 && reply.status < 300) || (reply.status >= 500 && reply.json?.applied === true);
}

/** One line for people on a reply. */
export function summary(reply: Reply): string {
  if (reply.kind === "not_sent") return `not sent: ${reply.detail}`;
  if (reply.kind === "lost") return `sent, answer lost: ${reply.detail}`;
  const said = reply.json?.error;
  if (typeof said !== "string") return `HTTP ${reply.status}`;
  return `HTTP ${reply.status}: ${said.replaceAll(/[\s\p{Cc}]+/gu, " ").slice(0, 200)}`;
}

function canBeRepeated(reply: Reply): boolean {
  if (reply.kind === "not_sent") return !reply.permanent;
  if (reply.kind === "lost") return true;
  return reply.status === 429 || (reply.status >= 500 && !saysApplied(reply));
}

/** Exponential, capped, and spread over its upper half, so that instances are not called in step. */
function backoffMs({ baseMs, maxMs }: RetryRules, attempt: number, random: () => number): number {
  return Math.min(maxMs, baseMs * 2 ** (attempt - 1)) * (0.5 + 0.5 * random());
}

/**
 * The wait that a service asks for, milliseconds (RFC 9110, 10.2.3). A date is measured against the answer's own
 * `Date`, so that the clocks of the two machines need not agree.
 */
function retryAfterMs(reply: Reply): number | undefined {
  if (reply.kind !== "answer") return undefined;
  const { "retry-after": value, date } = reply.headers;
  if (typeof value !== "string") return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const ms = Date.parse(value) - Date.parse(String(date));
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Waits; a sleep that rejects when it is cancelled is as good as one that resolves. */
async function pause({ sleep, signal }: RetryRequest, ms: number): Promise<void> {
  try {
    await sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
