import { describe, expect, it } from "vitest";
import { carryOver, createScoreBank, rowAt, type ScoreOptions } from "./bank.ts";
import * as at from "./layout.ts";
import { forget, noteForecast, noteSample } from "./note.ts";
import { summary } from "./summary.ts";

const T0 = 1_766_000_000;
const slo = 300;

function bankOf(more: Partial<ScoreOptions> = {}) {
  return createScoreBank({
    size: 1,
    predictors: [{ name: "trend", nominalCoverage: 0.9 }],
    groups: ["p95_latency"],
    groupOf: [0],
    horizonS: 180,
    cycleS: 30,
    ...more,
  });
}

describe("scores by hand", () => {
  it("gives error, coverage, Brier score and deciles of four forecasts", () => {
    const bank = bankOf();
    const said = [
      { value: 110, low: 90, high: 120, probability: 0.05 },
      { value: 150, low: 140, high: 190, probability: 0.05 },
      { value: 300, low: 250, high: 450, probability: 0.75 },
      { value: 500, low: 310, high: 700, probability: 1 },
    ];
    said.forEach((f, k) => {
      const madeS = T0 + 30 * k;
      expect(noteForecast(bank, 0, 0, { madeS, dueS: madeS + 180, ...f })).toBe(true);
    });
    expect(summary(bank, 0)).toMatchObject({
      mape: undefined,
      brier: undefined,
      scored: 0,
      lastScoredS: undefined,
    });
    // Errors 10 %, 25 %, 25 %, 25 %; the third value lies at the SLO, which is not above it.
    for (const [k, value] of [100, 200, 300, 400].entries())
      noteSample(bank, 0, { timeS: T0 + 180 + 30 * k, value, slo });
    noteSample(bank, 0, { timeS: T0 + 300, value: 100, slo });
    const got = summary(bank, 0, 0);
    expect(got.mape).toBeCloseTo((0.1 + 0.25 + 0 + 0.25) / 4, 12);
    expect(got.coverage).toBe(0.75);
    expect(got.nominalCoverage).toBe(0.9);
    expect(got.brier).toBeCloseTo((2 * 0.05 ** 2 + 0.75 ** 2 + 0) / 4, 12);
    expect(got.calibrationError).toBeCloseTo((2 * 0.05 + 0.75 + 0) / 4, 12);
    expect(got.deciles).toHaveLength(10);
    expect(got.deciles[0]).toEqual({ forecastMean: 0.05, observedShare: 0, count: 2 });
    expect(got.deciles[7]).toEqual({ forecastMean: 0.75, observedShare: 0, count: 1 });
    expect(got.deciles[9]).toEqual({ forecastMean: 1, observedShare: 1, count: 1 });
    expect(got.deciles[4]).toEqual({ forecastMean: undefined, observedShare: undefined, count: 0 });
    expect(got).toMatchObject({ scored: 4, unscored: 0, voided: 0, lastScoredS: T0 + 270 });
  });

  it("takes the sample nearest the due time, from before or after", () => {
    for (const [dueS, nearest] of [
      [T0 + 190, 100],
      [T0 + 200, 200],
    ] as const) {
      const bank = bankOf();
      noteForecast(bank, 0, 0, { madeS: T0, dueS, value: 100 });
      noteSample(bank, 0, { timeS: T0 + 180, value: 100, slo });
      expect(summary(bank, 0).scored).toBe(0);
      noteSample(bank, 0, { timeS: T0 + 210, value: 200, slo });
      expect(summary(bank, 0).mape).toBe(Math.abs(100 - nearest) / nearest);
    }
  });

  it("counts a forecast that no sample came for as unscored, and missing values as no sample", () => {
    const bank = bankOf();
    noteForecast(bank, 0, 0, { madeS: T0, dueS: T0 + 180, value: 100 });
    noteForecast(bank, 0, 0, { madeS: T0 + 30, dueS: T0 + 210, value: 100 });
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1])
      expect(noteSample(bank, 0, { timeS: T0 + 180, value, slo })).toBe(false);
    expect(noteSample(bank, 0, { timeS: T0 + 220, value: 100, slo })).toBe(true);
    expect(noteSample(bank, 0, { timeS: T0 + 220, value: 100, slo })).toBe(false);
    expect(summary(bank, 0)).toMatchObject({ scored: 1, unscored: 1, mape: 0 });
  });

  it("leaves what is near zero out of the percentage error and says how often", () => {
    const bank = bankOf({ percentageFloor: 0.1 });
    noteForecast(bank, 0, 0, { madeS: T0, dueS: T0 + 180, value: 60 });
    noteForecast(bank, 0, 0, { madeS: T0 + 30, dueS: T0 + 210, value: 60 });
    noteSample(bank, 0, { timeS: T0 + 180, value: 29, slo });
    noteSample(bank, 0, { timeS: T0 + 210, value: 30, slo });
    expect(summary(bank, 0)).toMatchObject({ scored: 2, belowFloor: 1, mape: 1 });
  });

  it("judges the event at the level the predictor spoke of", () => {
    const bank = bankOf();
    noteForecast(bank, 0, 0, { madeS: T0, dueS: T0 + 180, probability: 0.85, eventLevel: 240 });
    noteForecast(bank, 0, 0, { madeS: T0 + 30, dueS: T0 + 210, probability: 0.85 });
    noteSample(bank, 0, { timeS: T0 + 180, value: 250, slo });
    noteSample(bank, 0, { timeS: T0 + 210, value: 250, slo });
    expect(summary(bank, 0).deciles[8]).toMatchObject({ observedShare: 0.5, count: 2 });
    expect(summary(bank, 0)).toMatchObject({ mape: undefined, coverage: undefined });
  });

  it("scores a predictor that speaks of the level against the mean around the due time", () => {
    const bank = bankOf({ predictors: [{ name: "level", meanOverS: 120, nominalCoverage: 0.9 }] });
    for (const madeS of [T0, T0 + 30])
      noteForecast(bank, 0, 0, { madeS, dueS: madeS + 180, value: 120, low: 90, high: 130 });
    // 120 .. 240 s belong to the first (mean 140), 150 .. 270 s to the second (mean 180).
    for (const [k, value] of [999, 100, 100, 100, 100, 300, 300].entries())
      noteSample(bank, 0, { timeS: T0 + 90 + 30 * k, value, slo });
    const got = summary(bank, 0);
    expect(got).toMatchObject({ scored: 2, coverage: 0 });
    expect(got.mape).toBeCloseTo((20 / 140 + 60 / 180) / 2, 12);
    noteForecast(bank, 0, 0, { madeS: T0 + 300, dueS: T0 + 480, value: 100 });
    noteSample(bank, 0, { timeS: T0 + 480, value: 100, slo });
    noteSample(bank, 0, { timeS: T0 + 570, value: 100, slo });
    expect(summary(bank, 0)).toMatchObject({ scored: 2, unscored: 1 });
  });

  it("keeps predictors and groups apart, and adds groups up", () => {
    const bank = createScoreBank({
      size: 3,
      predictors: [{ name: "linear" }, { name: "trend" }],
      groups: ["p95_latency", "memory"],
      groupOf: [0, 1, 0],
      horizonS: 180,
      cycleS: 30,
    });
    const trend = 1;
    for (let i = 0; i < 3; i++) {
      noteForecast(bank, i, 0, { madeS: T0, dueS: T0 + 180, value: 100 });
      noteForecast(bank, i, trend, { madeS: T0, dueS: T0 + 180, value: 150 + 50 * i });
      noteSample(bank, i, { timeS: T0 + 180, value: 100, slo });
    }
    expect(summary(bank, 0)).toMatchObject({ mape: 0, scored: 3 });
    expect(summary(bank, trend, 0)).toMatchObject({ mape: 1, scored: 2 });
    expect(summary(bank, trend, 1)).toMatchObject({ mape: 1, scored: 1 });
    expect(summary(bank, trend).mape).toBeCloseTo((0.5 + 1 + 1.5) / 3, 12);
  });

  it("lets a score count half after a half-life, also across groups of different age", () => {
    const halfLifeS = 12 * 720;
    const options = { halfLifeS, size: 2, groups: ["a", "b"], groupOf: [0, 1] };
    const start = Math.ceil(T0 / 720) * 720;
    const once = (bank: ReturnType<typeof bankOf>, i: number, dueS: number, value: number) => {
      noteForecast(bank, i, 0, { madeS: dueS - 180, dueS, value });
      noteSample(bank, i, { timeS: dueS, value: 100, slo });
    };
    const same = bankOf(options);
    once(same, 0, start, 200);
    once(same, 0, start + halfLifeS, 100);
    expect(summary(same, 0, 0).mape).toBeCloseTo(1 / 3, 12);
    const two = bankOf(options);
    once(two, 0, start, 200);
    once(two, 1, start + halfLifeS, 100);
    expect(summary(two, 0).mape).toBeCloseTo(1 / 3, 12);
    expect(summary(two, 0).scored).toBe(2);
  });
});

