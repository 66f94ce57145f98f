import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type Dispatcher, getGlobalDispatcher } from "undici";

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpRequest {
  readonly url: string | URL;
  /** Default `GET`. */
  readonly method?: Dispatcher.HttpMethod;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | undefined;
  /** Makes the connections; default undici's global one. */
  readonly dispatcher?: Dispatcher | undefined;
  /** Largest body that is kept, bytes, before and after decompression. */
  readonly maxBytes: number;
  /** For everything from connecting to the last byte, milliseconds above 0; undefined: `signal` is the deadline. */
  readonly timeoutMs?: number | undefined;
  /** Ends the exchange; aborted with a `TimeoutError` it counts as a deadline. */
  readonly signal?: AbortSignal | undefined;
  /** A connection of its own: an idle one that the server has closed would look like a lost answer. */
  readonly ownConnection?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** In a failure the beginning of what had arrived, at most 4 KiB. */
  readonly body: Buffer;
}

/**
 * Why there is no whole answer: `mistake`, a URL or header that cannot be used; `refused`, no connection came about;
 * `lost`, the connection broke before the answer began; `not_http`; `redirect`, never followed, so that no token goes to
 * another address; `too_large`; `broken_off`, the body ended early or cannot be decompressed; `timeout`; `cancelled`.
 */
export type FailureKind =
  | "mistake"
  | "refused"
  | "lost"
  | "not_http"
  | "redirect"
  | "too_large"
  | "broken_off"
  | "timeout"
  | "cancelled";

export interface HttpFailure {
  readonly ok: false;
  readonly kind: FailureKind;
  /** One line for people, without any part of the body. */
  readonly detail: string;
  /** The request may have arrived, and have had its effect. */
  readonly sent: boolean;
  /** Where the answer had begun. */
  readonly answer: Answer | undefined;
}

export type HttpResult = (Answer & { readonly ok: true }) | HttpFailure;

