import { type Dispatcher, request } from "undici";
import { Deadline } from "./deadline.ts";

/** One HTTP call. */
export interface Call {
  readonly dispatcher: Dispatcher;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** For everything from connecting to the last byte of the answer, milliseconds. */
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly signal: AbortSignal;
}

/** An answer whose status line arrived, whatever became of its body. */
export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body, where it is a whole JSON object within the cap. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  /** Why there is no `json`. */
  readonly problem: string | undefined;
}

/**
 * What came of a call. `not_sent`: no byte of it left this machine, so it has had no effect; `permanent` when trying
 * again cannot help. `lost`: it was sent, or may have been, and no answer came.
 */
export type Reply =
  | Answer
  | { readonly kind: "not_sent"; readonly detail: string; readonly permanent: boolean }
  | { readonly kind: "lost"; readonly detail: string };

/** Makes one call: no redirect is followed, nothing is repeated. Never throws. */
export async function callOnce(call: Call): Promise<Reply> {
  const progress = { started: false };
  const deadline = new Deadline(call.timeoutMs, call.signal);
  try {
    // Undici notices an abort while connecting only once connected, so the wait itself must end by the deadline too.
    const response = await deadline.race(
      request(call.url, {
        dispatcher: watched(call.dispatcher, progress),
        method: call.method,
        headers: call.headers,
        body: call.body ?? null,
        signal: deadline.signal,
        // A connection of its own: an idle one that the service has closed would look like a lost answer.
        reset: true,
      }),
    );
    const { statusCode: status, headers, body } = response;
    const read = await readJson(body, call.maxResponseBytes);
    return { kind: "answer", status, headers, ...read };
  } catch (error) {
    const detail = describe(error);
    if (progress.started) return { kind: "lost", detail };
    return { kind: "not_sent", detail, permanent: isMistake(error) };
  } finally {
    deadline.stop();
  }
}

/** Notes when a request is about to be written to a connection: until then it certainly has had no effect. */
function watched(dispatcher: Dispatcher, progress: { started: boolean }): Dispatcher {
  return dispatcher.compose((dispatch) => (options, handler) => {
    const forward: Dispatcher.DispatchHandler = {
      onRequestStart(controller, context) {
        progress.started = true;
        handler.onRequestStart?.(controller, context);
      },
      onRequestUpgrade: (controller, status, headers, socket) =>
        handler.onRequestUpgrade?.(controller, status, headers, socket),
      onResponseStart: (controller, status, headers, message) =>
        handler.onResponseStart?.(controller, status, headers, message),
      onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
      onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
      onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
    };
    return dispatch(options, forward);
  });
}

async function readJson(
  body: Dispatcher.ResponseData["body"],
  maxBytes: number,
): Promise<Pick<Answer, "json" | "problem">> {
  // What is left unread is destroyed, which would otherwise be an unhandled error.
  body.on("error", () => {});
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      length += chunk.length;
      if (length > maxBytes)
        return { json: undefined, problem: `the answer is longer than ${maxBytes} bytes` };
      chunks.push(chunk);
    }
  } catch (error) {
    return { json: undefined, problem: `the answer broke off: ${describe(error)}` };
  }
  try {
    const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return { json: parsed as Readonly<Record<string, unknown>>, problem: undefined };
    }
    return { json: undefined, problem: "the answer is not a JSON object" };
  } catch {
    return { json: undefined, problem: length === 0 ? "the answer is empty" : "the answer is not JSON" };
  }
}

/** True for what the caller got wrong: a URL or header that cannot be used. */
function isMistake(error: unknown): boolean {
  const code = codeOf(error);
  return code === "UND_ERR_INVALID_ARG" || code === "ERR_INVALID_URL" || code === "ERR_INVALID_ARG_TYPE";
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** One line for people. */
function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const line = message.replaceAll(/\s+/g, " ").trim().slice(0, 200);
  return code === undefined || line.includes(code) ? line : `${code} ${line}`.trim();
}
