import { createServer, type Server } from "node:http";

/** A target of the configuration. */
interface FakeTarget {
  readonly name: string;
  readonly url: string;
}

export interface FakeFleet {
  readonly targets: readonly FakeTarget[];
  /** From now on this target's latency grows by so much a second, milliseconds. */
  ramp(name: string, msPerSecond: number): void;
  /** Calls of `POST /admin/mitigate`. Each ends the ramp of its target. */
  readonly mitigated: string[];
  close(): Promise<void>;
}

const BUCKETS_S = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 10];
const REQUESTS_PER_S = 40;
const NAMES = [
  "checkout",
  "search",
  "catalogue",
  "billing",
  "mail",
  "reports",
  "stock",
  "login",
  "prices",
  "images",
];

interface Member extends FakeTarget {
  readonly phase: number;
  readonly counts: Float64Array;
  sinceMs: number;
  errors: number;
  total: number;
  rampFromMs: number | undefined;
  rampPerS: number;
}

/**
 * Many small targets for one monitor: one server on all addresses of loopback, each target an address of its own. What
 * they tell is what a service tells, with latency, errors, memory and queue that move; requests are counted, not made.
 * @param options.stubborn a mitigation is accepted, and does not help
 */
export async function startFleet(count: number, options: { stubborn?: boolean } = {}): Promise<FakeFleet> {
  const members = new Map<string, Member>();
  const mitigated: string[] = [];
  const server = createServer((request, response) => {
    const member = members.get(request.headers.host ?? "");
    if (member === undefined) response.writeHead(404).end();
    else if (request.url === "/metrics")
      response
        .writeHead(200, { "content-type": "text/plain; version=0.0.4" })
        .end(pageOf(member, Date.now()));
    else if (request.method === "POST" && request.url?.startsWith("/admin/mitigate") === true) {
      mitigated.push(member.name);
      if (options.stubborn !== true) member.rampFromMs = undefined;
      response
        .writeHead(200, { "content-type": "application/json" })
        .end('{"reset_latency":true,"freed_chunks":0}');
    } else response.writeHead(404).end();
  });
  const port = await listen(server);
  for (let i = 0; i < count; i++) {
    const host = `127.0.${1 + Math.floor(i / 200)}.${1 + (i % 200)}:${port}`;
    const name = `${NAMES[i % NAMES.length]}-${String(Math.floor(i / NAMES.length) + 1).padStart(2, "0")}`;
    members.set(host, {
      ...{
        name,
        url: `http://${host}`,
        phase: i,
        counts: new Float64Array(BUCKETS_S.length),
        sinceMs: Date.now(),
      },
      ...{ errors: 0, total: 0, rampFromMs: undefined, rampPerS: 0 },
    });
  }
  return {
    targets: [...members.values()].map(({ name, url }) => ({ name, url, mitigate: "helius" })),
    mitigated,
    ramp(name, msPerSecond) {
      for (const member of members.values())
        if (member.name === name) Object.assign(member, { rampFromMs: Date.now(), rampPerS: msPerSecond });
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "0.0.0.0", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Milliseconds that the slowest of twenty requests takes now. */
function latencyOf(member: Member, nowMs: number): number {
  const usual = 90 + 8 * (member.phase % 9) + 2 * Math.sin(nowMs / 97_000 + 3 * member.phase);
  const ramp = member.rampFromMs === undefined ? 0 : ((nowMs - member.rampFromMs) / 1000) * member.rampPerS;
  return usual + ramp;
}

/** Advances the counters to now, and writes them. */
function pageOf(member: Member, nowMs: number): string {
  const requests = ((nowMs - member.sinceMs) / 1000) * REQUESTS_PER_S;
  member.sinceMs = nowMs;
  member.total += requests;
  if (member.phase % 17 === 0) member.errors += 0.004 * requests;
  const slowS = latencyOf(member, nowMs) / 1000;
  BUCKETS_S.forEach((le, b) => {
    // Spread evenly up to a little above, so that the 95th percentile is `slowS`.
    member.counts[b] = (member.counts[b] as number) + requests * Math.min(1, le / (slowS / 0.95));
  });
  const memory = 90e6 + 3e6 * (member.phase % 20) + 4e6 * ((nowMs / 60_000 + member.phase) % 1);
  const queue = Math.max(0, Math.round(6 + 5 * Math.sin(nowMs / 300_000 + member.phase)));
  return [
    "# TYPE http_request_duration_seconds histogram",
    ...BUCKETS_S.map((le, b) => `http_request_duration_seconds_bucket{le="${le}"} ${member.counts[b]}`),
    `http_request_duration_seconds_bucket{le="+Inf"} ${member.total}`,
    `http_request_duration_seconds_sum ${0.5 * slowS * member.total}`,
    `http_request_duration_seconds_count ${member.total}`,
    "# TYPE http_requests_total counter",
    `http_requests_total ${member.total}`,
    "# TYPE http_request_errors_total counter",
    `http_request_errors_total ${member.errors}`,
    "# TYPE process_resident_memory_bytes gauge",
    `process_resident_memory_bytes ${memory}`,
    "# TYPE queue_depth gauge",
    `queue_depth ${queue}`,
    "",
  ].join("\n");
}
