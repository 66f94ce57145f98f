import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type FaultHandler,
  type FaultServer,
  hang,
  respond,
  startFaultServer,
} from "../../../../test/setup/fault-server.ts";
import { partsIn, planOf } from "../../../../test/setup/series.ts";
import type { PartsObservation } from "../../kernel/observation.ts";
import type { Series, Target } from "../../kernel/target.ts";
import type { Instant } from "../../kernel/time.ts";
import { createScrapeSource, type ScrapeSource } from "./index.ts";

const TIMEOUT_MS = 1_000;
const parts = { label: "region", backlogMetric: "queue_depth", inboundMetric: "received_total" };
const memory = { scrape: { kind: "gauge", metric: "memory_bytes", combine: "max" } } as const;

let now: Instant;
let source: ScrapeSource;
let servers: FaultServer[];

beforeEach(async () => {
  now = { wallMs: Date.now(), monoMs: 1_000_000 };
  servers = await Promise.all([startFaultServer(hang()), startFaultServer(hang())]);
  source = createScrapeSource({
    timeoutMs: TIMEOUT_MS,
    maxResponseBytes: 64 * 1024,
    rateWindowMs: 60_000,
    clock: { now: () => now, bootId: "test" },
  });
});

afterEach(async () => {
  await source.close();
  await Promise.all(servers.map((server) => server.close()));
});

const page = (...lines: string[]): FaultHandler =>
  respond({ body: `${["memory_bytes 1", ...lines].join("\n")}\n` });

function planFor(count = 1): readonly Series[] {
  const instances = servers.slice(0, count).map((server, at) => ({ name: `gw-${at}:8005`, url: server.url }));
  return planOf([{ name: "gw", instances, signals: [memory], parts }]);
}

function targetOf(plan: readonly Series[]): Target {
  return (plan[0] as Series).target;
}

async function read(
  handlers: readonly FaultHandler[],
  more: { abort?: AbortSignal } = {},
): Promise<PartsObservation> {
  now = { wallMs: now.wallMs + 20_000, monoMs: now.monoMs + 20_000 };
  for (const [at, handler] of handlers.entries()) servers[at]?.behave(handler);
  const targets = [targetOf(planFor(handlers.length))];
  const [observation] = await source.parts({
    targets,
    now,
    signal: more.abort ?? new AbortController().signal,
  });
  return observation as PartsObservation;
}

const good = (n: number) =>
  page(
    `queue_depth{queue="t",region="eu"} ${n}`,
    `queue_depth{queue="u",region="eu"} 1`,
    `queue_depth{queue="t"} 77`,
    `received_total{region="eu",result="accepted"} ${10 * n}`,
    `received_total{region="eu",result="full"} 2`,
    `received_total{region="unrouted",result="malformed"} 3`,
    `queue_depth{queue="t",region="us"} 0`,
  );

describe("parts from pages", () => {
  it("sums other labels and instances, and leaves out what a part has no value of", async () => {
    expect(await read([good(5), good(7)])).toEqual({
      status: "ok",
      source: "scrape",
      timestampMs: now.wallMs,
      parts: [
        { part: "eu", backlog: 14, inboundTotal: 124 },
        { part: "unrouted", inboundTotal: 6 },
        { part: "us", backlog: 0 },
      ],
    });
  });

  it("reads the page that observe just read, once a cycle, also while it is on its way", async () => {
    const plan = planFor();
    const signal = new AbortController().signal;
    const cycle = async (handler: FaultHandler) => {
      now = { wallMs: now.wallMs + 20_000, monoMs: now.monoMs + 20_000 };
      servers[0]?.behave(handler);
    };
    await cycle(good(5));
    await source.observe({ plan, now, signal });
    const [after] = await source.parts({ targets: [targetOf(plan)], now, signal });
    expect(partsIn(after)[0]).toMatchObject({ part: "eu", backlog: 6 });
    expect(servers[0]?.requests()).toBe(1);
    await cycle(good(8));
    const [, [during]] = await Promise.all([
      source.observe({ plan, now, signal }),
      source.parts({ targets: [targetOf(plan)], now, signal }),
    ]);
    expect(partsIn(during)[0]).toMatchObject({ part: "eu", backlog: 9 });
    expect(servers[0]?.requests()).toBe(2);
    await cycle(good(9));
    const [fresh] = await source.parts({ targets: [targetOf(plan)], now, signal });
    expect(partsIn(fresh)[0]).toMatchObject({ part: "eu", backlog: 10 });
    expect(servers[0]?.requests()).toBe(3);
  });

  it("takes nothing from the signals when it has to ask by itself", async () => {
    const plan = planFor();
    const signal = new AbortController().signal;
    servers[0]?.behave(good(5));
    await source.observe({ plan, now, signal });
    await read([good(6)]);
    const [observation] = await source.observe({ plan, now, signal });
    expect(observation).toMatchObject({ status: "ok", value: 1 });
  });

  it("is missing for a target that has no parts, and asks nobody", async () => {
    const [target] = planOf([
      { name: "plain", instances: [{ name: "a", url: "http://127.0.0.1:1" }], signals: [memory] },
    ]);
    const signal = new AbortController().signal;
    expect(await source.parts({ targets: [(target as Series).target], now, signal })).toEqual([
      { status: "missing", source: "scrape", detail: "target has no parts" },
    ]);
  });
});

describe("parts that cannot be used", () => {
  const cases: readonly [string, readonly FaultHandler[], string, RegExp][] = [
    [
      "no such metrics",
      [page("x 1")],
      "missing",
      /queue_depth and received_total have no value with label region/,
    ],
    ["no such label", [page('queue_depth{queue="t"} 4')], "missing", /no value with label region/],
    ["negative", [page('queue_depth{region="eu"} -4')], "invalid", /queue_depth of eu is negative/],
    [
      "given twice",
      [page('queue_depth{region="eu"} 4', 'queue_depth{region="eu"} 5')],
      "invalid",
      /given twice/,
    ],
    ["500", [respond({ status: 500 })], "unreachable", /HTTP 500/],
    ["hang", [hang()], "unreachable", /before the deadline/],
    ["a part of the instances", [good(1), hang()], "invalid", /^partial: 1 of 2 instances gave no page/],
  ];
  it.each(cases)("%s", async (_name, handlers, status, detail) => {
    expect(await read(handlers)).toMatchObject({ status, detail: expect.stringMatching(detail) });
  });

  it("an infinite or undefined value is absent, never zero", async () => {
    const lines = [
      'queue_depth{region="eu"} NaN',
      'received_total{region="eu"} 5',
      'queue_depth{region="us"} +Inf',
    ];
    expect(partsIn(await read([page(...lines)]))).toEqual([{ part: "eu", inboundTotal: 5 }]);
  });

  it("gives up at its own deadline on a page that observe still waits for", async () => {
    const plan = planFor();
    servers[0]?.behave(hang());
    const observed = source.observe({ plan, now, signal: new AbortController().signal });
    const began = performance.now();
    const [observation] = await source.parts({
      targets: [targetOf(plan)],
      now,
      signal: AbortSignal.timeout(50),
    });
    expect(observation).toMatchObject({ status: "unreachable" });
    expect(performance.now() - began).toBeLessThan(TIMEOUT_MS - 50);
    await observed;
  });
});
