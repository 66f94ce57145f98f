import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createUsual, floods, learn, type Usual } from "./usual.ts";

/** What is learned of levels, each held for so many seconds. */
function learned(levels: readonly number[], seconds: number): Usual {
  const usual = createUsual();
  for (const level of levels) learn(usual, level, seconds);
  return usual;
}

const cycles = fc.constantFrom(1, 5, 15, 30, 60);
const level = (min: number, max: number) => fc.double({ min, max, noNaN: true });

describe("what a region usually does", () => {
  it("is within what it sends most of the time, whatever it sends in one step out of four", () => {
    const wild = fc.oneof(level(0, 5), level(80, 500));
    const four = fc.tuple(level(50, 80), level(50, 80), level(50, 80), wild);
    fc.assert(
      fc.property(
        fc.array(level(50, 80), { minLength: 20, maxLength: 20 }),
        fc.array(four, { minLength: 10, maxLength: 100 }),
        cycles,
        (calm, rest, seconds) => {
          const usual = learned([...calm, ...rest.flat()], seconds);
          expect(usual.rate).toBeGreaterThanOrEqual(48);
          expect(usual.rate).toBeLessThanOrEqual(83);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("follows a change of the size of its steps to the number, and no further", () => {
    fc.assert(
      fc.property(level(1, 1000), level(0.7, 1.4), cycles, (from, times, seconds) => {
        const steps = Math.ceil(7200 / seconds);
        const levels = Array.from({ length: 2 * steps }, (_, i) => (i < steps ? from : from * times));
        expect(learned(levels, seconds).rate).toBeCloseTo(from * times, 6);
      }),
      { numRuns: 50 },
    );
  });

  it("takes bursts on the minute for usual once they have come some times, and the first for none", () => {
    // Three seconds out of sixty at ten times the rate of the rest.
    const minute = Array.from({ length: 60 }, (_, s) => (s < 57 ? 20 : 200));
    const before = learned(Array.from({ length: 900 }).fill(20) as number[], 1);
    expect(floods(before, 200)).toBe(true);
    const after = learned(Array.from({ length: 15 }, () => minute).flat(), 1);
    expect(after.rate).toBeCloseTo(20, 0);
    expect(floods(after, 200)).toBe(false);
    expect(floods(after, 400)).toBe(true);
  });

  it("asks more of a flood while the past is young", () => {
    const known = (seconds: number) => learned(Array.from({ length: seconds }).fill(20) as number[], 1);
    expect([40, 40, 600].map((seconds, i) => floods(known(seconds), [100, 200, 100][i] as number))).toEqual([
      false,
      true,
      true,
    ]);
  });
});
