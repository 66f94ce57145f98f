import { createServer } from "node:http";

export interface EvolvingService {
  readonly url: string;
  /** `host:port`, as Prometheus' `instance` label. */
  readonly name: string;
  /** All counters start again from zero, as after a restart of the process. */
  restart(): void;
  /** The page as it would be served now. */
  page(): string;
  close(): Promise<void>;
}

const BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5];
/** So many that the rounding of a bucket's count to a whole number (one in 66 at a hundredth of them) does not show. */
const ROUTES = [
  { route: "/a", perSecond: 40_000, slow: 0.2 },
  { route: '/b"quoted\\', perSecond: 15_000, slow: 0.35 },
];

/**
 * An HTTP server whose metrics are functions of time: traffic with a slowly growing share of slow requests and errors,
 * memory and backlog that creep up. Whoever reads it, at whatever moment, sees the same service.
 */
export async function startEvolvingService({ weight }: { weight: number }): Promise<EvolvingService> {
  const born = performance.now();
  let started = born;
  const page = (): string => {
    const now = performance.now();
    return render({ weight, age: (now - started) / 1000, total: (now - born) / 1000 });
  };
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(page());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the service has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    name: `127.0.0.1:${address.port}`,
    restart: () => {
      started = performance.now();
    },
    page,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Moment {
  readonly weight: number;
  /** Seconds since the counters began. */
  readonly age: number;
  /** Seconds since the service began. */
  readonly total: number;
}

function render({ weight, age, total }: Moment): string {
  const lines = [
    "# HELP http_request_duration_seconds Duration.",
    "# TYPE http_request_duration_seconds histogram",
  ];
  const requests: string[] = ["# TYPE http_requests_total counter"];
  const errors: string[] = ["# TYPE http_request_errors_total counter"];
  for (const { route, perSecond, slow } of ROUTES) {
    const label = `route="${route.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
    const count = Math.floor(perSecond * weight * age);
    // The share of slow requests grows by a tenth of itself in 100 s; their durations fill the upper buckets evenly.
    const slowCount = count * slow * (1 + age / 1000);
    for (const [at, bound] of BOUNDS.entries()) {
      const below = count - slowCount + (slowCount * at) / BOUNDS.length;
      lines.push(`http_request_duration_seconds_bucket{${label},le="${bound}"} ${Math.floor(below)}`);
    }
    lines.push(`http_request_duration_seconds_bucket{${label},le="+Inf"} ${count}`);
    lines.push(`http_request_duration_seconds_sum{${label}} ${count * 0.08}`);
    lines.push(`http_request_duration_seconds_count{${label}} ${count}`);
    requests.push(`http_requests_total{${label},method="GET"} ${count}`);
    errors.push(`http_request_errors_total{${label}} ${Math.floor(count * 0.1 * (1 + age / 1000))}`);
  }
  const gauges = [
    "# TYPE process_resident_memory_bytes gauge",
    `process_resident_memory_bytes ${Math.floor(weight * 1e8 * (1 + total / 2000))}`,
    "# TYPE queue_depth gauge",
    `queue_depth{queue="q"} ${weight * 4000 * (1 + total / 2000)}`,
  ];
  return `${[...lines, ...requests, ...errors, ...gauges].join("\n")}\n`;
}