/** So much of the body of an answer that failed is kept, bytes. */
const BEGINNING = 4096;
const NOT_HTTP = new Set(["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "UND_ERR_HEADERS_OVERFLOW"]);
const MISTAKES = new Set([
  "UND_ERR_INVALID_ARG",
  "ERR_INVALID_URL",
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_CHAR",
]);
const unzip = promisify(gunzip);

/**
 * One HTTP exchange within its limits: a total deadline that also ends a body that drips, a cap on the body (by its
 * declared length, while it comes in, and once more when it is unzipped), no redirect, no repetition. Never throws; an
 * answer of any other status than 3xx is `ok`.
 */
export async function exchange(request: HttpRequest): Promise<HttpResult> {
  const result = await new Promise<HttpResult>((resolve) => new Exchange(request, resolve).begin());
  const zipped = result.ok && first(result.headers["content-encoding"])?.toLowerCase() === "gzip";
  return zipped && result.body.length > 0 ? unzipped(result, request.maxBytes) : result;
}

/** Whether a GET is answered with 200 in time; what it says is not told. */
export async function answersOk(url: string, timeoutMs: number): Promise<boolean> {
  const result = await exchange({ url, timeoutMs, maxBytes: 1_000_000 });
  return result.ok && result.status === 200;
}

/** The beginning of a body on one line, for a message to people. @param length characters */
export function excerpt(body: Buffer, length = 80): string {
  const text = body
    .toString("utf8", 0, length * 4)
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim();
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** The first value of a header. */
export function first(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #resolve: (result: HttpResult) => void;
  readonly #onAbort = (): void => this.#giveUp(this.#request.signal?.reason);
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #head: Pick<Answer, "status" | "headers"> | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sent = false;
  #over = false;

  constructor(request: HttpRequest, resolve: (result: HttpResult) => void) {
    this.#request = request;
    this.#resolve = resolve;
  }

  begin(): void {
    const { url, method = "GET", headers, body = null, timeoutMs, signal, ownConnection } = this.#request;
    if (signal?.aborted) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => this.#late(timeoutMs), timeoutMs);
    try {
      const { origin, pathname, search } = new URL(url);
      const dispatcher = this.#request.dispatcher ?? getGlobalDispatcher();
      const reset = ownConnection === true;
      // The deadline is ours, from the first look-up on; undici's own are coarse.
      const limits = { headersTimeout: 0, bodyTimeout: 0 };
      const path = `${pathname}${search}`;
      dispatcher.dispatch({ origin, path, method, headers: headers ?? {}, body, reset, ...limits }, this);
    } catch (error) {
      this.#fail("mistake", describe(error));
    }
  }

  /** It is about to be written to a connection: until now it certainly has had no effect. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error("given up"));
    else this.#sent = true;
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (this.#over || status < 200) return;
    this.#head = { status, headers };
    const { maxBytes } = this.#request;
    const declared = Number(headers["content-length"] ?? 0);
    if (status >= 300 && status < 400) this.#fail("redirect", `HTTP ${status}: a redirect is never followed`);
    else if (declared > maxBytes) this.#fail("too_large", overCap(maxBytes, declared));
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    this.#length += chunk.length;
    if (this.#length > this.#request.maxBytes) this.#fail("too_large", overCap(this.#request.maxBytes));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const answer = this.#answer(this.#length);
    if (answer !== undefined) this.#settle({ ok: true, ...answer });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    const code = codeOf(error) ?? error.name;
    if (this.#head !== undefined) this.#fail("broken_off", `the answer broke off: ${describe(error)}`);
    else if (!this.#sent) this.#fail(MISTAKES.has(code) ? "mistake" : "refused", describe(error));
    else if (error.name === "HTTPParserError" || NOT_HTTP.has(code))
      this.#fail("not_http", `not an HTTP answer: ${describe(error)}`);
    else this.#fail("lost", describe(error));
  }

  #answer(length: number): Answer | undefined {
    const chunks = this.#chunks;
    const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length);
    return this.#head && { ...this.#head, body };
  }

  #late(ms: number): void {
    const within = `within ${Math.ceil(ms)} ms`;
    this.#fail("timeout", this.#head ? `the answer was not complete ${within}` : `no answer ${within}`);
  }

  #giveUp(reason: unknown): void {
    const late = reason instanceof Error && reason.name === "TimeoutError";
    if (late) this.#fail("timeout", "no complete answer before the deadline");
    else this.#fail("cancelled", "cancelled");
  }

  /** Answers at once, also while connecting, when undici would notice an abort only once connected. */
  #fail(kind: FailureKind, detail: string): void {
    if (this.#over) return;
    this.#settle({
      ok: false,
      kind,
      detail,
      sent: this.#sent,
      answer: this.#answer(Math.min(this.#length, BEGINNING)),
    });
    this.#controller?.abort(new Error(detail));
  }

  #settle(result: HttpResult): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
    this.#resolve(result);
  }
}

async function unzipped(answer: Answer, maxBytes: number): Promise<HttpResult> {
  try {
    return { ok: true, ...answer, body: await unzip(answer.body, { maxOutputLength: maxBytes }) };
  } catch (error) {
    const tooLarge = codeOf(error) === "ERR_BUFFER_TOO_LARGE";
    const detail = tooLarge ? overCap(maxBytes) : `the answer cannot be unzipped: ${describe(error)}`;
    return { ok: false, kind: tooLarge ? "too_large" : "broken_off", detail, sent: true, answer };
  }
}

function overCap(maxBytes: number, declared?: number): string {
  return `the answer${declared === undefined ? "" : ` of ${declared} bytes`} is over the cap of ${maxBytes} bytes`;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** One line for people, with the code where the message does not have it. */
function describe(error: unknown): string {
  // Trying several addresses of one name ends in an AggregateError with an empty message.
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  const message = cause instanceof Error ? cause.message || cause.name : String(cause);
  const line = message.replaceAll(/\s+/g, " ").trim().slice(0, 200);
  const code = codeOf(cause);
  return code === undefined || line.includes(code) ? line : `${code} ${line}`;
}
