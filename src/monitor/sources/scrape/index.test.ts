import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  drip,
  type FaultHandler,
  type FaultServer,
  flood,
  hang,
  respond,
  startFaultServer,
  truncate,
} from "../../../../test/setup/fault-server.ts";
import { freePort } from "../../../../test/setup/ports.ts";
import { numberIn, planOf } from "../../../../test/setup/series.ts";
import type { Observation } from "../../kernel/observation.ts";
import type { ScrapeRecipe } from "../../kernel/signal.ts";
import type { Series, Target } from "../../kernel/target.ts";
import type { Instant } from "../../kernel/time.ts";
import { createScrapeSource, type ScrapeSource } from "./index.ts";

const TIMEOUT_MS = 1_000;
const p95: ScrapeRecipe = { kind: "histogram_quantile", metric: "d", quantile: 0.95, scale: 1000 };
const ratio: ScrapeRecipe = { kind: "rate_ratio", numerator: "errors_total", denominator: "requests_total" };
const memory: ScrapeRecipe = { kind: "gauge", metric: "memory_bytes", combine: "max" };
const backlog: ScrapeRecipe = { kind: "gauge", metric: "queue_depth", combine: "sum" };

let now: Instant;
let source: ScrapeSource;
let servers: FaultServer[];

beforeEach(async () => {
  now = { wallMs: Date.now(), monoMs: 1_000_000 };
  servers = await Promise.all([startFaultServer(hang()), startFaultServer(hang()), startFaultServer(hang())]);
  source = sourceWith({});
});

afterEach(async () => {
  await source.close();
  await Promise.all(servers.map((server) => server.close()));
});

function sourceWith(more: { maxConcurrent?: number }): ScrapeSource {
  return createScrapeSource({
    timeoutMs: TIMEOUT_MS,
    maxResponseBytes: 64 * 1024,
    rateWindowMs: 60_000,
    clock: { now: () => now, bootId: "test" },
    ...more,
  });
}

function planFor(
  recipes: readonly ScrapeRecipe[],
  count = 1,
  aggregate: Target["aggregate"] = "job",
): readonly Series[] {
  const instances = servers
    .slice(0, count)
    .map((server, at) => ({ name: `app-${at}:8000`, url: server.url }));
  const signals = recipes.map((scrape, at) => ({ name: `signal-${at}`, scrape }));
  return planOf([{ name: "app", aggregate, instances, signals }]);
}

const page = (text: string): FaultHandler =>
  respond({ headers: { "content-type": "text/plain" }, body: text });

/** Every server answers with its page, then one cycle runs; 20 s pass before it. */
async function cycle(plan: readonly Series[], ...handlers: FaultHandler[]): Promise<readonly Observation[]> {
  now = { wallMs: now.wallMs + 20_000, monoMs: now.monoMs + 20_000 };
  for (const [at, handler] of handlers.entries()) servers[at]?.behave(handler);
  return source.observe({ plan, now, signal: new AbortController().signal });
}

function traffic(requests: number, errors: number): FaultHandler {
  const buckets = [0.5, 0.8, 1].map((share, at) => {
    const le = ["0.1", "0.5", "+Inf"][at];
    return `d_bucket{route="/a",le="${le}"} ${requests * share}`;
  });
  const counters = [
    `requests_total{code="200"} ${requests - errors}`,
    `requests_total{code="500"} ${errors}`,
  ];
  return page(
    [...buckets, ...counters, `errors_total ${errors}`, "memory_bytes 5e7", "queue_depth 3", ""].join("\n"),
  );
}

