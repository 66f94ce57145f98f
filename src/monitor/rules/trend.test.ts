import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chanceAbove } from "./trend.ts";

describe("the chance to exceed a level, read off a 90 % interval", () => {
  it("is one half at the forecast, 5 % at the interval's end, and 95 % as far below", () => {
    const forecast = { value: 400, high: 500 };
    expect(chanceAbove(400, forecast)).toBeCloseTo(0.5, 10);
    expect(Math.abs(chanceAbove(500, forecast) - 0.05)).toBeLessThan(0.01);
    expect(Math.abs(chanceAbove(300, forecast) - 0.95)).toBeLessThan(0.01);
  });

  it.each([
    [299, 1],
    [300, 0],
    [301, 0],
  ])("of a forecast of 300 that is certain, over %d, is %d", (level, chance) => {
    expect(chanceAbove(level, { value: 300, high: 300 })).toBe(chance);
  });

  it("lies between 0 and 1, and does not grow with the level", () => {
    const level = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(level, level, level, level, (a, b, value, width) => {
        const forecast = { value, high: value + width };
        const low = chanceAbove(Math.min(a, b), forecast);
        const high = chanceAbove(Math.max(a, b), forecast);
        expect(low).toBeLessThanOrEqual(1);
        expect(high).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(low);
      }),
    );
  });
});
