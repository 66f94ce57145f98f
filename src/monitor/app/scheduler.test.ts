import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startScheduler } from "./scheduler.ts";

/** A scheduler on beats and clocks that the test makes; cycles end when the test says so. */
function setup(cycleMs = 5000, options: { fails?: boolean } = {}) {
  const time = { ms: 700_000 };
  const started: number[] = [];
  const errors: unknown[] = [];
  let missed = 0;
  let beat: (() => void) | undefined;
  let end: (() => void) | undefined;
  const scheduler = startScheduler({
    cycleMs,
    monoMs: () => time.ms,
    run: () => {
      started.push(time.ms);
      return new Promise<void>((resolve, reject) => {
        end = options.fails === true ? () => reject(new Error("no")) : resolve;
      });
    },
    onMissed: () => {
      missed += 1;
    },
    onError: (error) => errors.push(error),
    beats: (given) => {
      beat = given;
      return {
        destroy: async () => {
          beat = undefined;
        },
      };
    },
  });
  return {
    scheduler,
    started,
    errors,
    missed: () => missed,
    ticking: () => beat !== undefined,
    /** Ends the cycle under way. */
    async done() {
      end?.();
      await new Promise(setImmediate);
    },
    /** Time passes with a beat a second, each this much later than the last. */
    pass(seconds: number, everyMs = 1000) {
      for (let n = 0; n < seconds; n++) {
        time.ms += everyMs;
        beat?.();
      }
    },
    /** Time passes without a beat. */
    stall(ms: number) {
      time.ms += ms;
    },
  };
}

describe("startScheduler", () => {
  it("starts a cycle at once and then every cycle, on the beat", async () => {
    const s = setup();
    for (let n = 0; n < 23; n++) {
      await s.done();
      s.pass(1);
    }
    expect(s.started.map((ms) => ms - 700_000)).toEqual([0, 5000, 10_000, 15_000, 20_000]);
    expect(s.scheduler.missed()).toBe(0);
  });

  it("keeps its pace when every beat is a little late or early", async () => {
    for (const everyMs of [990, 1010]) {
      const s = setup(1000);
      for (let n = 0; n < 100; n++) {
        await s.done();
        s.pass(1, everyMs);
      }
      expect(s.started.length).toBeGreaterThanOrEqual(98);
      expect(s.missed()).toBeLessThanOrEqual(1);
    }
  });

  it("never runs two at once: what falls into a running cycle is counted as missed", async () => {
    const s = setup();
    s.pass(12);
    expect(s.started).toHaveLength(1);
    expect([s.scheduler.missed(), s.missed()]).toEqual([2, 2]);
    await s.done();
    s.pass(3);
    expect(s.started.map((ms) => ms - 700_000)).toEqual([0, 15_000]);
  });

  it("counts the cycles that a stall swallowed, and runs once after it, not once for each", async () => {
    const s = setup();
    await s.done();
    s.stall(32_000);
    s.pass(1);
    expect(s.started).toHaveLength(2);
    // Due at 5, 10, … 30 s; the one that runs stands for the last of them.
    expect(s.missed()).toBe(5);
    await s.done();
    s.pass(2);
    expect(s.started.map((ms) => ms - 700_000)).toEqual([0, 33_000, 35_000]);
  });

  it("tells of a cycle that fails, and goes on", async () => {
    const s = setup(1000, { fails: true });
    await s.done();
    s.pass(1);
    await s.done();
    expect(s.started).toHaveLength(2);
    expect(s.errors).toEqual([new Error("no"), new Error("no")]);
  });

  it("takes a shorter cycle at once and a longer one after the next", async () => {
    const s = setup(30_000);
    await s.done();
    s.scheduler.setCycle(30_000);
    s.scheduler.setCycle(2000);
    s.pass(2);
    expect(s.started).toHaveLength(2);
    await s.done();
    s.scheduler.setCycle(60_000);
    s.pass(2);
    expect(s.started).toHaveLength(3);
    await s.done();
    s.pass(59);
    expect(s.started).toHaveLength(3);
    s.pass(1);
    expect(s.started).toHaveLength(4);
  });

  it("when stopped starts nothing more, and says whether the last cycle ended", async () => {
    const idle = setup();
    await idle.done();
    expect(await idle.scheduler.stop(1000)).toBe("idle");
    expect(idle.ticking()).toBe(false);

    const busy = setup();
    const stopping = busy.scheduler.stop(60_000);
    await busy.done();
    expect(await stopping).toBe("idle");
  });

  describe("with a cycle that does not end", () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());

    it("waits for it no longer than it is told to", async () => {
      const s = setup();
      const stopping = s.scheduler.stop(20_000);
      await vi.advanceTimersByTimeAsync(20_000);
      expect(await stopping).toBe("still running");
    });
  });

  describe("when the wall clock is set", () => {
    beforeEach(() => void vi.useFakeTimers({ now: 1_760_000_000_000 }));
    afterEach(() => void vi.useRealTimers());

    it.each([
      ["back by a day", -86_400_000],
      ["back by an hour", -3_600_000],
      ["forward by a day", 86_400_000],
    ])("%s, no cycle is left out", async (_how, jumpMs) => {
      let runs = 0;
      const scheduler = startScheduler({
        cycleMs: 2000,
        monoMs: () => performance.now(),
        run: async () => {
          runs += 1;
        },
        onMissed: () => {},
        onError: () => {},
      });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(runs).toBeGreaterThanOrEqual(5);
      vi.setSystemTime(Date.now() + jumpMs);
      const before = runs;
      await vi.advanceTimersByTimeAsync(20_000);
      expect(runs - before).toBeGreaterThanOrEqual(9);
      expect(runs - before).toBeLessThanOrEqual(11);
      await scheduler.stop(0);
    });
  });

  it("beats on real seconds when no others are given", async () => {
    const began = performance.now();
    let runs = 0;
    const twice = Promise.withResolvers<void>();
    const scheduler = startScheduler({
      cycleMs: 1000,
      monoMs: () => performance.now(),
      run: async () => {
        runs += 1;
        if (runs === 2) twice.resolve();
      },
      onMissed: () => {},
      onError: twice.reject,
    });
    await twice.promise;
    expect(performance.now() - began).toBeGreaterThan(499);
    expect(await scheduler.stop(1000)).toBe("idle");
  });
});
