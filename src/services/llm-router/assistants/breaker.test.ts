import { CircuitState } from "cockatiel";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ManualClock } from "../../kit/kit.testkit.ts";
import { Breaker, type BreakerState, CircuitOpenError } from "./breaker.ts";
import { FailureWindow } from "./failure-window.ts";

const clock = new ManualClock();
const options = {
  windowMs: 10_000,
  failureRate: 0.5,
  minCalls: 4,
  openMs: 5_000,
  monoMs: () => clock.mono,
};

describe("the failure window", () => {
  test("opens at the rate, not below it, and not before the least number of calls", () => {
    const window = new FailureWindow(options);
    expect(window.failure(CircuitState.Closed)).toBe(false);
    expect(window.failure(CircuitState.Closed)).toBe(false);
    for (let count = 0; count < 4; count += 1) window.success(CircuitState.Closed);
    expect(window.failure(CircuitState.Closed)).toBe(false);
    expect(window.failure(CircuitState.Closed)).toBe(true);
  });

  test("forgets what is older than the window, however rare the calls are", () => {
    const window = new FailureWindow(options);
    for (let count = 0; count < 20; count += 1) {
      expect(window.failure(CircuitState.Closed)).toBe(false);
      clock.advance(60_000);
    }
  });

  test("says what a plain count over the same time says, give or take one bucket", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.boolean()), { minLength: 1, maxLength: 60 }),
        (calls) => {
          const own = new ManualClock();
          const window = new FailureWindow({ ...options, monoMs: () => own.mono });
          const seen: { atMs: number; failed: boolean }[] = [];
          const opens = () => {
            const inside = seen.filter(({ atMs }) => own.mono - atMs < 9_000);
            return inside.length >= 4 && inside.filter(({ failed }) => failed).length >= inside.length / 2;
          };
          const unsure = () => seen.some(({ atMs }) => own.mono - atMs >= 9_000 && own.mono - atMs <= 10_000);
          for (const [gapMs, failed] of calls) {
            own.advance(gapMs);
            seen.push({ atMs: own.mono, failed });
            if (!failed) {
              window.success(CircuitState.Closed);
              continue;
            }
            const said = window.failure(CircuitState.Closed);
            if (!unsure()) expect(said).toBe(opens());
          }
        },
      ),
    );
  });
});

describe("the breaker", () => {
  let states: BreakerState[];
  let breaker: Breaker;
  beforeEach(() => {
    states = [];
    breaker = new Breaker({
      ...options,
      counts: (error) => error.message !== "aborted",
      onChange: (state) => void states.push(state),
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const fail = (message = "down") => breaker.run(() => Promise.reject(new Error(message)));
  const open = async () => {
    for (let count = 0; count < 4; count += 1) await expect(fail()).rejects.toThrow("down");
    expect(breaker.state).toBe("open");
  };

  test("fails at once while open, lets one probe through, and closes when it succeeds", async () => {
    await open();
    let ran = 0;
    const probeOf = async () => {
      ran += 1;
    };
    await expect(breaker.run(probeOf)).rejects.toThrow(CircuitOpenError);
    expect(ran).toBe(0);
    clock.advance(4_999);
    await expect(breaker.run(async () => 1)).rejects.toThrow(CircuitOpenError);
    clock.advance(1);
    let answer: (value: string) => void = () => undefined;
    const probe = breaker.run(() => new Promise<string>((resolve) => (answer = resolve)));
    expect(breaker.state).toBe("half_open");
    await expect(breaker.run(async () => 1)).rejects.toThrow(CircuitOpenError);
    answer("well");
    expect(await probe).toBe("well");
    expect(breaker.state).toBe("closed");
    expect(states).toEqual(["open", "half_open", "closed"]);
    // The failures from before are forgotten: one more does not open it.
    await expect(fail()).rejects.toThrow("down");
    expect(breaker.state).toBe("closed");
  });

  test("opens again for the whole time when the probe fails", async () => {
    await open();
    clock.advance(5_000);
    await expect(fail()).rejects.toThrow("down");
    expect(breaker.state).toBe("open");
    clock.advance(4_999);
    await expect(breaker.run(async () => 1)).rejects.toThrow(CircuitOpenError);
    clock.advance(1);
    expect(await breaker.run(async () => 1)).toBe(1);
  });

  test("what says nothing about the assistant does not count", async () => {
    for (let count = 0; count < 20; count += 1) await expect(fail("aborted")).rejects.toThrow("aborted");
    expect(breaker.state).toBe("closed");
  });

  test("a wall clock a day ahead or behind neither opens nor holds it", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.setSystemTime(new Date("2026-01-02T00:00:00Z"));
    await open();
    vi.setSystemTime(new Date("2026-01-03T00:00:00Z"));
    await expect(breaker.run(async () => 1)).rejects.toThrow(CircuitOpenError);
    vi.setSystemTime(new Date("2026-01-01T00:00:00Z"));
    clock.advance(5_000);
    expect(await breaker.run(async () => 1)).toBe(1);
  });
});
