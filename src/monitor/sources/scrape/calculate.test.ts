import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketQuantile, extrapolatedRate } from "./calculate.ts";

const range = { endMs: 60_000, windowMs: 60_000 };
const rate = (points: readonly (readonly [number, number])[]) =>
  extrapolatedRate({ times: points.map(([t]) => t * 1000), values: points.map(([, v]) => v) }, range);

describe("rate", () => {
  it("is the slope where samples reach near the borders", () => {
    expect(
      rate([
        [10, 100],
        [20, 120],
        [30, 140],
        [40, 160],
        [50, 180],
      ]),
    ).toBeCloseTo(2, 12);
  });

  it("adds a counter reset back and is never negative", () => {
    expect(
      rate([
        [10, 100],
        [20, 110],
        [30, 5],
        [40, 15],
        [50, 25],
      ]),
    ).toBeCloseTo((35 * (60 / 40)) / 60, 12);
    const values = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(values, (list) => {
        const found = rate(list.map((value, at) => [1 + at, value]));
        expect(found).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("extends by half a distance where the border is far, and not below zero", () => {
    expect(
      rate([
        [30, 100],
        [40, 110],
      ]),
    ).toBeCloseTo((10 * (20 / 10)) / 60, 12);
    expect(
      rate([
        [5, 1],
        [55, 101],
      ]),
    ).toBeCloseTo((100 * ((50 + 0.5 + 5) / 50)) / 60, 12);
  });

  it("leaves out the sample exactly at the start, and those after the end", () => {
    expect(
      rate([
        [0, 5],
        [30, 10],
      ]),
    ).toBeUndefined();
    expect(
      rate([
        [30, 10],
        [61, 20],
      ]),
    ).toBeUndefined();
    expect(rate([])).toBeUndefined();
  });

  it("is zero, not unknown, for a counter that stands still", () => {
    expect(
      rate([
        [10, 7],
        [50, 7],
      ]),
    ).toBe(0);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("is NaN with a sample of %d", (value) => {
    expect(
      rate([
        [10, 1],
        [30, value],
        [50, 3],
      ]),
    ).toBeNaN();
  });
});

describe("quantile", () => {
  const inf = Number.POSITIVE_INFINITY;
  const quantile = (q: number, ...pairs: [number, number][]) =>
    bucketQuantile(
      q,
      pairs.map(([le, count]) => ({ le, count })),
    );

  it("is linear inside the bucket", () => {
    expect(quantile(0.95, [inf, 100], [0.1, 50], [1, 100])).toBeCloseTo(0.1 + 0.9 * 0.9, 12);
    expect(quantile(0.25, [0.1, 50], [1, 100], [inf, 100])).toBeCloseTo(0.05, 12);
  });

  it("is the last finite bound when it falls beyond it", () => {
    expect(quantile(0.95, [0.1, 50], [1, 60], [inf, 100])).toBe(1);
  });

  it("adds up buckets of one bound and raises counts that fall", () => {
    expect(quantile(0.5, [1, 20], [1, 30], [2, 100], [inf, 100])).toBe(1);
    expect(quantile(0.5, [1, 60], [2, 40], [inf, 100])).toBeCloseTo(50 / 60, 12);
  });

  it("is the lowest bound where that is not positive", () => {
    expect(quantile(0.1, [-1, 50], [1, 100], [inf, 100])).toBe(-1);
  });

  it("is NaN without observations, without an infinite bucket, or with no other", () => {
    expect(quantile(0.5, [1, 0], [inf, 0])).toBeNaN();
    expect(quantile(0.5, [1, 5], [2, 10])).toBeNaN();
    expect(quantile(0.5, [inf, 10])).toBeNaN();
  });

  it("grows with q and stays between the bounds", () => {
    const counts = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 3, maxLength: 8 });
    const q = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(counts, q, q, (steps, a, b) => {
        let total = 1;
        const pairs = steps.map((_step, at): [number, number] => [at + 1, 0]);
        for (const [at, step] of steps.entries()) {
          total += step;
          pairs[at] = [at + 1, total];
        }
        const at = (p: number) => quantile(p, ...pairs, [inf, total]);
        expect(at(Math.min(a, b))).toBeLessThanOrEqual(at(Math.max(a, b)) + 1e-9);
        expect(at(a)).toBeLessThanOrEqual(steps.length);
      }),
    );
  });
});
