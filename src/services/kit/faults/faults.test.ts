import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseQuery } from "../parameters.ts";
import { BlackoutFault } from "./blackout.ts";
import { FaultSet } from "./fault-set.ts";
import { leakChunkBytes, leakChunksDue } from "./leak.ts";
import { constantRamp, raise, rampAt, steerTo } from "./ramp.ts";
import { ShareSelector } from "./share.ts";

const MAX_HELD_SCRAPES = 100;

function inject(faults: FaultSet, query: string, nowMs = 0) {
  return faults.plan(parseQuery(`/admin/fault?${query}`)).inject(nowMs);
}

describe("ramp", () => {
  test("grows linearly from 0 to its value, then stays", () => {
    const ramp = raise(constantRamp(0), { by: 300, cap: 5_000, nowMs: 1_000, overMs: 60_000 });
    expect([0, 1_000, 16_000, 31_000, 61_000, 999_000].map((now) => rampAt(ramp, now))).toEqual([
      0, 0, 75, 150, 300, 300,
    ]);
  });

  test("an amount without over counts at once, and a growth under way goes on", () => {
    const growing = raise(constantRamp(0), { by: 100, cap: 5_000, nowMs: 0, overMs: 10_000 });
    const both = raise(growing, { by: 50, cap: 5_000, nowMs: 5_000, overMs: 0 });
    expect([5_000, 7_500, 10_000].map((now) => rampAt(both, now))).toEqual([100, 125, 150]);
  });

  test("a second growth starts at the present value: no jump at its start", () => {
    const first = raise(constantRamp(0), { by: 100, cap: 5_000, nowMs: 0, overMs: 10_000 });
    const second = raise(first, { by: 200, cap: 5_000, nowMs: 5_000, overMs: 1_000 });
    expect([5_000, 5_500, 6_000].map((now) => rampAt(second, now))).toEqual([50, 175, 300]);
    const steered = steerTo(first, { to: 10, nowMs: 5_000, overMs: 1_000 });
    expect([5_000, 6_000].map((now) => rampAt(steered, now))).toEqual([50, 10]);
  });

  test("never leaves [from, to] and never falls while it grows", () => {
    const time = fc.integer({ min: 0, max: 10_000_000 });
    const amount = fc.double({ min: 0.001, max: 5_000, noNaN: true });
    fc.assert(
      fc.property(amount, time, time, time, time, (by, startMs, overMs, a, b) => {
        const ramp = raise(constantRamp(0), { by, cap: 5_000, nowMs: startMs, overMs });
        const [early, late] = [rampAt(ramp, Math.min(a, b)), rampAt(ramp, Math.max(a, b))];
        expect(early).toBeGreaterThanOrEqual(0);
        expect(late).toBeGreaterThanOrEqual(early);
        expect(late).toBeLessThanOrEqual(by);
      }),
    );
  });
});

describe("leak plan", () => {
  test("chunks add up to the size, and come due in proportion to the time", () => {
    const plan = { bytes: 1_000_003, chunks: 20, startMs: 1_000, durationMs: 10_000 };
    const sizes = Array.from({ length: plan.chunks }, (_, index) => leakChunkBytes(plan, index));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(plan.bytes);
    expect([0, 1_000, 1_499, 1_500, 6_000, 11_000, 99_000].map((now) => leakChunksDue(plan, now))).toEqual([
      0, 0, 0, 1, 10, 20, 20,
    ]);
  });

  test("a growing leak allocates chunk by chunk and answers what it will hold", () => {
    const faults = new FaultSet();
    expect(inject(faults, "mode=leak&kb=500&over=10")).toEqual({
      mode: "leak",
      leak_chunks: 10,
      allocated_kb: 500,
      over_seconds: 10,
    });
    expect(faults.leak.chunks).toBe(0);
    faults.advance(5_000);
    expect(faults.leak.chunks).toBe(5);
    expect(faults.leak.heldBytes).toBe(250 * 1_024);
    faults.advance(60_000);
    expect(faults.leak.heldBytes).toBe(500 * 1_024);
    expect(faults.clear()).toEqual({ freedChunks: 10, modes: ["leak"] });
    faults.advance(90_000);
    expect(faults.leak.chunks).toBe(0);
  });

  test("held and pending together stay within 1 GiB", () => {
    const faults = new FaultSet();
    const totalKb = 1_024 * 1_024;
    inject(faults, `mode=leak&kb=${totalKb - 10}&over=1000`);
    expect(() => inject(faults, "mode=leak&kb=11")).toThrow("1 GiB at most");
    expect(inject(faults, "mode=leak&kb=10")).toMatchObject({ allocated_kb: 10 });
    expect(faults.leak.heldBytes).toBe(10 * 1_024);
  });

  test("only so many leaks grow at once", () => {
    const faults = new FaultSet();
    for (let count = 0; count < 50; count += 1) inject(faults, "mode=leak&kb=1&over=10");
    expect(() => inject(faults, "mode=leak&kb=1&over=10")).toThrow("50 leaks are growing already");
    expect(inject(faults, "mode=leak&kb=1")).toMatchObject({ mode: "leak" });
  });
});

