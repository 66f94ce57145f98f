import type { Dispatcher } from "undici";
import { exchange, type HttpFailure } from "../../../common/net/exchange.ts";
import { checkOutput, MAX_OUTPUT_BYTES, type ModelDecision, type OutputProblem } from "../decision.ts";

/** Why an output was cut off or refused. */
export type InvalidReason = OutputProblem["reason"] | "too_large" | "dripping";
export const INVALID_REASONS: readonly InvalidReason[] = [
  "not_utf8",
  "not_json",
  "schema",
  "too_large",
  "dripping",
];

/**
 * `invalid`: it answered 200, but with no decision; `error`: no connection, or another status; `timeout`: no answer
 * began before the deadline; `aborted`: the router stops, which says nothing about the assistant.
 */
export type FailureKind = "invalid" | "error" | "timeout" | "aborted";

/** An assistant gave no decision. The message repeats nothing that it sent. */
export class AssistantError extends Error {
  override readonly name = "AssistantError";
  readonly kind: FailureKind;
  /** For `invalid`. */
  readonly reason: InvalidReason | undefined;

  constructor(kind: FailureKind, message: string, reason?: InvalidReason) {
    super(message);
    this.kind = kind;
    this.reason = reason;
  }
}

export interface AssistantCall {
  /** Base URL without a trailing slash. */
  readonly url: string;
  readonly prompt: string;
  /** For the whole exchange, milliseconds: connecting, waiting, and the last byte. */
  readonly deadlineMs: number;
  readonly dispatcher: Dispatcher;
  /** The router stops. */
  readonly stopping: AbortSignal;
}

/**
 * Asks one assistant: `POST /assist`. Redirects are not followed. At most `MAX_OUTPUT_BYTES` are read; what sends more,
 * or is not complete at the deadline, is cut off. Throws `AssistantError`.
 */
export async function askAssistant(call: AssistantCall): Promise<ModelDecision> {
  const result = await exchange({
    url: `${call.url}/assist`,
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ prompt: call.prompt }),
    maxBytes: MAX_OUTPUT_BYTES,
    timeoutMs: call.deadlineMs,
    signal: call.stopping,
    dispatcher: call.dispatcher,
  });
  const answer = result.ok ? result : result.answer;
  if (answer !== undefined && answer.status !== 200)
    throw new AssistantError("error", `the assistant answered ${answer.status}`);
  if (!result.ok) throw failed(result, call.deadlineMs);
  const checked = checkOutput(result.body);
  if (checked.ok) return checked.decision;
  throw new AssistantError("invalid", checked.problem.detail, checked.problem.reason);
}

function failed({ kind, answer }: HttpFailure, deadlineMs: number): AssistantError {
  if (kind === "cancelled") return new AssistantError("aborted", "the router stops");
  if (kind === "too_large")
    return new AssistantError("invalid", `the output is larger than ${MAX_OUTPUT_BYTES} bytes`, "too_large");
  if (kind !== "timeout") return new AssistantError("error", `the assistant cannot be reached (${kind})`);
  return answer === undefined
    ? new AssistantError("timeout", `no answer within ${deadlineMs} ms`)
    : new AssistantError("invalid", `the output was not complete after ${deadlineMs} ms`, "dripping");
}
