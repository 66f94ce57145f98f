import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Upper bounds of the latency histogram, seconds. */
const DURATION_BUCKETS: readonly number[] = [
  5, 10, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 7500,
  10_000,
].map((ms) => ms / 1_000);

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** Route label of a request that no route took. */
export const UNMATCHED = "unmatched";
/** Code label of a request whose client went away before the answer. */
export const CLIENT_GONE = "499";

/** The request metrics every service has. `/metrics`, `/health` and `/admin` are not counted. */
export class HttpMetrics {
  readonly #duration: Histogram<"method" | "route" | "code">;
  readonly #requests: Counter<"method" | "route" | "code">;
  readonly #errors: Counter<"method" | "route">;
  readonly #inProgress: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#duration = new Histogram({
      name: "http_request_duration_seconds",
      help: "Time from the request's arrival to the end of its answer.",
      labelNames: ["method", "route", "code"],
      buckets: [...DURATION_BUCKETS],
      registers,
    });
    this.#requests = new Counter({
      name: "http_requests_total",
      help: "Requests answered, or given up by the client (code 499).",
      labelNames: ["method", "route", "code"],
      registers,
    });
    this.#errors = new Counter({
      name: "http_request_errors_total",
      help: "Requests answered 5xx.",
      labelNames: ["method", "route"],
      registers,
    });
    this.#inProgress = new Gauge({
      name: "http_requests_inprogress",
      help: "Requests that are being answered.",
      registers,
    });
    this.announce("GET", UNMATCHED);
  }

  /** Makes the error series of a route exist at 0, so that a rate can be taken before the first error. */
  announce(method: string, route: string): void {
    this.#errors.inc({ method: methodLabel(method), route }, 0);
  }

  started(): void {
    this.#inProgress.inc();
  }

  /** `code` is the HTTP status, or `CLIENT_GONE`. */
  ended(request: {
    readonly method: string;
    readonly route: string;
    readonly code: string;
    readonly seconds: number;
  }): void {
    const method = methodLabel(request.method);
    const labels = { method, route: request.route, code: request.code };
    this.#inProgress.dec();
    this.#requests.inc(labels);
    this.#duration.observe(labels, request.seconds);
    if (request.code.startsWith("5")) this.#errors.inc({ method, route: request.route });
  }
}

/** Uncommon methods share one label, so that a client cannot make series. */
function methodLabel(method: string): string {
  return METHODS.includes(method) ? method : "OTHER";
}
