import { type Answer, exchange, type FailureKind, type Headers, type HttpRequest } from "./exchange.ts";

/** Levels of lists and objects in each other; deeper JSON would break what writes it out again. */
const MAX_DEPTH = 64;

export type Json =
  | { readonly ok: true; readonly json: unknown }
  | { readonly ok: false; readonly detail: string };

/** Reads a body as JSON of at most 64 levels. */
export function readJson(body: Buffer): Json {
  if (body.length === 0) return { ok: false, detail: "the answer is empty" };
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch {
    return { ok: false, detail: "the answer is not JSON" };
  }
  let level: unknown[] = [json];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return { ok: false, detail: `the answer has more than ${MAX_DEPTH} levels` };
    level = level.flatMap((value) =>
      typeof value === "object" && value !== null ? Object.values(value) : [],
    );
  }
  return { ok: true, json };
}

/** Whether a value of JSON is an object, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Why a call gave no JSON: an `HttpFailure`, or an answer that says no (`bad_status`) or is no JSON. */
export interface JsonFailure {
  readonly ok: false;
  readonly kind: FailureKind | "bad_status" | "not_json";
  readonly detail: string;
  readonly sent: boolean;
  readonly answer: Answer | undefined;
}

export type JsonResult =
  | { readonly ok: true; readonly status: number; readonly headers: Headers; readonly json: unknown }
  | JsonFailure;

/** An exchange whose answer is to be a 2xx with JSON. A string or object `json` is sent as such. Never throws. */
export async function exchangeJson({
  json,
  ...request
}: HttpRequest & { readonly json?: unknown }): Promise<JsonResult> {
  const headers = { accept: "application/json", ...request.headers };
  const result = await exchange(
    json === undefined
      ? { ...request, headers }
      : {
          ...request,
          headers: { "content-type": "application/json", ...headers },
          body: JSON.stringify(json),
        },
  );
  if (!result.ok) return result;
  const failed = (kind: JsonFailure["kind"], detail: string): JsonFailure => ({
    ok: false,
    kind,
    detail,
    sent: true,
    answer: result,
  });
  if (result.status >= 300) return failed("bad_status", `HTTP ${result.status}`);
  const read = readJson(result.body);
  if (!read.ok) return failed("not_json", read.detail);
  return { ok: true, status: result.status, headers: result.headers, json: read.json };
}
