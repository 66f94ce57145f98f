import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { join } from "./chart.ts";
import * as format from "./format.ts";
import * as past from "./past.ts";

// The parts of the page that need no browser; the rest is tried in a real one, in test/page.

describe("values", () => {
  it.each([
    ["p95_latency", 153.27, "153 ms"],
    ["p95_latency", 9.871, "9.87 ms"],
    ["p95_latency", 12_340, "12.3 s"],
    ["error_rate", 0.0123, "1.23 %"],
    ["error_rate", 0, "0 %"],
    ["memory", 94_300_000, "94.3 MB"],
    ["memory", 1_240_000_000, "1.24 GB"],
    ["backlog", 8123.4, "8123"],
    ["of_tomorrow", 2_500_000, "2.50 M"],
    ["p95_latency", null, "unknown"],
    ["p95_latency", Number.NaN, "unknown"],
  ])("%s %d is %s", (metric, value, text) => expect(format.shown(metric, value)).toBe(text));

  it("never come with an exponent", () =>
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e11, noNaN: true }), (v) =>
        v > 0 && v < 1e-6 ? true : !format.digits(v).includes("e"),
      ),
    ));
});

describe("times", () => {
  it.each([
    [0.2, "1 s"],
    [99, "99 s"],
    [110, "2 min"],
    [3600, "1 h"],
    [5000, "1 h 23 min"],
    [200_000, "2 d"],
    [-4, "0 s"],
  ])("%d s is %s", (seconds, text) => expect(format.duration(seconds)).toBe(text));

  it("count down to their end", () => {
    const now = Date.UTC(2026, 0, 2, 12);
    expect(format.untilText(now / 1000 + 130, now)).toMatch(/^until \d\d:\d\d:\d\d, 2 min left$/);
    expect(format.untilText(now / 1000 - 1, now)).toMatch(/, over$/);
    expect(format.utcTime(now)).toBe("2026-01-02 12:00:00 UTC");
  });

  it("of a reason are taken out of its words", () => {
    const text =
      "blocked: forecast to reach 450, over the SLO 300, but the target is in cooldown until 14:03:10 UTC";
    expect(format.withoutUntil(text)).toBe(
      "forecast to reach 450, over the SLO 300, but the target is in cooldown",
    );
  });
});

describe("a chart", () => {
  const seen = {
    at: [0, 30_000, 60_000, 90_000],
    ...{
      observed: [10, null, 30, 40],
      trend: [20, 21, null, 23],
      low: [15, 16, 17, 18],
      high: [25, 26, 27, 28],
    },
    ...{ linear: [50, 51, 52, 53], age: [], probability: [], slo: 100, limit: 500 },
  };

  type Drawn = Parameters<typeof past.drawingOf>[0];
  const drawn = (of: Drawn, horizonS: number) => past.drawingOf(of, [], { horizonS, window: [0, 1] });
  /** What was seen, and what had been expected, along one axis of time. */
  const align = (of: Drawn, horizonS: number) => join(drawn(of, horizonS).lines.slice(0, 5));
  const rangeOf = (of: Drawn) => drawn(of, 45).range;

  it("has what was expected at the time it spoke of, up to now", () => {
    const [xs, observed, trend, high, low, linear] = align(seen, 45);
    expect(xs).toEqual([0, 30, 45, 60, 75, 90]);
    // A gap is null; where there is merely no point, undefined.
    expect(observed).toEqual([10, null, undefined, 30, undefined, 40]);
    expect(trend).toEqual([undefined, undefined, 20, undefined, 21, undefined]);
    expect([high?.[2], low?.[4], linear?.[4]]).toEqual([25, 16, 51]);
  });

  it("is in order and keeps every sample, whatever the horizon", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 300 }),
        (steps, horizonS) => {
          let t = 0;
          const next = (step: number) => {
            t += step;
            return 1000 * t;
          };
          const at = steps.map(next);
          const values = at.map((_, i) => i);
          const [xs, observed, ...rest] = align(
            { ...seen, at, observed: values, trend: values, low: values, high: values, linear: values },
            horizonS,
          );
          expect(xs).toEqual([...new Set(xs as number[])].sort((a, b) => a - b));
          expect(observed?.filter((v: unknown) => v !== undefined)).toEqual(values);
          for (const column of rest) expect(column).toHaveLength(xs.length);
          expect(Math.max(...xs)).toBe(t);
        },
      ),
    );
  });

  it("shows the SLO where it is near, and is not flattened by a single wild forecast", () => {
    expect(rangeOf(seen)[1]).toBeCloseTo(112, 6);
    const [, wild] = rangeOf({ ...seen, trend: [20, 1e9, 20, 20], high: [25, 2e9, 25, 25] });
    expect(wild).toBeLessThan(200);
    const [, far] = rangeOf({ ...seen, slo: 100_000 });
    expect(far).toBeLessThan(100);
    expect(rangeOf({ ...seen, observed: [null], trend: [], high: [], slo: 5 })[1]).toBeGreaterThan(0);
  });

  it("can be read out", () => {
    const text = past.chartText("p95_latency", seen, 180);
    expect(text).toBe(
      "now 40 ms; in 180 s the trend forecast is 23 ms (90 %: 18 ms to 28 ms), the linear one 53 ms; SLO 100 ms; between 10 ms and 40 ms in what is remembered",
    );
  });
});
