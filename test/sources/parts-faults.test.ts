import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PartsObservation } from "../../src/monitor/kernel/observation.ts";
import { createPrometheusSource, type PrometheusSource } from "../../src/monitor/sources/prometheus/index.ts";
import {
  drip,
  type Exchange,
  type FaultHandler,
  type FaultServer,
  flood,
  hang,
  respond,
  respondJson,
  startFaultServer,
  truncate,
} from "../setup/fault-server.ts";
import { questionOf } from "../setup/prometheus-queries.ts";
import { partsIn, partsNow, planOf } from "../setup/series.ts";

const TIMEOUT_MS = 1_000;
/** Far above the deadline, so that a busy machine fits in; far below what the fault would take. */
const SOON_MS = 8_000;
const parts = { label: "region", backlogMetric: "queue_depth", inboundMetric: "received_total" };
const plan = planOf([
  { name: "plain", signals: [{}] },
  { name: "gw", signals: [{}], parts },
  { name: "gw-2", signals: [{}], parts },
]);

let server: FaultServer;
let source: PrometheusSource;

beforeEach(async () => {
  server = await startFaultServer(hang());
  source = createPrometheusSource({
    baseUrl: server.url,
    timeoutMs: TIMEOUT_MS,
    maxResponseBytes: 256 * 1024,
    maxSampleAgeMs: 60_000,
    maxFutureMs: 5_000,
    rateWindowMs: 60_000,
    maxRetryDelayMs: 40,
    random: () => 0.5,
  });
});

afterEach(async () => {
  await source.close();
  await server.close();
});

interface Row {
  readonly job?: string;
  readonly region?: string;
  readonly value: unknown;
  readonly at?: number;
}

function vector(rows: readonly Row[], more: object = {}): object {
  const result = rows.map(({ job = "gw", region, value, at = Date.now() / 1000 }) => ({
    metric: region === undefined ? { job } : { job, region },
    value: [at, value],
  }));
  return { status: "success", data: { resultType: "vector", result }, ...more };
}

const queryIn = ({ body }: Exchange): string => new URLSearchParams(body).get("query") ?? "";

const GOOD: readonly Row[] = [{ region: "eu", value: "4" }];

/** What each of the queries is answered: two for values, one for the last scrape, two for the samples' age. */
function answers(given: {
  depth?: FaultHandler;
  received?: FaultHandler;
  up?: FaultHandler;
  ages?: FaultHandler;
}): FaultHandler {
  const { depth = respondJson(vector(GOOD)), received = respondJson(vector(GOOD)) } = given;
  const { up = fresh(), ages = fresh() } = given;
  return (exchange) => {
    const question = questionOf(exchange.body);
    const values = queryIn(exchange).includes("queue_depth") ? depth : received;
    return (question === "scraped" ? up : question === "ages" ? ages : values)(exchange);
  };
}

function fresh(agoS = 3, sign = 1): FaultHandler {
  return (exchange) => {
    const value = String(sign * (Date.now() / 1000 - agoS));
    respondJson(vector(["gw", "gw-2"].map((job) => ({ job, value }))))(exchange);
  };
}

async function read(handler: FaultHandler): Promise<PartsObservation | undefined> {
  server.behave(handler);
  const [plain, gw] = await source.parts(partsNow(plan));
  expect(plain).toMatchObject({ status: "missing", detail: "target has no parts" });
  return gw;
}

async function textOf(handler: FaultHandler): Promise<string> {
  const gw = await read(handler);
  return gw?.status === "ok" ? "ok" : `${gw?.status}: ${gw?.detail}`;
}

describe("parts from a healthy Prometheus", () => {
  it("joins backlog and inbound by part, with the time of the oldest sample", async () => {
    const queries: string[] = [];
    const depth = respondJson(
      vector([
        { region: "us", value: "-0" },
        { region: "eu", value: "7" },
        { job: "gw-2", region: "eu", value: "9" },
      ]),
    );
    const received = respondJson(
      vector([
        { region: "eu", value: "1e3" },
        { region: "unrouted", value: "5" },
      ]),
    );
    const handler = answers({ depth, received });
    const before = Date.now();
    server.behave((exchange) => {
      queries.push(queryIn(exchange));
      handler(exchange);
    });
    const [, gw, second] = await source.parts(partsNow(plan));
    expect(partsIn(gw)).toEqual([
      { part: "eu", backlog: 7, inboundTotal: 1000 },
      { part: "unrouted", inboundTotal: 5 },
      { part: "us", backlog: 0 },
    ]);
    expect(partsIn(second)).toEqual([{ part: "eu", backlog: 9 }]);
    const at = gw?.status === "ok" ? gw.timestampMs : 0;
    expect(at).toBeGreaterThanOrEqual(before - 3001);
    expect(at).toBeLessThanOrEqual(Date.now() - 2999);
    const [depths, counts] = ["queue_depth", "received_total"].map((m) => `${m}{job=~"gw|gw-2", region!=""}`);
    expect(queries.sort()).toEqual([
      expect.stringContaining('timestamp(up{job=~"gw|gw-2"})'),
      `min by (job) (timestamp(${depths}) >= time() - 60)`,
      `min by (job) (timestamp(${counts}) >= time() - 60)`,
      `sum by (job, region) (${depths} and timestamp(${depths}) >= time() - 60)`,
      `sum by (job, region) (${counts} and timestamp(${counts}) >= time() - 60)`,
    ]);
  });

  it("asks nothing when no target has parts", async () => {
    const plain = planOf([{ name: "plain", signals: [{}] }]);
    expect((await source.parts(partsNow(plain))).map(({ status }) => status)).toEqual(["missing"]);
    expect(server.requests()).toBe(0);
  });
});

