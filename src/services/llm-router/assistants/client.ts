import { type Dispatcher, request } from "undici";
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

  constructor(kind: FailureKind, message: string, reason?: InvalidReason, cause?: unknown) {
    super(message, { cause });
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
  const deadline = AbortSignal.timeout(call.deadlineMs);
  let begun = false;
  try {
    const response = await request(`${call.url}/assist`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ prompt: call.prompt }),
      signal: AbortSignal.any([deadline, call.stopping]),
      dispatcher: call.dispatcher,
    });
    begun = true;
    if (response.statusCode !== 200) {
      begun = false;
      response.body.on("error", () => undefined).destroy();
      throw new AssistantError("error", `the assistant answered ${response.statusCode}`);
    }
    const checked = checkOutput(await readCapped(response.body));
    if (checked.ok) return checked.decision;
    throw new AssistantError("invalid", checked.problem.detail, checked.problem.reason);
  } catch (error) {
    if (error instanceof AssistantError) throw error;
    if (call.stopping.aborted) throw new AssistantError("aborted", "the router stops", undefined, error);
    if (deadline.aborted) throw late(begun, call.deadlineMs, error);
    throw new AssistantError("error", `the assistant cannot be reached (${codeOf(error)})`, undefined, error);
  }
}

async function readCapped(body: Dispatcher.ResponseData["body"]): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let size = 0;
  // Leaving the loop destroys the stream, and with it the connection.
  for await (const piece of body as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > MAX_OUTPUT_BYTES) {
      throw new AssistantError("invalid", `the output is larger than ${MAX_OUTPUT_BYTES} bytes`, "too_large");
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function late(begun: boolean, deadlineMs: number, cause: unknown): AssistantError {
  return begun
    ? new AssistantError("invalid", `the output was not complete after ${deadlineMs} ms`, "dripping", cause)
    : new AssistantError("timeout", `no answer within ${deadlineMs} ms`, undefined, cause);
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "connection failed";
}
