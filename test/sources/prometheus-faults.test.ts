import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Observation } from "../../src/monitor/kernel/observation.ts";
import { createPrometheusSource, type PrometheusSource } from "../../src/monitor/sources/prometheus/index.ts";
import {
  drip,
  type FaultHandler,
  type FaultServer,
  flood,
  hang,
  reset,
  respond,
  respondJson,
  startFaultServer,
  truncate,
} from "../setup/fault-server.ts";
import { freePort } from "../setup/ports.ts";
import { type Question, questionOf } from "../setup/prometheus-queries.ts";
import { numberIn, planOf, requestNow } from "../setup/series.ts";

const TIMEOUT_MS = 1_000;
/** Far above the deadline, so that a busy machine fits in; far below what the fault would take. */
const SOON_MS = 8_000;
const MAX_BYTES = 256 * 1024;
const plan = planOf([
  { name: "alpha", signals: [{}] },
  { name: "beta", signals: [{}] },
]);
const worstPlan = planOf([{ name: "alpha", aggregate: "worst_instance", signals: [{}] }]);

let server: FaultServer;
let source: PrometheusSource;

beforeEach(async () => {
  server = await startFaultServer(hang());
  source = sourceAt(server.url);
});

afterEach(async () => {
  await source.close();
  await server.close();
});

function sourceAt(baseUrl: string): PrometheusSource {
  return createPrometheusSource({
    baseUrl,
    timeoutMs: TIMEOUT_MS,
    maxResponseBytes: MAX_BYTES,
    maxSampleAgeMs: 60_000,
    maxFutureMs: 5_000,
    rateWindowMs: 60_000,
    maxRetryDelayMs: 40,
    random: () => 0.5,
  });
}

interface Row {
  readonly job?: string;
  readonly instance?: string;
  readonly value: unknown;
  readonly at?: number;
}

function vector(rows: readonly Row[], more: object = {}): object {
  const result = rows.map(({ job = "alpha", instance, value, at = Date.now() / 1000 }) => ({
    metric: instance === undefined ? { job } : { job, instance },
    value: [at, value],
  }));
  return { status: "success", data: { resultType: "vector", result }, ...more };
}

const NOTHING = respondJson(vector([]));

/** Answers queries for values with `values`, that for the last scrape with `up`, and those for the samples' age with `ages`. */
function answers(
  values: FaultHandler,
  up: FaultHandler = fresh(),
  ages: FaultHandler = fresh(),
): FaultHandler {
  const by: Partial<Record<Question, FaultHandler>> = { values, scraped: up, ages };
  return (exchange) => (by[questionOf(exchange.body)] ?? NOTHING)(exchange);
}

/** Last scrapes `agoS` seconds ago (negative: in the future); `sign` -1: they failed. */
function fresh(agoS = 3, sign = 1): FaultHandler {
  return (exchange) => {
    const value = String(sign * (Date.now() / 1000 - agoS));
    const rows = ["alpha", "beta"].map((job) => ({ job, instance: `${job}:8000`, value }));
    respondJson(vector(rows))(exchange);
  };
}

async function observe(handler: FaultHandler, series = plan): Promise<readonly Observation[]> {
  server.behave(handler);
  return source.observe(requestNow(series));
}

async function statusOf(handler: FaultHandler): Promise<string> {
  const [first] = await observe(handler);
  return `${first?.status}: ${first && first.status !== "ok" ? first.detail : ""}`;
}

describe("a healthy Prometheus", () => {
  it("gives each target its value, with the time of the last scrape", async () => {
    const rows = [
      { job: "beta", value: "2.5e8" },
      { job: "alpha", value: "-0" },
    ];
    const before = Date.now();
    const [alpha, beta] = await observe(answers(respondJson(vector(rows))));
    expect([numberIn(alpha), numberIn(beta)]).toEqual([0, 2.5e8]);
    expect(Object.is(numberIn(alpha), -0)).toBe(false);
    const at = alpha?.status === "ok" ? alpha.timestampMs : 0;
    expect(at).toBeGreaterThanOrEqual(before - 3001);
    expect(at).toBeLessThanOrEqual(Date.now() - 2999);
    // Values, scrapes, ages and start times; and once the list of targets.
    expect(server.requests()).toBe(5);
  });

  it("names the worst instance and passes over one without traffic", async () => {
    const rows = ["NaN", "3", "7", "5"].map((value, at) => ({ instance: `alpha-${at}:8000`, value }));
    const [alpha] = await observe(answers(respondJson(vector(rows))), worstPlan);
    expect(alpha).toMatchObject({ status: "ok", value: 7, instance: "alpha-2:8000" });
  });
});