describe("pending forecasts", () => {
  it("are void after an action, and scored again from then on", () => {
    const bank = bankOf();
    for (const madeS of [T0, T0 + 30, T0 + 60])
      noteForecast(bank, 0, 0, { madeS, dueS: madeS + 180, value: 900 });
    forget(bank, 0);
    noteForecast(bank, 0, 0, { madeS: T0 + 61, dueS: T0 + 241, value: 100 });
    for (let t = 90; t <= 270; t += 30) noteSample(bank, 0, { timeS: T0 + t, value: 100, slo });
    expect(summary(bank, 0)).toMatchObject({ scored: 1, unscored: 0, voided: 3, mape: 0 });
  });

  it("take fixed memory, thinned out evenly at a short cycle", () => {
    const bank = bankOf({ cycleS: 1 });
    expect(bank.pending).toBeLessThanOrEqual(at.MAX_PENDING);
    const bytes = bank.rows.byteLength;
    let kept = 0;
    for (let t = 0; t < 6000; t++) {
      noteSample(bank, 0, { timeS: T0 + t, value: 100, slo });
      if (noteForecast(bank, 0, 0, { madeS: T0 + t, dueS: T0 + t + 180, value: 100 })) kept++;
      expect(bank.rows[rowAt(bank, 0, 0) + at.COUNT]).toBeLessThanOrEqual(bank.pending);
    }
    expect(kept).toBe(400);
    expect(summary(bank, 0)).toMatchObject({ scored: 388, unscored: 0, thinned: 5600 });
    expect(bank.rows.byteLength).toBe(bytes);
  });

  it("keep every cycle's forecast at the usual cycle, also with a jittering tick", () => {
    const bank = bankOf();
    for (let k = 0; k < 1000; k++) {
      const madeS = T0 + 30 * k + (k % 3) * 0.4;
      noteSample(bank, 0, { timeS: madeS, value: 100, slo });
      expect(noteForecast(bank, 0, 0, { madeS, dueS: madeS + 180, value: 100 })).toBe(true);
    }
    expect(summary(bank, 0).unscored).toBe(0);
  });

  it("make room when a series falls silent", () => {
    const bank = bankOf();
    for (let k = 0; k < 100; k++)
      expect(noteForecast(bank, 0, 0, { madeS: T0 + 30 * k, dueS: T0 + 30 * k + 180, value: 1 })).toBe(true);
    const { unscored, scored, thinned } = summary(bank, 0);
    expect(scored + thinned).toBe(0);
    expect(unscored).toBe(100 - (bank.rows[rowAt(bank, 0, 0) + at.COUNT] as number));
  });

  it("refuses what cannot be scored", () => {
    const bank = bankOf({ predictors: [{ name: "linear" }] });
    const good = { madeS: T0, dueS: T0 + 180, value: 1 };
    const bad = [
      { ...good, value: Number.NaN },
      { ...good, dueS: T0 + 30 },
      { ...good, dueS: Number.NaN },
      { ...good, probability: 1.01 },
      { ...good, probability: Number.NaN },
      { ...good, low: 0, high: 1 },
      { ...good, low: 0 },
      { madeS: T0, dueS: T0 + 180 },
    ];
    for (const forecast of bad) expect(noteForecast(bank, 0, 0, forecast)).toBe(false);
    expect(noteForecast(bank, 0, 0, good)).toBe(true);
    expect(noteForecast(bank, 0, 0, { madeS: T0 + 60, dueS: T0 + 179, value: 1 })).toBe(false);
    expect(() => noteSample(bank, 0, { timeS: T0, value: 1, slo: 0 })).toThrow(/slo must be/);
  });
});

