import { retryAfterMs } from "../../../common/net/retry-after.ts";
import { oneLine } from "../../kernel/text.ts";
import type { Answer, Reply } from "./call.ts";
import type { Verdict } from "./outcome.ts";

/** How often and how slowly a call is repeated. */
export interface RetryRules {
  /** All attempts, the first one included; at least 1. */
  readonly maxAttempts: number;
  /** Wait before the second attempt, doubled for each further one, milliseconds. */
  readonly baseMs: number;
  /** Longest wait of our own choice, milliseconds. */
  readonly maxMs: number;
}

/** What waiting between attempts needs. */
export interface Pacing {
  readonly rules: RetryRules;
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface RetryRequest extends Pacing {
  readonly attempt: (timeoutMs: number) => Promise<Reply>;
  readonly attemptTimeoutMs: number;
  /** For all attempts and the waits between them, milliseconds. */
  readonly totalTimeoutMs: number;
  /** What is not to be repeated although it could be: a call that may have arrived and is not idempotent. */
  readonly final?: ((reply: Reply) => boolean) | undefined;
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
  const { attempt, attemptTimeoutMs, now } = request;
  const deadline = now() + request.totalTimeoutMs;
  let mayHaveApplied: string | undefined;
  for (let n = 1; ; n += 1) {
    const reply = await attempt(Math.min(attemptTimeoutMs, deadline - now()));
    if (!canBeRepeated(reply)) return { reply, mayHaveApplied, gaveUp: undefined };
    const gaveUp =
      request.final?.(reply) === true ? "not repeated" : await turnOf(request, { n, reply, deadline });
    if (gaveUp !== undefined) return { reply, mayHaveApplied, gaveUp };
    mayHaveApplied ??= certainlyNothing(reply) ? undefined : summary(reply);
  }
}

/**
 * Waits for the turn of the attempt after the `n`th, which came to `reply`; `deadline` by the same clock as `now`.
 * @returns why there is none, or undefined when it is time for it.
 */
export async function turnOf(
  pacing: Pacing,
  { n, reply, deadline }: { readonly n: number; readonly reply: Reply; readonly deadline: number },
): Promise<string | undefined> {
  const { rules, now, signal } = pacing;
  if (signal.aborted) return "cancelled";
  if (n >= rules.maxAttempts) return n === 1 ? "not repeated" : `after ${n} attempts`;
  const askedMs = reply.kind === "answer" ? (retryAfterMs(reply.headers) ?? 0) : 0;
  const waitMs = Math.max(backoffMs(rules, n, pacing.random), askedMs);
  if (now() + waitMs >= deadline) {
    return `a further attempt in ${Math.ceil(waitMs)} ms would be after the deadline`;
  }
  await pause(pacing, waitMs);
  if (signal.aborted) return "cancelled";
  return now() >= deadline ? "the deadline has passed" : undefined;
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

/** What replies come to that do not say that it was done. `explain` makes a line for people of the last one. */
export function notDone(
  { reply, mayHaveApplied, gaveUp }: RetryResult,
  explain: (reply: Reply) => string,
): Verdict {
  const httpStatus = reply.kind === "answer" ? reply.status : undefined;
  const answer = reply.kind === "answer" ? reply.json : undefined;
  const last = [explain(reply), ...(gaveUp === undefined ? [] : [gaveUp])].join("; ");
  if (!certainlyNothing(reply)) return { status: "unknown", httpStatus, detail: last, answer };
  // The last word is a no, but an earlier attempt under the same key may have been carried out.
  if (mayHaveApplied !== undefined) {
    return { status: "unknown", httpStatus, detail: `${last}; before that ${mayHaveApplied}`, answer };
  }
  const refused = reply.kind === "answer" && reply.status < 500 && reply.status !== 429;
  return { status: refused ? "refused" : "failed", httpStatus, detail: last, answer };
}

/** One line for people on a reply. */
export function summary(reply: Reply): string {
  if (reply.kind === "not_sent") return `not sent: ${reply.detail}`;
  if (reply.kind === "lost") return `sent, answer lost: ${reply.detail}`;
  const said = reply.json?.error;
  if (typeof said !== "string") return `HTTP ${reply.status}`;
  return `HTTP ${reply.status}: ${oneLine(said)}`;
}

/** True for what may come out otherwise another time. */
export function canBeRepeated(reply: Reply): boolean {
  if (reply.kind === "not_sent") return !reply.permanent;
  if (reply.kind === "lost") return true;
  return reply.status === 429 || (reply.status >= 500 && !saysApplied(reply));
}

/** Exponential, capped, and spread over its upper half, so that instances are not called in step. */
function backoffMs({ baseMs, maxMs }: RetryRules, attempt: number, random: () => number): number {
  return Math.min(maxMs, baseMs * 2 ** (attempt - 1)) * (0.5 + 0.5 * random());
}

/** Waits; a sleep that rejects when it is cancelled is as good as one that resolves. */
async function pause({ sleep, signal }: Pacing, ms: number): Promise<void> {
  try {
    await sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