describe("share", () => {
  test("picks the exact share of any run, give or take one", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 500 }),
        (share, n) => {
          const selector = new ShareSelector();
          let picked = 0;
          for (let index = 0; index < n; index += 1) if (selector.pick(share)) picked += 1;
          expect(Math.abs(picked - n * share)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test("0 picks none, 1 picks all, 0.2 picks every fifth", () => {
    const run = (share: number) => {
      const selector = new ShareSelector();
      return Array.from({ length: 10 }, () => selector.pick(share)).filter(Boolean).length;
    };
    expect([0, 0.2, 1].map(run)).toEqual([0, 2, 10]);
  });
});

describe("blackout", () => {
  function held() {
    const calls: string[] = [];
    return {
      calls,
      scrape: { answer: () => void calls.push("answer"), drop: () => void calls.push("drop") },
    };
  }

  test("holds until its seconds are over, then answers what waits", () => {
    const faults = new FaultSet();
    expect(inject(faults, "mode=blackout&seconds=30", 1_000)).toEqual({
      mode: "blackout",
      blackout_seconds: 30,
    });
    const { calls, scrape } = held();
    expect(faults.blackout.hold(scrape, 1_000)).toBe(true);
    faults.advance(30_999);
    expect(calls).toEqual([]);
    faults.advance(31_000);
    expect(calls).toEqual(["answer"]);
    expect(faults.blackout.hold(held().scrape, 31_000)).toBe(false);
    expect(faults.clear().modes).toEqual([]);
  });

  test("without seconds it lasts; with over the share of held scrapes grows", () => {
    const faults = new FaultSet();
    inject(faults, "mode=blackout&over=100", 0);
    const countAt = (nowMs: number) =>
      Array.from({ length: 20 }, () => faults.blackout.hold(held().scrape, nowMs)).filter(Boolean).length;
    expect(countAt(0)).toBe(0);
    expect(countAt(50_000)).toBe(10);
    expect(countAt(9_999_999)).toBe(20);
  });

  test("what waits is bounded", () => {
    const blackout = new FaultSet().blackout;
    expect(blackout).toBeInstanceOf(BlackoutFault);
    const faults = new FaultSet();
    inject(faults, "mode=blackout");
    for (let count = 0; count < MAX_HELD_SCRAPES; count += 1) faults.blackout.hold(held().scrape, 0);
    const { calls, scrape } = held();
    expect(faults.blackout.hold(scrape, 0)).toBe(true);
    expect(calls).toEqual(["drop"]);
  });
});

describe("fault set", () => {
  test("latency is cumulative and capped", () => {
    const faults = new FaultSet();
    expect(inject(faults, "mode=latency&inc=300")).toEqual({ mode: "latency", artificial_latency_ms: 300 });
    expect(inject(faults, "mode=latency&inc=0.1")).toEqual({ mode: "latency", artificial_latency_ms: 300.1 });
    expect(inject(faults, "mode=latency&inc=5000")).toEqual({
      mode: "latency",
      artificial_latency_ms: 5_000,
    });
    expect(faults.latency.delayMs(0)).toBe(5_000);
  });

  test("backlog is offered to a service with a queue only", () => {
    const faults = new FaultSet();
    expect(() => inject(faults, "mode=backlog&factor=10")).toThrow("needs a queue");
    faults.enableBacklog();
    expect(inject(faults, "mode=backlog&factor=11&over=10", 0)).toEqual({
      mode: "backlog",
      backlog_factor: 11,
      over_seconds: 10,
    });
    expect([0, 5_000, 10_000].map((now) => faults.backlog.factor(now))).toEqual([1, 6, 11]);
    faults.clear();
    expect(faults.backlog.factor(10_000)).toBe(1);
  });

  test("a service's own fault is offered, injected, described and cleared like the others", () => {
    let level = 0;
    const faults = new FaultSet([
      {
        mode: "drift",
        parameters: [{ name: "level", type: "number", unit: "", min: 1, max: 9, integer: true }],
        inject: (values) => {
          level = values.number("level");
          return { drift_level: level };
        },
        clear: () => {
          const active = level > 0;
          level = 0;
          return active;
        },
        describe: () => (level === 0 ? undefined : { level }),
      },
    ]);
    expect(faults.modes()).toEqual(["latency", "leak", "error", "blackout", "drift"]);
    expect(inject(faults, "mode=drift&level=3")).toEqual({ mode: "drift", drift_level: 3 });
    expect(() => inject(faults, "mode=drift&level=2.5")).toThrow("parameter level");
    expect(faults.describe(0)).toEqual({ drift: { level: 3 } });
    expect(faults.clear().modes).toEqual(["drift"]);
    expect(level).toBe(0);
  });

  test("two modes of one name are refused", () => {
    const twin = {
      mode: "latency",
      parameters: [],
      inject: () => ({}),
      clear: () => false,
      describe: () => undefined,
    };
    expect(() => new FaultSet([twin])).toThrow("two fault modes are named latency");
  });
});