describe("a bank", () => {
  it("names the option that is wrong", () => {
    expect(() => bankOf({ horizonS: 0 })).toThrow(/^horizonS must be/);
    expect(() => bankOf({ cycleS: Number.NaN })).toThrow(/^cycleS must be/);
    expect(() => bankOf({ groupOf: [1] })).toThrow(/^groupOf\[0\] must be an index into groups \(0..0\)/);
    expect(() => bankOf({ groupOf: [] })).toThrow(/^groupOf must have one entry a series/);
    expect(() => bankOf({ halfLifeS: 600 })).toThrow(/^halfLifeS must be at least 8640/);
    expect(() => bankOf({ predictors: [{ name: "w", nominalCoverage: 90 }] })).toThrow(
      /predictors\[0\].nominalCoverage/,
    );
    expect(() => bankOf({ predictors: [{ name: "w", horizonS: 30 }] })).toThrow(/predictors\[0\].horizonS/);
    expect(() => bankOf({ predictors: [{ name: "w", meanOverS: 181 }] })).toThrow(
      /predictors\[0\].meanOverS/,
    );
  });

  it("carries on after a reload that moves, drops and adds series", () => {
    const from = bankOf({ size: 2, groups: ["p95_latency", "memory"], groupOf: [0, 1] });
    for (let i = 0; i < 2; i++) {
      noteForecast(from, i, 0, { madeS: T0, dueS: T0 + 180, value: 200 });
      noteSample(from, i, { timeS: T0 + 180, value: 100, slo });
      noteForecast(from, i, 0, { madeS: T0 + 180, dueS: T0 + 360, value: 100 * (i + 1) });
    }
    const to = bankOf({ size: 2, groups: ["memory"], groupOf: [0, 0] });
    expect(carryOver(from, to, [-1, 1])).toBe(true);
    noteSample(to, 1, { timeS: T0 + 360, value: 100, slo });
    expect(summary(to, 0, 0)).toMatchObject({ scored: 2, mape: 1 });
    const other = bankOf({ horizonS: 240 });
    expect(carryOver(from, other, [0])).toBe(false);
    expect(summary(other, 0).scored).toBe(0);
  });
});
