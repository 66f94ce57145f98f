import { Dispatcher } from "undici";

/** What comes back for one request. */
export interface WireAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface WireRequest {
  /** `http://host:port`. */
  readonly origin: string;
  readonly path: string;
  readonly body: string;
}

/**
 * Connections without a network: undici's own client, and everything above it, reads answers that never were on a
 * socket. A case then costs microseconds, and what parses and judges is the program itself.
 */
export class Wire extends Dispatcher {
  readonly #answer: (request: WireRequest) => WireAnswer;

  constructor(answer: (request: WireRequest) => WireAnswer) {
    super();
    this.#answer = answer;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const {
      status = 200,
      headers = {},
      body,
    } = this.#answer({
      origin: String(options.origin),
      path: options.path,
      body: typeof options.body === "string" ? options.body : "",
    });
    handler.onRequestStart?.(CONTROLLER, {});
    handler.onResponseStart?.(CONTROLLER, status, { ...headers }, "");
    handler.onResponseData?.(CONTROLLER, body);
    handler.onResponseEnd?.(CONTROLLER, {});
    return true;
  }
}

const CONTROLLER: Dispatcher.DispatchController = {
  aborted: false,
  paused: false,
  reason: null,
  abort: () => {},
  pause: () => {},
  resume: () => {},
};
