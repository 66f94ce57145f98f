import { afterEach, expect, test } from "vitest";
import { EPOCH_MS, installTime, VirtualTime } from "./time.ts";

let restore: (() => void) | undefined;
afterEach(() => restore?.());

test("what is due is called in its order, with the clock at its time", async () => {
  const time = new VirtualTime();
  const seen: [string, number][] = [];
  const note = (name: string) => () => void seen.push([name, time.now]);
  time.after(20, note("c"));
  time.after(10, note("a"));
  time.after(10, note("b"));
  time.after(15, () => time.after(1, note("in between")));
  time.after(12, note("never")).cancelled = true;
  time.after(40, note("later"));
  await time.runUntil(30);
  expect(seen).toEqual([
    ["a", 10],
    ["b", 10],
    ["in between", 16],
    ["c", 20],
  ]);
  expect(time.now).toBe(30);
});

test("time stands still until everything that the last call set off is at rest", async () => {
  const time = new VirtualTime();
  const at: number[] = [];
  time.after(1, async () => {
    for (let n = 0; n < 50; n += 1) await Promise.resolve();
    at.push(time.now);
  });
  time.after(2, () => at.push(time.now));
  await time.runUntil(10);
  expect(at).toEqual([1, 2]);
});

test("timers, deadlines and clocks of the thread run on it once it is installed, and are put back", async () => {
  const real = setTimeout;
  const time = new VirtualTime();
  restore = installTime(() => time);
  const seen: string[] = [];
  const signal = AbortSignal.timeout(5000);
  signal.addEventListener("abort", () => seen.push(`${(signal.reason as Error).name} at ${time.now}`));
  setTimeout((name: string) => seen.push(`${name} at ${time.now}`), 1000, "timer").unref();
  clearTimeout(setTimeout(() => seen.push("cleared"), 10));
  await time.runUntil(60_000);
  expect(seen).toEqual(["timer at 1000", "TimeoutError at 5000"]);
  expect([performance.now(), Date.now()]).toEqual([60_000, EPOCH_MS + 60_000]);
  restore();
  restore = undefined;
  expect(setTimeout).toBe(real);
  expect(Math.abs(Date.now() - EPOCH_MS)).toBeGreaterThan(0);
});

test("thousands of timers come in order", async () => {
  const time = new VirtualTime(async () => {});
  const at: number[] = [];
  let x = 1;
  for (let n = 0; n < 5000; n += 1) {
    x = (x * 48_271) % 2_147_483_647;
    time.after(
      x % 1000,
      () => at.push(time.now),
      () => true,
    );
  }
  await time.runUntil(1000);
  expect(at).toEqual(at.toSorted((a, b) => a - b));
  expect(at).toHaveLength(5000);
});

test("where streams are at work it waits for one more turn, once", async () => {
  let settled = 0;
  const time = new VirtualTime(async () => {
    settled += 1;
  });
  time.after(1, () => time.streams());
  time.after(2, () => {});
  await time.runUntil(10);
  // One before the first, two after it, one after the second.
  expect(settled).toBe(4);
});

test("after what set nothing off time goes on at once, asked when it has been called", async () => {
  let settled = 0;
  const time = new VirtualTime(async () => {
    settled += 1;
  });
  let busy = false;
  const quiet = () => !busy;
  time.after(1, () => {}, quiet);
  const turn = (now: boolean) => () => {
    busy = now;
  };
  time.after(2, turn(true), quiet);
  time.after(3, () => {}, quiet);
  time.after(4, turn(false), quiet);
  await time.runUntil(10);
  // Once before the first of them, and after each that left something under way.
  expect(settled).toBe(3);
});