describe("recipes over real pages", () => {
  it("needs two scrapes for a rate, none for a gauge", async () => {
    const plan = planFor([p95, ratio, memory, backlog]);
    const first = await cycle(plan, traffic(100, 10));
    expect(first.map((o) => o.status)).toEqual(["missing", "missing", "ok", "ok"]);
    expect(first[0]).toMatchObject({ detail: "d_bucket needs two scrapes within 60 s" });
    const second = await cycle(plan, traffic(200, 30));
    expect(second.map(numberIn)).toEqual([500, 0.2, 5e7, 3]);
    expect(second[0]).toMatchObject({ source: "scrape", timestampMs: now.wallMs });
  });

  it("sums instances, or names the worst", async () => {
    const load = [traffic(0, 0), traffic(0, 0)];
    const later = [traffic(300, 3), traffic(100, 21)];
    const sum = planFor([ratio, backlog], 2);
    await cycle(sum, ...load);
    expect((await cycle(sum, ...later)).map(numberIn)).toEqual([24 / 400, 6]);
    const [worst] = await cycle(planFor([ratio], 2, "worst_instance"));
    expect(worst).toMatchObject({ status: "ok", instance: "app-1:8000", value: 0.21 });
  });

  it("says no traffic, not zero, and passes over idle instances of a worst-instance target", async () => {
    const plan = planFor([p95, ratio], 2, "worst_instance");
    await cycle(plan, traffic(100, 0), traffic(0, 0));
    const idle = await cycle(plan, traffic(100, 0), traffic(0, 0));
    expect(idle.map((o) => o.status)).toEqual(["missing", "missing"]);
    expect(idle[0]).toMatchObject({ detail: "no traffic in the window" });
    const busy = await cycle(plan, traffic(100, 0), traffic(100, 4));
    expect(busy[1]).toMatchObject({ status: "ok", value: 0.04, instance: "app-1:8000" });
  });

  it("adds a counter reset back", async () => {
    const plan = planFor([ratio]);
    await cycle(plan, traffic(1000, 500));
    await cycle(plan, traffic(1100, 500));
    const [after] = await cycle(plan, traffic(100, 50));
    expect(numberIn(after)).toBeCloseTo(50 / 200, 12);
  });

  it("takes a counter that has no series yet for zero where there is traffic", async () => {
    const text = (n: number, more: string) => page(`${more}requests_total ${n}\n`);
    const plan = planFor([ratio]);
    await cycle(plan, text(1, ""));
    expect((await cycle(plan, text(9, ""))).map(numberIn)).toEqual([0]);
    expect((await cycle(plan, text(20, "# TYPE errors_total counter\n"))).map(numberIn)).toEqual([0]);
    expect(await cycle(plan, text(20, ""), text(20, ""))).toMatchObject([{ status: "ok", value: 0 }]);
  });

  it("says at least where a quantile lies beyond its buckets, and nothing where there are none", async () => {
    const slow = (n: number) => page(`d_bucket{le="0.25"} 0\nd_bucket{le="+Inf"} ${n}\n`);
    const plan = planFor([p95]);
    await cycle(plan, slow(100));
    const [ceiling] = await cycle(plan, slow(200));
    expect(ceiling).toMatchObject({ status: "ok", value: 250, atLeast: "the buckets of d end at 250 bytes" });
    const open = (n: number) => page(`d_bucket{le="+Inf"} ${n}\n`);
    source = sourceWith({});
    await cycle(plan, open(100));
    expect(await cycle(plan, open(200))).toMatchObject([
      { status: "invalid", detail: "d has no finite bucket: it tells no quantile" },
    ]);
  });

  it("tells several processes behind one address from a restart", async () => {
    const process = (n: number, start: string) => page(`${start}requests_total ${n}\nerrors_total 0\n`);
    const [old, young] = ["process_start_time_seconds 1000\n", "process_start_time_seconds 9000\n"];
    const plan = planFor([ratio]);
    for (const [first, second] of [
      [old, young],
      ["", ""],
    ] as const) {
      source = sourceWith({});
      await cycle(plan, process(100_000, first));
      expect((await cycle(plan, process(100_020, first)))[0]?.status).toBe("ok");
      expect((await cycle(plan, process(20, second)))[0]?.status).toBe("ok");
      expect(await cycle(plan, process(100_060, first))).toMatchObject([
        { status: "invalid", detail: expect.stringMatching(/^several processes answer under one address/) },
      ]);
    }
  });

  it("forgets what left the window: after a long gap a rate needs two scrapes again", async () => {
    const plan = planFor([ratio]);
    await cycle(plan, traffic(100, 1));
    await cycle(plan, traffic(200, 2));
    now = { wallMs: now.wallMs + 120_000, monoMs: now.monoMs + 120_000 };
    expect((await cycle(plan, traffic(300, 3)))[0]).toMatchObject({
      status: "missing",
      detail: expect.stringMatching(/needs two scrapes/),
    });
  });

  it("is not disturbed by a step of the wall clock", async () => {
    const plan = planFor([ratio]);
    await cycle(plan, traffic(100, 10));
    now = { ...now, wallMs: now.wallMs - 86_400_000 };
    expect((await cycle(plan, traffic(200, 30))).map(numberIn)).toEqual([0.2]);
  });

  it("reads gzip, and refuses a compressed bomb", async () => {
    const headers = { "content-encoding": "gzip" };
    const plan = planFor([memory]);
    const good = await cycle(plan, respond({ headers, body: gzipSync("memory_bytes 7\n") }));
    expect(good.map(numberIn)).toEqual([7]);
    const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024, "#"));
    expect(bomb.length).toBeLessThan(64 * 1024);
    const [refused] = await cycle(plan, respond({ headers, body: bomb }));
    expect(refused).toMatchObject({ status: "invalid", detail: expect.stringMatching(/over the cap/) });
  });

  it("asks each instance once a cycle, whatever the number of signals and targets", async () => {
    const plan = [...planFor([p95, ratio, memory]), ...planFor([backlog])];
    await cycle(plan, traffic(1, 0));
    expect(servers[0]?.requests()).toBe(1);
  });
});