describe("no answer", () => {
  it("is unreachable when nothing listens, after one retry", async () => {
    const nobody = sourceAt(`http://127.0.0.1:${await freePort()}`);
    const observations = await nobody.observe(requestNow(plan));
    await nobody.close();
    expect(observations.map((o) => o.status)).toEqual(["unreachable", "unreachable"]);
    expect(observations[0]).toMatchObject({ detail: expect.stringContaining("ECONNREFUSED") });
  });

  it.each([500, 503])("is unreachable on HTTP %i, after exactly one retry a query", async (status) => {
    const text = await statusOf(respond({ status, body: "tsdb is\n sad" }));
    expect(text).toBe(`unreachable: HTTP ${status}: tsdb is sad`);
    expect(server.requests()).toBe(1 + 2 * 4);
  });

  it("recovers by the retry when only the first answer fails", async () => {
    const good = answers(respondJson(vector([{ value: "4" }])));
    const seen = new Set<string>();
    const [alpha] = await observe((exchange) => {
      const kind = questionOf(exchange.body);
      const handler = seen.has(kind) ? good : respond({ status: 503 });
      seen.add(kind);
      handler(exchange);
    });
    expect(numberIn(alpha)).toBe(4);
  });

  it("is unreachable when the connection is reset", async () => {
    expect(await statusOf(reset())).toMatch(/^unreachable: /);
  });

  it("is unreachable at the deadline when it hangs", async () => {
    const started = performance.now();
    expect(await statusOf(hang())).toBe("unreachable: no complete answer before the deadline");
    expect(performance.now() - started).toBeLessThan(SOON_MS);
  });

  it("is unreachable at the total deadline when bytes only drip", async () => {
    const started = performance.now();
    const body = JSON.stringify(vector([{ value: "4" }]));
    expect(await statusOf(drip({ body, everyMs: 500 }))).toBe(
      "unreachable: no complete answer before the deadline",
    );
    expect(performance.now() - started).toBeLessThan(SOON_MS);
  });

  it("is unreachable at once when the cycle is aborted", async () => {
    const controller = new AbortController();
    server.behave((exchange) => {
      if (exchange.count === 1) NOTHING(exchange);
      if (exchange.count === 3) controller.abort();
    });
    const observations = await source.observe(requestNow(plan, controller.signal));
    expect(observations[1]).toMatchObject({ status: "unreachable", detail: "cancelled" });
  });

  it("is unreachable when only the age of the samples cannot be learnt", async () => {
    const values = respondJson(vector([{ value: "4" }]));
    expect(await statusOf(answers(values, hang()))).toMatch(/^unreachable: age of the samples is unknown/);
  });
});

