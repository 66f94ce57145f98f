import { type NextFunction, type Request, type RequestHandler, type Response, Router } from "express";
import type { ServiceClock } from "./clock.ts";
import { HttpError } from "./errors.ts";
import type { FaultSet } from "./faults/fault-set.ts";
import { CLIENT_GONE, type HttpMetrics, UNMATCHED } from "./http-metrics.ts";
import type { Pauses } from "./pauses.ts";

/** Where a service registers its own routes. Each is measured under its template and feels the injected faults. */
export interface Routes {
  get(path: string, ...handlers: RequestHandler[]): void;
  post(path: string, ...handlers: RequestHandler[]): void;
  put(path: string, ...handlers: RequestHandler[]): void;
  patch(path: string, ...handlers: RequestHandler[]): void;
  delete(path: string, ...handlers: RequestHandler[]): void;
}

type Method = "get" | "post" | "put" | "patch" | "delete";

export interface RouteTableOptions {
  readonly metrics: HttpMetrics;
  readonly faults: FaultSet;
  readonly pauses: Pauses;
  readonly clock: ServiceClock;
}

/** The routes of a service with their measurement and fault injection around them. */
export class RouteTable implements Routes {
  readonly #router = Router();
  readonly #methods = new Map<string, string[]>();
  readonly #options: RouteTableOptions;

  constructor(options: RouteTableOptions) {
    this.#options = options;
    this.#router.use(measure(options));
  }

  get(path: string, ...handlers: RequestHandler[]): void {
    this.#add("get", path, handlers);
  }
  post(path: string, ...handlers: RequestHandler[]): void {
    this.#add("post", path, handlers);
  }
  put(path: string, ...handlers: RequestHandler[]): void {
    this.#add("put", path, handlers);
  }
  patch(path: string, ...handlers: RequestHandler[]): void {
    this.#add("patch", path, handlers);
  }
  delete(path: string, ...handlers: RequestHandler[]): void {
    this.#add("delete", path, handlers);
  }

  /** Ends the registration: what no route takes is answered 405 or 404. */
  finish(): Router {
    for (const [path, methods] of this.#methods) {
      const allow = methods.includes("GET") ? ["HEAD", ...methods] : methods;
      this.#router.all(path, injectFaults(this.#options), refuseMethod(allow));
    }
    this.#router.use(injectFaults(this.#options), (request: Request) => {
      throw new HttpError(404, { error: `there is no ${request.path.slice(0, 200)} here` });
    });
    return this.#router;
  }

  #add(method: Method, path: string, handlers: RequestHandler[]): void {
    const label = method.toUpperCase();
    this.#options.metrics.announce(label, path);
    this.#methods.set(path, [...(this.#methods.get(path) ?? []), label]);
    const mark: RequestHandler = (_request, response, next) => {
      response.locals.route = path;
      next();
    };
    this.#router[method](path, mark, injectFaults(this.#options), ...handlers);
  }
}

/** Answers 405 with the methods that would be right. */
export function refuseMethod(allowed: readonly string[]): RequestHandler {
  return (request) => {
    throw new HttpError(
      405,
      { error: `${request.method} is not allowed here`, expected: `one of ${allowed.join(", ")}` },
      { allow: allowed.join(", ") },
    );
  };
}

function measure(options: RouteTableOptions): RequestHandler {
  const { metrics, clock } = options;
  return (request, response, next) => {
    const startMs = clock.monoMs();
    metrics.started();
    // `close` comes after `finish`, and comes too when the client went away before it.
    response.once("close", () => {
      metrics.ended({
        method: request.method,
        route: typeof response.locals.route === "string" ? response.locals.route : UNMATCHED,
        code: response.writableFinished ? String(response.statusCode) : CLIENT_GONE,
        seconds: (clock.monoMs() - startMs) / 1_000,
      });
    });
    next();
  };
}

function injectFaults(options: RouteTableOptions): RequestHandler {
  const { faults, pauses, clock } = options;
  return async (_request: Request, response: Response, next: NextFunction) => {
    const delayMs = faults.latency.delayMs(clock.monoMs());
    if (delayMs > 0) await pauses.wait(delayMs, response);
    if (response.destroyed) return;
    if (faults.error.strikes(clock.monoMs())) throw new HttpError(500, { error: "injected fault" });
    next();
  };
}