describe("pages that cannot be used", () => {
  const cases: readonly [string, FaultHandler, Observation["status"], RegExp][] = [
    ["500", respond({ status: 500 }), "unreachable", /HTTP 500/],
    ["404", respond({ status: 404 }), "invalid", /HTTP 404/],
    ["hang", hang(), "unreachable", /before the deadline/],
    [
      "drip",
      drip({ body: "memory_bytes 100000000000\n", everyMs: 50 }),
      "unreachable",
      /before the deadline/,
    ],
    [
      "redirect",
      respond({ status: 301, headers: { location: "/" } }),
      "invalid",
      /a redirect is never followed/,
    ],
    ["truncated", truncate("memory_bytes 100\nqueue_depth 1\n", "text/plain"), "invalid", /broke off/],
    ["cut off in a number", page("queue_depth 1\nmemory_bytes 1"), "invalid", /line 2: .*cut off/],
    ["HTML", page("<html>\n"), "invalid", /line 1/],
    ["not UTF-8", respond({ body: Buffer.from([0x23, 0xff, 0x0a]) }), "invalid", /not UTF-8/],
    ["100 MB", flood({ bytes: 100 * 1024 * 1024, contentType: "text/plain" }), "invalid", /over the cap/],
    ["empty", page(""), "missing", /no metric memory_bytes/],
    ["NaN", page("memory_bytes NaN\n"), "missing", /not a finite/],
    ["+Inf", page("memory_bytes +Inf\n"), "missing", /not a finite/],
    ["negative", page("memory_bytes -1\n"), "invalid", /negative/],
    ["duplicate", page('memory_bytes{a="1"} 1\nmemory_bytes{a="1"} 2\n'), "invalid", /given twice/],
    ["old timestamp", page(`memory_bytes 1 ${Date.now() - 3_600_000}\n`), "invalid", /s old/],
    ["future timestamp", page(`memory_bytes 1 ${Date.now() + 3_600_000}\n`), "invalid", /in the future/],
  ];
  it.each(cases)("%s", async (_name, handler, status, detail) => {
    const [observation] = await cycle(planFor([memory]), handler);
    expect(observation).toMatchObject({ status, detail });
  });

  it("is unreachable when nothing listens", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const plan = planOf([
      { name: "app", instances: [{ name: "app:1", url }], signals: [{ scrape: memory }] },
    ]);
    expect((await cycle(plan))[0]).toMatchObject({
      status: "unreachable",
      detail: expect.stringMatching(/ECONNREFUSED/),
    });
  });

  it("holds a target of which only a part answers, and says which part does not", async () => {
    const observations = await cycle(
      planFor([memory], 3),
      page("memory_bytes 1\n"),
      hang(),
      page("memory_bytes 2\n"),
    );
    expect(observations).toMatchObject([
      {
        status: "invalid",
        detail: expect.stringMatching(
          /^partial: 1 of 3 instances gave no page \(app-1:8000: no complete answer/,
        ),
      },
    ]);
    expect((await cycle(planFor([memory], 2), hang(), hang()))[0]?.status).toBe("unreachable");
  });

  it("is missing for a target without instances", async () => {
    expect(await cycle(planFor([memory], 0))).toMatchObject([
      { status: "missing", detail: expect.stringMatching(/no instances/) },
    ]);
  });
});

describe("many instances", () => {
  it("is done at the deadline, and slow ones go last from the next cycle on", async () => {
    source = sourceWith({ maxConcurrent: 1 });
    const good = page("memory_bytes 1\n");
    const plan = servers.map((server, at) => {
      const instances = [{ name: `t${at}:1`, url: server.url }];
      return planOf([{ name: `t${at}`, instances, signals: [{ scrape: memory }] }])[0] as Series;
    });
    const started = performance.now();
    const first = await cycle(plan, hang(), good, good);
    expect(performance.now() - started).toBeLessThan(TIMEOUT_MS + 5_000);
    expect(first.map((o) => o.status)).toEqual(["unreachable", "unreachable", "unreachable"]);
    expect(first[2]).toMatchObject({ detail: "t2:1: no time left to ask it" });
    const second = await cycle(plan, hang(), good, good);
    expect(second.map((o) => o.status)).toEqual(["unreachable", "ok", "ok"]);
    expect((await cycle(plan, good, good, good)).map((o) => o.status)).toEqual(["ok", "ok", "ok"]);
  });

  it("does not let hanging instances disturb the others", async () => {
    const plan = servers.map((server, at) => {
      const instances = [{ name: `t${at}:1`, url: server.url }];
      return planOf([{ name: `t${at}`, instances, signals: [{ scrape: memory }] }])[0] as Series;
    });
    const observations = await cycle(plan, hang(), page("memory_bytes 8\n"), hang());
    expect(observations.map((o) => o.status)).toEqual(["unreachable", "ok", "unreachable"]);
  });
});
