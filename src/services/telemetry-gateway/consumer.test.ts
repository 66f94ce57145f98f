import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRegistry } from "../../common/telemetry/registry.ts";
import { capturedLog, ManualClock, temporaryDirectory } from "../kit/kit.testkit.ts";
import { SqliteQueue } from "../queue/sqlite-queue.ts";
import { RegionBreaker } from "./breaker.ts";
import { Consumer, type ConsumerOptions } from "./consumer.ts";
import { DownstreamFault } from "./downstream-fault.ts";
import { messageKey } from "./message.ts";
import { GatewayMetrics } from "./metrics.ts";
import { REGIONS, type Region } from "./regions.ts";
import { TelemetryStore } from "./store.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let clock: ManualClock;
const closers: (() => void | Promise<void>)[] = [];
beforeEach(() => {
  dir = temporaryDirectory();
  clock = new ManualClock();
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  dir.remove();
});

function make(
  options: {
    ratePerSecond?: number;
    slowdown?: () => number;
    sink?: (real: TelemetryStore) => ConsumerOptions["sink"];
  } = {},
) {
  const queue = new SqliteQueue({
    file: join(dir.path, "buffer.sqlite"),
    lanes: REGIONS,
    laneCapacity: 100_000,
    dedupWindowMs: 60_000,
    nowMs: () => clock.wallMs(),
  });
  const store = new TelemetryStore({ directory: dir.path, retentionMs: 1e9, nowMs: clock.wallMs() });
  closers.push(
    () => queue.close(),
    () => store.close(),
  );
  const breakers = new Map(
    REGIONS.map((region) => [region, new RegionBreaker({ pauseMs: 5_000, maxPauseMs: 60_000 })]),
  );
  const fault = new DownstreamFault();
  const registry = createRegistry({ processMetrics: false });
  const { lines, logger } = capturedLog();
  const consumer = new Consumer({
    queue,
    sink: options.sink?.(store) ?? store,
    breakers,
    fault,
    metrics: new GatewayMetrics(registry),
    clock,
    logger,
    random: () => 0,
    ratePerSecond: options.ratePerSecond ?? 1_000,
    slowdown: options.slowdown ?? (() => 1),
    retryBaseMs: 1_000,
  });
  const fill = (region: Region, count: number, from = 0) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        queue.offer({ lane: region, key: messageKey("d", `m${from + index}`), payload: Buffer.from("{}") }),
      ),
    );
  const run = async (ms: number, stepMs = 100) => {
    for (let passed = 0; passed < ms; passed += stepMs) {
      clock.advance(stepMs);
      await consumer.tick();
    }
  };
  const strike = (region: Region, ratio: number) =>
    fault.inject(
      {
        choice: () => region,
        number: () => ratio,
        optionalChoice: () => undefined,
        optionalNumber: () => undefined,
      },
      { nowMs: clock.monoMs(), overMs: 0 },
    );
  return { queue, store, breakers, fault, consumer, fill, run, strike, registry, lines };
}

describe("the rate", () => {
  it("is the sustainable one, shared evenly, and what one region does not use goes to the others", async () => {
    const { queue, store, fill, run } = make({ ratePerSecond: 400 });
    for (const region of REGIONS) await fill(region, region === "us-west-2" ? 10 : 1_000);
    await run(1_000);
    const stored = REGIONS.map((region) => store.count(region));
    expect(stored[3]).toBe(10);
    expect(stored.reduce((sum, count) => sum + count)).toBe(400);
    expect(Math.max(...stored.slice(0, 3)) - Math.min(...stored.slice(0, 3))).toBeLessThanOrEqual(60);
    expect(queue.depth("us-west-2")).toBe(0);
  });

  it("falls by the slow-down factor, and an idle time saves up a quarter of a second at most", async () => {
    let factor = 10;
    const { store, fill, run, consumer } = make({ ratePerSecond: 1_000, slowdown: () => factor });
    await fill("us-east-1", 2_000);
    await run(1_000);
    expect(store.count("us-east-1")).toBe(100);
    factor = 1;
    clock.advance(3_600_000);
    await consumer.tick();
    expect(store.count("us-east-1")).toBe(350);
  });

  it("a flood of one region leaves the others their share", async () => {
    const { queue, fill, run } = make({ ratePerSecond: 400 });
    await fill("us-east-1", 5_000);
    await fill("sa-east-1", 50);
    await run(500);
    expect(queue.depth("sa-east-1")).toBe(0);
    expect(queue.depth("us-east-1")).toBeGreaterThan(4_000);
  });
});

