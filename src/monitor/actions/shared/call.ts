import type { Dispatcher } from "undici";
import { exchange, type Headers } from "../../../common/net/exchange.ts";
import { isObject, readJson } from "../../../common/net/json.ts";

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
  readonly headers: Headers;
  /** The body, where it is a whole JSON object within the cap. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  /** The whole body arrived, within the cap. */
  readonly complete: boolean;
  /** It says that it is JSON, and is none: it was damaged on its way. */
  readonly damaged: boolean;
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
export async function callOnce({ maxResponseBytes, ...call }: Call): Promise<Reply> {
  const result = await exchange({ ...call, maxBytes: maxResponseBytes, ownConnection: true });
  if (result.ok) return { kind: "answer", ...result, complete: true, ...objectIn(result) };
  const { kind, detail, sent, answer } = result;
  if (answer !== undefined) {
    // A redirect's status says all there is to say.
    const problem = kind === "redirect" ? undefined : detail;
    return { kind: "answer", ...answer, complete: false, damaged: false, json: undefined, problem };
  }
  return sent ? { kind: "lost", detail } : { kind: "not_sent", detail, permanent: kind === "mistake" };
}

function objectIn(given: {
  readonly body: Buffer;
  readonly headers: Headers;
}): Pick<Answer, "json" | "damaged" | "problem"> {
  const read = readJson(given.body);
  const damaged = !read.ok && given.body.length > 0 && /\bjson\b/.test(String(given.headers["content-type"]));
  if (!read.ok) return { json: undefined, damaged, problem: read.detail };
  return isObject(read.json)
    ? { json: read.json, damaged, problem: undefined }
    : { json: undefined, damaged, problem: "the answer is not a JSON object" };
}
