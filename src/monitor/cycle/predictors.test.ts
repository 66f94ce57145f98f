import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signalPlugins } from "../signals/index.ts";
import { settingsOf, signalOf, targetOf } from "./cycle.testkit.ts";
import { complaintsOf, evaluatePredictors, scoresOf, showSample } from "./predictors.ts";
import { makeState } from "./state.ts";

const signals = signalPlugins.map((d) =>
  signalOf(d, { thresholds: d.thresholds({}), windowed: d.windowed, trend: true }),
);

describe("both predictors", () => {
  it("run on whatever the configuration allows, also after a reload to it", () => {
    const seconds = fc.record({
      horizonS: fc.constantFrom(1, 5, 60, 180, 86_400),
      cycleS: fc.constantFrom(1, 7, 30, 3600),
      linearWindow: fc.constantFrom(5, 20, 1000),
      sensitivity: fc.constantFrom("strict" as const, "default" as const, "eager" as const),
    });
    const made = ({
      horizonS,
      cycleS,
      linearWindow,
      sensitivity,
    }: {
      horizonS: number;
      cycleS: number;
      linearWindow: number;
      sensitivity: "strict" | "default" | "eager";
    }) =>
      settingsOf({
        targets: [targetOf("a", { signals })],
        rules: { ...settingsOf().rules, horizonS },
        cycleMs: 1000 * cycleS,
        rateWindowMs: 2000 * cycleS,
        linearWindow,
        sensitivity,
      });
    fc.assert(
      fc.property(seconds, seconds, (a, b) => {
        const before = makeState(made(a));
        const after = makeState(made(b), before);
        for (const state of [before, after]) {
          const scores = scoresOf(state.forecast.predictors);
          expect(scores).toHaveLength(2 * signals.length);
          for (const series of state.plan)
            for (let k = 1; k < 30; k++) {
              const timeS = k * (state.settings.cycleMs / 1000);
              const value = series.signal.thresholds.slo * (0.2 + 0.05 * k);
              showSample(state.forecast.predictors, series, { timeS, value, support: 1000 });
              const { verdicts } = evaluatePredictors({
                predictors: state.forecast.predictors,
                series,
                settings: state.settings,
                memory: state.forecast.rows[series.index]!.memory,
                nowS: timeS,
                known: true,
                fresh: true,
                complaints: complaintsOf(state.forecast.predictors),
              });
              for (const v of verdicts) expect(v.probability >= 0 && v.probability <= 1).toBe(true);
            }
        }
      }),
      { numRuns: 40 },
    );
  });

  it("are scored on forecasts only: one that has none yet is not taken to have said anything", () => {
    const state = makeState(settingsOf({ targets: [targetOf("a", { signals: signals.slice(0, 1) })] }));
    const [series] = state.plan as [(typeof state.plan)[0]];
    const w = state.forecast.predictors;
    const figures = () => scoresOf(w).map((s) => s.summary.scored + s.summary.unscored);
    const hearAt = (nowS: number) =>
      evaluatePredictors({
        predictors: w,
        series,
        settings: state.settings,
        memory: state.forecast.rows[0]!.memory,
        nowS,
        known: true,
        fresh: true,
        complaints: new Map(),
      });
    expect(hearAt(0).verdicts.map((v) => v.forecast)).toEqual([undefined, undefined]);
    for (let timeS = 30; timeS <= 900; timeS += 30)
      showSample(w, series, { timeS, value: 100, support: undefined });
    expect(figures()).toEqual([0, 0]);
    expect(hearAt(900).verdicts.map((v) => v.forecast === undefined)).toEqual([false, false]);
    for (let timeS = 930; timeS <= 1800; timeS += 30)
      showSample(w, series, { timeS, value: 100, support: undefined });
    expect(figures()).toEqual([1, 1]);
  });

  it("keep what they know of a series over a reload that leaves it as it was", () => {
    const settings = settingsOf({ targets: [targetOf("a", { signals }), targetOf("b", { signals })] });
    const before = makeState(settings);
    const read = (state: typeof before, key: string) => {
      const i = state.forecast.rows.findIndex((r) => r.key === key);
      const series = state.plan[i]!;
      const { verdicts } = evaluatePredictors({
        predictors: state.forecast.predictors,
        series,
        settings,
        memory: state.forecast.rows[i]!.memory,
        nowS: 1200,
        known: true,
        fresh: false,
        complaints: new Map(),
      });
      return verdicts;
    };
    for (const series of before.plan)
      for (let k = 1; k <= 40; k++) {
        const value = series.signal.thresholds.slo * (0.3 + 0.004 * k * (1 + series.index));
        showSample(before.forecast.predictors, series, { timeS: 30 * k, value, support: undefined });
      }
    const turned = settingsOf({
      targets: [targetOf("c", { signals }), targetOf("b", { signals }), targetOf("a", { signals })],
    });
    const after = makeState(turned, before);
    for (const key of before.forecast.rows.map((r) => r.key))
      expect(read(after, key)).toEqual(read(before, key));
    expect(read(after, "c/memory").map((v) => v.forecast)).toEqual([undefined, undefined]);
    expect(read(after, "a/memory")[1]!.forecast?.sampleCount).toBe(40);
  });
});