describe("parts that cannot be used", () => {
  const json = (body: string) => respond({ headers: { "content-type": "application/json" }, body });
  const rows = (...given: Row[]) => respondJson(vector(given));
  const cases: readonly [string, FaultHandler, RegExp][] = [
    ["500", respond({ status: 500 }), /^unreachable: HTTP 500/],
    ["hang", hang(), /^unreachable: no complete answer before the deadline/],
    ["one of the queries hangs", answers({ received: hang() }), /^unreachable: no complete answer/],
    ["drip", drip({ body: JSON.stringify(vector(GOOD)), everyMs: 200 }), /^unreachable: /],
    [
      "HTML",
      answers({ depth: respond({ headers: { "content-type": "text/html" }, body: "<html>" }) }),
      /^invalid: answer is not JSON/,
    ],
    ["bad JSON", answers({ depth: json("{") }), /^invalid: answer is not JSON/],
    ["truncated", answers({ received: truncate(JSON.stringify(vector(GOOD))) }), /^invalid: .*broke off/],
    [
      "warnings",
      answers({ depth: respondJson(vector(GOOD, { warnings: ["store down"] })) }),
      /^invalid: .*warning: store down/,
    ],
    [
      "redirect",
      answers({ depth: respond({ status: 302, headers: { location: "/" } }) }),
      /^invalid: HTTP 302/,
    ],
    [
      "100 MB",
      answers({ depth: flood({ bytes: 100 * 1024 * 1024, contentType: "application/json" }) }),
      /^invalid: .*over the cap/,
    ],
    [
      "negative",
      answers({ depth: rows({ region: "eu", value: "-4" }) }),
      /^invalid: queue_depth of eu is negative/,
    ],
    [
      "a bare number",
      answers({ received: rows({ region: "eu", value: 4 }) }),
      /^invalid: received_total of eu is not a number/,
    ],
    [
      "duplicates",
      answers({ depth: rows(...GOOD, ...GOOD) }),
      /^invalid: more than one series of queue_depth for region eu/,
    ],
    [
      "empty",
      answers({ depth: rows(), received: rows() }),
      /^missing: queue_depth and received_total of job gw have no value with label region/,
    ],
    ["only NaN", answers({ depth: rows({ region: "eu", value: "NaN" }), received: rows() }), /^missing: /],
    ["no such label", answers({ depth: rows({ value: "4" }), received: rows() }), /^missing: /],
    ["old scrape", answers({ up: fresh(61) }), /^stale: last scrape of .* is 61\.\d s old/],
    ["failed scrape", answers({ up: fresh(1, -1) }), /^unreachable: .*up is 0/],
    [
      "no longer scraped",
      answers({ up: rows(), ages: rows(), depth: rows(), received: rows() }),
      /^stale: Prometheus does not scrape job gw \(no up\)/,
    ],
    ["age unknown", answers({ up: hang() }), /^unreachable: age of the samples is unknown/],
    [
      "clock an hour ahead",
      answers({ depth: rows({ region: "eu", value: "4", at: Date.now() / 1000 + 3600 }) }),
      /^invalid: evaluation is .* in the future/,
    ],
  ];
  it.each(cases)("%s", async (_name, handler, text) => {
    const began = performance.now();
    expect(await textOf(handler)).toMatch(text);
    expect(performance.now() - began).toBeLessThan(SOON_MS);
  });

  it.each(["NaN", "+Inf", "-Inf", "", null])("%j of one part is absent, never zero", async (value) => {
    const gw = await read(
      answers({
        depth: respondJson(
          vector([
            { region: "eu", value },
            { region: "us", value: "3" },
          ]),
        ),
      }),
    );
    expect(partsIn(gw)).toEqual([
      { part: "eu", inboundTotal: 4 },
      { part: "us", backlog: 3 },
    ]);
  });

  it("spoils the duplicated target only", async () => {
    const depth = [...GOOD, ...GOOD, { job: "gw-2", region: "eu", value: "9" }];
    server.behave(answers({ depth: respondJson(vector(depth)) }));
    const [, gw, second] = await source.parts(partsNow(plan));
    expect(gw?.status).toBe("invalid");
    expect(partsIn(second)[0]).toMatchObject({ backlog: 9 });
  });
});
