import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decision } from "../../kernel/decision.ts";
import type { Observation } from "../../kernel/observation.ts";
import { blindOf, decisionOf } from "../report.testkit.ts";
import { capacityFor, Rings } from "./rings.ts";

const CYCLE_MS = 30_000;
const T0 = Date.UTC(2026, 0, 1);

function record(
  rings: Rings,
  cycle: number,
  decisions: readonly Decision[],
  observations: readonly Observation[] = [],
  cycleMs = CYCLE_MS,
) {
  rings.record(
    { at: { wallMs: T0 + cycle * CYCLE_MS, monoMs: cycle * CYCLE_MS }, decisions, observations },
    cycleMs,
  );
}

describe("the past of a series", () => {
  it("holds what was seen and expected, with unknown as unknown", () => {
    const rings = new Rings();
    const trend = {
      ...{ predictor: "trend", probability: 0.25, trigger: undefined, noTriggerReason: undefined },
      forecast: { predictor: "trend", value: 1400, slopePerSecond: 1, low: 1300, high: 1500, sampleCount: 9 },
    };
    const seen: Observation = { status: "ok", source: "x", value: 1234.5, timestampMs: T0 - 2000 };
    record(rings, 0, [decisionOf({ current: 1234.5, verdicts: [...decisionOf().verdicts, trend] })], [seen]);
    record(rings, 1, [blindOf({ signal: "p95_latency" })]);
    const past = rings.read("product-api", "p95_latency");
    expect(past).toMatchObject({
      ...{ target: "product-api", signal: "p95_latency", slo: 300, limit: 5000 },
      cycles: [0, 1],
      atMs: [T0, T0 + CYCLE_MS],
      reasons: ["pre_timeout", "data_missing"],
      inRisk: [true, false],
      acted: [true, false],
    });
    expect(past?.columns.observed).toEqual([1234.5, Number.NaN]);
    expect(past?.columns.age).toEqual([2000, Number.NaN]);
    expect(past?.columns.linear[0]).toBeCloseTo(6500.12, 1);
    expect([past?.columns.trend[0], past?.columns.low[0], past?.columns.high[0]]).toEqual([1400, 1300, 1500]);
    expect(past?.columns.probability).toEqual([1, Number.NaN]);
    expect(rings.read("product-api", "memory")).toBeUndefined();
    expect(rings.signalsOf("product-api")).toEqual(["p95_latency"]);
  });

  it("keeps the newest cycles in order, whatever its size was", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ cycleMs: fc.constantFrom(600_000, 1_800_000, 3_600_000), there: fc.boolean() }),
          { minLength: 1, maxLength: 60 },
        ),
        fc.integer({ min: -1, max: 60 }),
        (steps, after) => {
          const rings = new Rings();
          const kept: { cycle: number; value: number }[] = [];
          steps.forEach(({ cycleMs, there }, cycle) => {
            const other = decisionOf({ target: "other" });
            record(rings, cycle, there ? [other, decisionOf({ current: cycle })] : [other], [], cycleMs);
            kept.push({ cycle, value: there ? cycle : Number.NaN });
            kept.splice(0, kept.length - rings.capacity);
          });
          const past = rings.read("product-api", "p95_latency", after);
          const expected = kept.filter(({ cycle }) => cycle > after);
          if (past === undefined) {
            expect(expected.every(({ value }) => Number.isNaN(value))).toBe(true);
            return;
          }
          expect(past.cycles).toEqual(expected.map(({ cycle }) => cycle));
          expect(past.columns.observed).toEqual(expected.map(({ value }) => value));
          expect(rings.tail("product-api", "p95_latency", "observed", 3)).toEqual(
            kept.slice(-3).map(({ value }) => value),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it("forgets a series that has gone once its last cycle has", () => {
    const rings = new Rings();
    record(rings, 0, [decisionOf(), decisionOf({ target: "gone" })], [], 3_600_000);
    expect(rings.capacity).toBe(2);
    record(rings, 1, [decisionOf()], [], 3_600_000);
    expect(rings.signalsOf("gone")).toEqual(["p95_latency"]);
    record(rings, 2, [decisionOf()], [], 3_600_000);
    expect(rings.signalsOf("gone")).toEqual([]);
    expect([...rings.all()].map((p) => p.target)).toEqual(["product-api"]);
  });

  it("hides what a wall clock that was set back contradicts", () => {
    const rings = new Rings();
    for (const cycle of [0, 1, 2, 50, 51, 3, 4]) record(rings, cycle, [decisionOf({ current: cycle })]);
    const past = rings.read("product-api", "p95_latency");
    expect(past?.columns.observed).toEqual([0, 1, 2, 3, 4]);
    expect(past?.cycles).toEqual([0, 1, 2, 5, 6]);
  });
});

describe("its size", () => {
  it("is two hours at the usual cycle, and bounded for quick cycles and many series", () => {
    expect(capacityFor(800, 30_000)).toBe(240);
    expect(capacityFor(800, 1000)).toBe(1398);
    expect(capacityFor(4, 1000)).toBe(1440);
    expect(capacityFor(10_000, 30_000)).toBe(111);
    expect(capacityFor(10_000_000, 30_000)).toBe(2);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 500_000 }),
        fc.integer({ min: 1000, max: 3_600_000 }),
        (series, cycleMs) => {
          expect(capacityFor(series, cycleMs) * series * 30).toBeLessThanOrEqual(32 * 1024 * 1024);
        },
      ),
    );
  });
});
