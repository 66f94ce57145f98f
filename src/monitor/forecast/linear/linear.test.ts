import fc from "fast-check";
import { linearRegression, linearRegressionLine, rSquared } from "simple-statistics";
import { describe, expect, it } from "vitest";
import { createLinearBank, forecastLinear, pushLinear, resetLinear } from "./linear.ts";

const T0 = 1_766_000_000;

describe("linear predictor", () => {
  it("agrees with simple-statistics on any window, at Unix times", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 1, max: 60 }),
        (values, step) => {
          const bank = createLinearBank({ size: 3, window: 20 });
          values.forEach((v, k) => void pushLinear(bank, 1, T0 + k * step, v));
          const kept = values
            .slice(-20)
            .map((v, k, all): [number, number] => [(k - all.length + 1) * step, v]);
          const line = linearRegressionLine(linearRegression(kept));
          const got = forecastLinear(bank, 1, 180);
          const scale = Math.max(1, ...values);
          expect(got?.value).toBeCloseTo(Math.max(0, line(180)), 6 - Math.ceil(Math.log10(scale)));
          const spread = Math.max(...kept.map(([, y]) => y)) - Math.min(...kept.map(([, y]) => y));
          if (spread > 1e-3 * scale) expect(got?.r2).toBeCloseTo(rSquared(kept, line), 5);
        },
      ),
    );
  });

  it("says nothing on fewer than five samples", () => {
    const bank = createLinearBank({ size: 1, window: 20 });
    for (let k = 0; k < 4; k++) pushLinear(bank, 0, T0 + k, k);
    expect(forecastLinear(bank, 0, 180)).toBeUndefined();
    pushLinear(bank, 0, T0 + 4, 4);
    expect(forecastLinear(bank, 0, 180)).toMatchObject({
      value: 184,
      slopePerSecond: 1,
      r2: 1,
      sampleCount: 5,
    });
  });

  it("takes sampleProblem as missing, never as zero", () => {
    const bank = createLinearBank({ size: 1, window: 5 });
    for (const bad of [Number.NaN, Infinity, -Infinity, -1]) expect(pushLinear(bank, 0, T0, bad)).toBe(false);
    expect(pushLinear(bank, 0, Number.NaN, 1)).toBe(false);
    expect(pushLinear(bank, 0, T0, 1)).toBe(true);
    expect(pushLinear(bank, 0, T0, 2)).toBe(false);
    expect(pushLinear(bank, 0, T0 - 5, 2)).toBe(false);
    expect(bank.count[0]).toBe(1);
  });

  it("keeps series apart and forgets one at a time", () => {
    const bank = createLinearBank({ size: 2, window: 5 });
    for (let k = 0; k < 12; k++) {
      pushLinear(bank, 0, T0 + k, 100 + k);
      pushLinear(bank, 1, T0 + k, 5);
    }
    expect(forecastLinear(bank, 0, 10)?.value).toBeCloseTo(121, 9);
    expect(forecastLinear(bank, 1, 10)).toMatchObject({ value: 5, r2: 0 });
    resetLinear(bank, 0);
    expect(forecastLinear(bank, 0, 10)).toBeUndefined();
    expect(forecastLinear(bank, 1, 10)?.sampleCount).toBe(5);
  });

  it("never forecasts below zero", () => {
    const bank = createLinearBank({ size: 1, window: 5 });
    for (let k = 0; k < 5; k++) pushLinear(bank, 0, T0 + k, 100 - 20 * k);
    expect(forecastLinear(bank, 0, 180)?.value).toBe(0);
  });

  it("refuses a window too short to judge by", () => {
    expect(() => createLinearBank({ size: 1, window: 4 })).toThrow(/window must be/);
  });
});
