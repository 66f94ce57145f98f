import { createGunzip } from "node:zlib";
import { type Dispatcher, request } from "undici";

/** Why an exchange gave no body that could be read on. `retryable`: the far side may well answer a second time. */
export interface HttpFailure {
  readonly ok: false;
  readonly status: "unreachable" | "invalid";
  readonly detail: string;
  readonly retryable: boolean;
}

export interface HttpSuccess {
  readonly ok: true;
  readonly httpStatus: number;
  readonly contentType: string;
  readonly body: Buffer;
}

export interface BoundedRequest {
  readonly url: string;
  readonly dispatcher: Dispatcher;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** Form or text body of a POST. */
  readonly body?: string;
  /** Largest body kept, in bytes after decompression. */
  readonly maxBytes: number;
  /** Total deadline: it also ends a body that drips. */
  readonly signal: AbortSignal;
}

const INVALID_ANSWER_CODES = new Set([
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_EXCEEDED_MAX_SIZE",
]);

/**
 * One HTTP exchange that cannot outgrow its limits: total deadline, byte cap while streaming (also after gunzip, so a
 * compressed bomb is caught), redirects refused. Never throws.
 *
 * 2xx and 4xx give the body; 3xx is `invalid`; 5xx is `unreachable`; a body that breaks off is `invalid`.
 */
export async function boundedRequest(options: BoundedRequest): Promise<HttpSuccess | HttpFailure> {
  let response: Dispatcher.ResponseData;
  try {
    response = await request(options.url, {
      dispatcher: options.dispatcher,
      method: options.method,
      headers: options.headers,
      body: options.body,
      signal: options.signal,
    });
  } catch (error) {
    return beforeHeaders(error, options.signal);
  }
  const { statusCode, headers, body } = response;
  body.on("error", ignore);
  if (statusCode >= 300 && statusCode < 400) {
    body.destroy();
    return failure("invalid", `HTTP ${statusCode}: redirect refused`, false);
  }
  const declared = Number(headers["content-length"] ?? 0);
  if (declared > options.maxBytes) {
    body.destroy();
    return failure("invalid", `answer of ${declared} bytes is over the cap of ${options.maxBytes}`, false);
  }
  const gzip = first(headers["content-encoding"])?.toLowerCase() === "gzip";
  const read = await readBody({ body, gzip, maxBytes: options.maxBytes, signal: options.signal });
  if (statusCode >= 500) {
    const text = read.ok ? excerpt(read.body) : "";
    return failure("unreachable", `HTTP ${statusCode}${text === "" ? "" : `: ${text}`}`, true);
  }
  if (!read.ok) return read;
  return {
    ok: true,
    httpStatus: statusCode,
    contentType: first(headers["content-type"]) ?? "",
    body: read.body,
  };
}

/** The first characters of a body, on one line, for a message to people. */
export function excerpt(body: Buffer, length = 80): string {
  const text = body
    .toString("utf8", 0, length * 2)
    .replace(/\s+/g, " ")
    .trim();
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

interface BodyRead {
  readonly body: Dispatcher.ResponseData["body"];
  readonly gzip: boolean;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

async function readBody({
  body,
  gzip,
  maxBytes,
  signal,
}: BodyRead): Promise<{ ok: true; body: Buffer } | HttpFailure> {
  const chunks: Buffer[] = [];
  let total = 0;
  let stream: AsyncIterable<Buffer> = body;
  if (gzip) {
    const gunzip = createGunzip();
    body.on("error", (error) => gunzip.destroy(error));
    stream = body.pipe(gunzip);
  }
  try {
    for await (const chunk of stream) {
      total += chunk.length;
      if (total > maxBytes) {
        body.destroy();
        return failure("invalid", `answer is over the cap of ${maxBytes} bytes`, false);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    body.destroy();
    if (signal.aborted) return gaveUp(signal);
    return failure("invalid", `answer broke off after ${total} bytes: ${messageOf(error)}`, false);
  }
  return { ok: true, body: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, total) };
}

function beforeHeaders(error: unknown, signal: AbortSignal): HttpFailure {
  if (signal.aborted) return gaveUp(signal);
  const code = codeOf(error);
  const unparsable = error instanceof Error && error.name === "HTTPParserError";
  if (unparsable || INVALID_ANSWER_CODES.has(code)) {
    return failure("invalid", `not an HTTP answer: ${messageOf(error)}`, false);
  }
  return failure("unreachable", messageOf(error), true);
}

function gaveUp(signal: AbortSignal): HttpFailure {
  const timedOut = signal.reason instanceof Error && signal.reason.name === "TimeoutError";
  return failure(
    "unreachable",
    timedOut ? "no complete answer before the deadline" : "cycle was aborted",
    false,
  );
}

function failure(status: HttpFailure["status"], detail: string, retryable: boolean): HttpFailure {
  return { ok: false, status, detail, retryable };
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Trying several addresses of one name ends in an AggregateError with an empty message.
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  const message = cause instanceof Error && cause.message !== "" ? cause.message : error.name;
  const code = codeOf(error);
  return code === "" || message.includes(code) ? message : `${message} (${code})`;
}

function ignore(): void {
  // The body's error also reaches the reader; without a listener it would be thrown a second time.
}