describe("an answer that cannot be trusted", () => {
  const body = JSON.stringify(vector([{ value: "4" }]));
  const json = { "content-type": "application/json" };
  const cases: readonly [string, FaultHandler, RegExp][] = [
    [
      "HTML",
      respond({ headers: { "content-type": "text/html" }, body: "<html>login</html>" }),
      /not JSON.*login/,
    ],
    ["JSON labelled HTML", respond({ headers: { "content-type": "text/html" }, body }), /not JSON/],
    ["bad JSON", respond({ headers: json, body: `${body.slice(0, -1)},}` }), /not JSON/],
    ["half of a JSON, well framed", respond({ headers: json, body: body.slice(0, 60) }), /not JSON/],
    ["truncated", truncate(body), /broke off/],
    ["not HTTP", ({ socket }) => socket.end("220 mail.example ESMTP\r\n"), /not an HTTP answer/],
    [
      "redirect",
      respond({ status: 302, headers: { location: "http://127.0.0.1:1/" } }),
      /HTTP 302: a redirect is never followed/,
    ],
    [
      "error 422",
      respondJson({ status: "error", error: "bad matcher" }, 422),
      /HTTP 422: query failed: bad matcher/,
    ],
    ["forbidden", respond({ status: 403, body: "no" }), /HTTP 403/],
    ["error with 200", respondJson({ status: "error", error: "boom" }), /query failed: boom/],
    [
      "a matrix",
      respondJson({ status: "success", data: { resultType: "matrix", result: [] } }),
      /no data.result/,
    ],
    ["null", respondJson("null"), /not a JSON object/],
    ["warnings", respondJson(vector([{ value: "4" }], { warnings: ["store down"] })), /warning: store down/],
    ["warnings that are no list", respondJson(vector([{ value: "4" }], { warnings: "x" })), /no list/],
    ["partial infos", respondJson(vector([{ value: "4" }], { infos: ["Partial response"] })), /is partial/],
    ["negative", answers(respondJson(vector([{ value: "-4" }]))), /negative/],
    ["a bare number", answers(respondJson(vector([{ value: 4 }]))), /not a number/],
    ["hexadecimal", answers(respondJson(vector([{ value: "0x10" }]))), /not a number/],
    ["blank", answers(respondJson(vector([{ value: " " }]))), /not a number/],
    ["100 MB, length named", respond({ headers: { "content-length": "104857600" } }), /over the cap/],
  ];
  it.each(cases)("%s is invalid", async (_name, handler, detail) => {
    const text = await statusOf(handler);
    expect(text).toMatch(/^invalid: /);
    expect(text).toMatch(detail);
  });

  it("does not follow a redirect, not even to itself", async () => {
    await observe(respond({ status: 307, headers: { location: `${server.url}/other` } }));
    expect(server.requests()).toBe(5);
  });

  it("accepts infos that are only hints", async () => {
    const infos = ["PromQL info: metric might not be a counter"];
    const [alpha] = await observe(answers(respondJson(vector([{ value: "4" }], { infos }))));
    expect(numberIn(alpha)).toBe(4);
  });

  it("cuts off 100 MB in bounded memory", async () => {
    server.behave(flood({ bytes: 100 * 1024 * 1024, contentType: "application/json" }));
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    const observations = await source.observe(requestNow(plan));
    const grownMb = (process.memoryUsage.rss() - before) / 1024 / 1024;
    for (const o of observations)
      expect(o).toMatchObject({ status: "invalid", detail: expect.stringMatching(/over the cap/) });
    expect(grownMb).toBeLessThan(40);
  });

  it("rejects a duplicate for that target only", async () => {
    const rows = [{ value: "4" }, { value: "4" }, { job: "beta", value: "9" }];
    const [alpha, beta] = await observe(answers(respondJson(vector(rows))));
    expect(alpha).toMatchObject({
      status: "invalid",
      detail: expect.stringMatching(/^more than one series for a target/),
    });
    expect(numberIn(beta)).toBe(9);
  });

  it("rejects a duplicate instance of a worst-instance target", async () => {
    const rows = ["1", "2"].map((value) => ({ instance: "alpha:8000", value }));
    const [alpha] = await observe(answers(respondJson(vector(rows))), worstPlan);
    expect(alpha?.status).toBe("invalid");
  });
});

describe("no value", () => {
  it.each(["NaN", "+Inf", "-Inf", "Inf", "", null])("%j is missing, never zero", async (value) => {
    const rows = [{ value }, { job: "beta", value: "9" }];
    const [alpha, beta] = await observe(answers(respondJson(vector(rows))));
    expect(alpha?.status).toBe("missing");
    expect(numberIn(beta)).toBe(9);
  });

  it("an empty result is missing", async () => {
    expect(await statusOf(answers(NOTHING, fresh(), NOTHING))).toMatch(
      /^missing: Prometheus scrapes job alpha and finds no series process_resident_memory_bytes\{job=~"alpha"\}/,
    );
    expect(await statusOf(NOTHING)).toMatch(
      /^missing: Prometheus knows no job alpha: process_resident_memory_bytes\{job=~"alpha"\} finds nothing, nor does up/,
    );
  });

  it("one instance with an infinite value spoils a worst-instance target", async () => {
    const rows = ["+Inf", "2"].map((value, at) => ({ instance: `alpha-${at}:8000`, value }));
    const [alpha] = await observe(answers(respondJson(vector(rows))), worstPlan);
    expect(alpha?.status).toBe("missing");
  });
});