describe("a downstream that fails now and then", () => {
  it("is tried again, and everything arrives once or is a dead letter", async () => {
    const { queue, store, fill, run, strike, registry } = make();
    strike("us-east-1", 0.3);
    await fill("us-east-1", 200);
    await run(20_000);
    expect(queue.depth("us-east-1")).toBe(0);
    expect(store.count("us-east-1") + queue.deadCount()).toBe(200);
    expect(queue.deadCount()).toBeLessThanOrEqual(2);
    expect(await registry.getSingleMetricAsString("telemetry_retries_total")).toMatch(/us-east-1"\} [1-9]/);
  });

  it("gives a message up after five failures, with the reason; a replay delivers it", async () => {
    const { queue, store, breakers, fill, run, strike, fault } = make();
    // The breaker is kept shut, so that only the count of failures speaks.
    breakers.delete("us-east-1");
    strike("us-east-1", 1);
    await fill("us-east-1", 3);
    await run(1_000);
    expect(queue.deadCount()).toBe(0);
    await run(14_500);
    expect([queue.deadCount(), queue.depth("us-east-1"), store.count("us-east-1")]).toEqual([3, 0, 0]);
    const [letter] = await queue.deadLetters({ limit: 1 });
    expect(letter).toMatchObject({ failures: 5, reason: "downstream write failed, attempt 5 of 5" });
    fault.clear();
    expect(await queue.replay({ limit: 10 })).toBe(3);
    await run(200);
    expect([store.count("us-east-1"), queue.deadCount()]).toEqual([3, 0]);
  });

  it("waits 1, 2, 4 and 8 seconds between the attempts", async () => {
    const { breakers, fill, strike, run, fault } = make();
    breakers.delete("us-east-1");
    strike("us-east-1", 1);
    const attempts: number[] = [];
    const strikes = fault.strikes.bind(fault);
    fault.strikes = (region, nowMs) => {
      attempts.push(nowMs);
      return strikes(region, nowMs);
    };
    await fill("us-east-1", 1);
    await run(20_000);
    expect(attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0))).toEqual([
      1_000, 2_000, 4_000, 8_000,
    ]);
  });
});

describe("a downstream that is out", () => {
  it("opens the breaker: the region is left alone and loses nothing, however long it takes; the others go on", async () => {
    const { queue, store, breakers, fill, run, strike, fault } = make();
    strike("us-east-1", 1);
    await fill("us-east-1", 500);
    await fill("sa-east-1", 500);
    await run(3_600_000, 5_000);
    expect(breakers.get("us-east-1")?.state).toBe("open");
    expect([queue.deadCount(), queue.depth("us-east-1"), store.count("us-east-1")]).toEqual([0, 500, 0]);
    expect([store.count("sa-east-1"), breakers.get("sa-east-1")?.state]).toEqual([500, "closed"]);
    fault.clear();
    await run(180_000, 1_000);
    expect([store.count("us-east-1"), queue.depth("us-east-1"), queue.deadCount()]).toEqual([500, 0, 0]);
    expect(breakers.get("us-east-1")?.state).toBe("closed");
  });

  it("a store that throws counts no failure of any message", async () => {
    let broken = true;
    const { queue, store, breakers, fill, run, lines } = make({
      sink: (real) => ({
        write(region, items, nowMs) {
          if (broken) throw new Error("disk full");
          return real.write(region, items, nowMs);
        },
      }),
    });
    await fill("us-east-1", 20);
    await run(100_000, 500);
    expect(breakers.get("us-east-1")?.state).toBe("open");
    expect(lines.some((line) => line.message === "telemetry store cannot write")).toBe(true);
    broken = false;
    await run(120_000, 500);
    expect([store.count("us-east-1"), queue.depth("us-east-1"), queue.deadCount()]).toEqual([20, 0, 0]);
  });
});

describe("effects", () => {
  it("are once when a delivery is repeated because its record was lost", async () => {
    const { queue, store, fill, run } = make();
    await fill("us-east-1", 10);
    const taken = queue.take("us-east-1", 10);
    store.write("us-east-1", taken, clock.wallMs());
    await queue.settle(taken.map((delivery) => ({ delivery, verdict: "release" })));
    await run(200);
    expect([store.count("us-east-1"), queue.depth("us-east-1")]).toEqual([10, 0]);
  });
});

describe("TelemetryStore", () => {
  it("keeps regions apart and takes away what is older than the retention", () => {
    const { store } = make();
    const item = (id: string) => ({ key: messageKey("d", id), payload: Buffer.from("{}") });
    expect(store.write("us-east-1", [item("1"), item("1"), item("2")], 1_000)).toBe(2);
    expect(store.write("sa-east-1", [item("1")], 2e9)).toBe(1);
    expect(store.expire(1_000 + 1e9)).toBe(0);
    expect(store.expire(1_001 + 1e9)).toBe(2);
    expect([store.count("us-east-1"), store.count("sa-east-1")]).toEqual([0, 1]);
  });
});
