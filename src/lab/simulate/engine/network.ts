import { Dispatcher } from "undici";
import type { VirtualTime } from "./time.ts";

/** A request as it arrives at a simulated server. */
export interface Arrived {
  /** `host:port` that it was sent to. */
  readonly host: string;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A piece of an answer's body, so long after the piece before it. */
export interface Piece {
  readonly afterMs: number;
  readonly data: string;
}

/** What becomes of a request. Times in milliseconds. */
export type Reply =
  /** It was sent; no answer ever comes. */
  | { readonly kind: "silence" }
  /** It was sent; the connection breaks without an answer. */
  | { readonly kind: "reset"; readonly afterMs: number }
  | {
      readonly kind: "answer";
      readonly afterMs: number;
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: readonly Piece[];
      /** How the body ends. */
      readonly end: "whole" | "broken" | "never";
    };

/** Everything that can be reached. */
export interface Servers {
  /** False: the connection is refused, and no byte is sent. */
  listens(host: string): boolean;
  handle(arrived: Arrived): Reply | Promise<Reply>;
}

/** An answer in one piece. */
export function answer(
  status: number,
  body: string,
  options: {
    readonly afterMs?: number;
    readonly type?: string;
    readonly headers?: Record<string, string>;
  } = {},
): Reply {
  const { afterMs = 1, type = "application/json" } = options;
  const headers = { "content-type": type, ...options.headers };
  return { kind: "answer", afterMs, status, headers, body: [{ afterMs: 0, data: body }], end: "whole" };
}

class Failure extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One exchange under way, as undici's handlers see it. */
class Exchange {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  readonly rawHeaders = null;
  readonly rawTrailers = null;
  over = false;
  readonly #handler: Dispatcher.DispatchHandler;
  #waiting: (() => void)[] = [];

  readonly #time: VirtualTime;

  constructor(handler: Dispatcher.DispatchHandler, time: VirtualTime) {
    this.#handler = handler;
    this.#time = time;
    time.streams();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#time.streams();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  abort(reason: Error): void {
    if (this.over) return;
    this.aborted = true;
    this.reason = reason;
    this.fail(reason);
  }

  fail(error: Error): void {
    if (this.over) return;
    this.#time.streams();
    this.over = true;
    this.#handler.onResponseError?.(this as unknown as Dispatcher.DispatchController, error);
  }

  /** Now, or once the reader wants more. */
  whenWanted(run: () => void): void {
    this.#time.streams();
    if (this.paused) this.#waiting.push(run);
    else run();
  }
}

/**
 * The network of one process of a world: an undici dispatcher, so that the real clients send through it. What the
 * servers decide is carried out on virtual time; an exchange that its client gave up still runs on at the server.
 */
export class VirtualNetwork extends Dispatcher {
  readonly #time: VirtualTime;
  readonly #servers: Servers;
  /** False: the process is gone, and nothing that arrives reaches it. */
  readonly #alive: () => boolean;

  constructor(time: VirtualTime, servers: Servers, alive: () => boolean) {
    super();
    this.#time = time;
    this.#servers = servers;
    this.#alive = alive;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const exchange = new Exchange(handler, this.#time);
    const host = hostOf(String(options.origin));
    queueMicrotask(() => {
      if (!this.#alive()) return;
      // A refused connection is refused before the request is started: nothing was sent.
      if (!this.#servers.listens(host))
        return exchange.fail(new Failure("ECONNREFUSED", `connect ECONNREFUSED ${host}`));
      handler.onRequestStart?.(exchange as unknown as Dispatcher.DispatchController, {});
      if (exchange.over) return;
      const arrived: Arrived = {
        host,
        method: options.method,
        path: options.path,
        headers: headersOf(options.headers),
        body: typeof options.body === "string" ? options.body : "",
      };
      Promise.resolve(this.#servers.handle(arrived)).then(
        (reply) => this.#carry(reply, exchange, handler),
        (error: Error) => exchange.fail(error),
      );
    });
    return true;
  }

  override async close(): Promise<void> {}

  override async destroy(): Promise<void> {}

  #carry(reply: Reply, exchange: Exchange, handler: Dispatcher.DispatchHandler): void {
    if (reply.kind === "silence") return;
    const controller = exchange as unknown as Dispatcher.DispatchController;
    const broken = () => exchange.fail(new Failure("UND_ERR_SOCKET", "other side closed"));
    if (reply.kind === "reset") {
      this.#later(reply.afterMs, exchange, broken);
      return;
    }
    const pieces = [...reply.body];
    const next = (): void => {
      const piece = pieces.shift();
      if (piece !== undefined) {
        this.#later(piece.afterMs, exchange, () => {
          handler.onResponseData?.(controller, Buffer.from(piece.data));
          next();
        });
        return;
      }
      if (reply.end === "broken") broken();
      if (reply.end !== "whole") return;
      exchange.over = true;
      handler.onResponseEnd?.(controller, {});
    };
    this.#later(reply.afterMs, exchange, () => {
      handler.onResponseStart?.(controller, reply.status, { ...reply.headers }, "");
      next();
    });
  }

  /** At once where it takes no time; never to a process that is gone, nor in an exchange that is over. */
  #later(ms: number, exchange: Exchange, run: () => void): void {
    const arrive = () => {
      if (exchange.over || !this.#alive()) return;
      exchange.whenWanted(run);
    };
    if (ms <= 0) arrive();
    else this.#time.after(ms, arrive);
  }
}

const hosts = new Map<string, string>();

function hostOf(origin: string): string {
  const known = hosts.get(origin);
  if (known !== undefined) return known;
  const { host } = new URL(origin);
  hosts.set(origin, host);
  return host;
}

function headersOf(given: Dispatcher.DispatchOptions["headers"]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries((given ?? {}) as Record<string, string>))
    headers[name.toLowerCase()] = String(value);
  return headers;
}