describe("time", () => {
  const good = respondJson(vector([{ value: "4" }]));

  it("is stale when the last scrape is older than the limit, although the answer looks fresh", async () => {
    expect(await statusOf(answers(good, fresh(61)))).toMatch(
      /^stale: last scrape of alpha:8000 is 61\.\d s old/,
    );
  });

  it("is stale once a frozen scrape timestamp has passed the limit", async () => {
    const frozen = Date.now() / 1000 - 59.9;
    const up = respondJson(vector([{ instance: "alpha:8000", value: String(frozen) }]));
    server.behave(answers(good, up));
    const now = Date.now();
    const at = async (wallMs: number) =>
      (await source.observe({ plan, now: { wallMs, monoMs: 0 }, signal: new AbortController().signal }))[0];
    expect((await at(now - 1000))?.status).toBe("ok");
    expect((await at(now + 1000))?.status).toBe("stale");
  });

  it("is stale when the job is no longer scraped, although rate() still answers", async () => {
    expect(await statusOf(answers(good, NOTHING, NOTHING))).toMatch(
      /^stale: Prometheus no longer scrapes job alpha/,
    );
  });

  it("is unreachable when the last scrape failed", async () => {
    expect(await statusOf(answers(good, fresh(1, -1)))).toBe(
      "unreachable: Prometheus could not scrape alpha:8000 (up is 0)",
    );
  });

  it("is invalid when the clock of Prometheus is an hour ahead", async () => {
    expect(await statusOf(answers(good, fresh(-3600)))).toMatch(/^invalid: .*in the future/);
    const ahead = respondJson(vector([{ value: "4", at: Date.now() / 1000 + 3600 }]));
    expect(await statusOf(answers(ahead))).toMatch(/^invalid: evaluation is 3\d{3}\.\d s in the future/);
  });

  it("is stale when the clock of Prometheus is an hour behind, or the answer is an hour old", async () => {
    expect(await statusOf(answers(good, fresh(3600)))).toMatch(/^stale: /);
    const behind = respondJson(vector([{ value: "4", at: Date.now() / 1000 - 3600 }]));
    expect(await statusOf(answers(behind))).toMatch(/^stale: evaluation/);
  });

  it("is invalid when the time of the last scrape is no time", async () => {
    for (const value of ["NaN", "0", null]) {
      const up = respondJson(vector([{ instance: "alpha:8000", value }]));
      expect(await statusOf(answers(good, up))).toMatch(/^invalid: time of its last scrape/);
    }
  });
});

describe("history", () => {
  const range = { plan, fromMs: 0, toMs: 600_000, stepMs: 60_000 };
  const matrix = (rows: readonly object[], more: object = {}) =>
    respondJson({ status: "success", data: { resultType: "matrix", result: rows }, ...more });
  const row = (job: string, values: readonly unknown[]) => ({
    metric: { job },
    values: values.map((value, at) => [60 * (at + 1), value]),
  });
  const read = (handler: FaultHandler) => {
    server.behave(handler);
    return source.history({ ...range, signal: new AbortController().signal });
  };

  it("is aligned with the plan and leaves out what is no usable number", async () => {
    const rows = [row("beta", ["1", "NaN", "+Inf", "", null, "-3", "2"])];
    const [alpha, beta] = await read(matrix(rows));
    expect(alpha).toEqual([]);
    expect(beta).toEqual([
      { timestampMs: 60_000, value: 1 },
      { timestampMs: 420_000, value: 2 },
    ]);
  });

  const bad: readonly [string, FaultHandler][] = [
    ["500", respond({ status: 500 })],
    ["hang", hang()],
    ["drip", drip({ body: JSON.stringify({ status: "success" }), everyMs: 1000 })],
    ["HTML", respond({ headers: { "content-type": "text/html" }, body: "<html>" })],
    ["truncated", truncate(JSON.stringify({ status: "success" }))],
    ["warnings", matrix([row("alpha", ["1"])], { warnings: ["store down"] })],
    ["redirect", respond({ status: 302, headers: { location: "/elsewhere" } })],
    ["duplicates", matrix([row("alpha", ["1"]), row("alpha", ["2"])])],
    ["100 MB", flood({ bytes: 100 * 1024 * 1024, contentType: "application/json" })],
  ];
  it.each(bad)("is empty on: %s", async (_name, handler) => {
    const started = performance.now();
    expect(await read(handler)).toEqual([[], []]);
    expect(performance.now() - started).toBeLessThan(SOON_MS);
    expect(server.requests()).toBe(1);
  });
});
