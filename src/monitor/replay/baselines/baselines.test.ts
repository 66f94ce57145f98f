import { describe, expect, test } from "vitest";
import { historyOf, targetNamed } from "../replay.testkit.ts";
import { predictLinearRule, type RuleSpec, staticRule } from "./rules.ts";
import { BASELINES, runBaseline } from "./run.ts";

const spec: RuleSpec = { slo: 300, exit: 270, limit: 1000, horizonS: 180 };

describe("static threshold", () => {
  test("asks once the value has been over the SLO for a minute; a dip or a missing sample begins anew", () => {
    const rule = staticRule(spec);
    const values = [301, 301, 300, 301, 301, Number.NaN, 301, 301, 301, 302];
    expect(values.map((v, i) => rule.push(30 * i, v))).toEqual([...Array(8).fill(false), true, true]);
  });
});

describe("predict_linear", () => {
  test("asks a minute after the line through its range first reaches the SLO at the horizon", () => {
    const rule = predictLinearRule(spec, 600);
    // 100 + 0.5 a second: the line reads 100 + 0.5 (t + 180), above 300 from t = 240 on.
    const asked = Array.from({ length: 20 }, (_, i) => rule.push(30 * i, 100 + 15 * i));
    expect(asked.indexOf(true)).toBe((240 + 60) / 30);
    expect(asked.slice(10).every(Boolean)).toBe(true);
  });

  test("forgets what is older than its range", () => {
    const short = predictLinearRule(spec, 300);
    const long = predictLinearRule(spec, 600);
    const value = (i: number) => (i < 20 ? 100 : 100 + 20 * (i - 20));
    const first = (rule: typeof short) =>
      Array.from({ length: 60 }, (_, i) => rule.push(30 * i, value(i))).indexOf(true);
    expect(first(short)).toBeGreaterThan(0);
    expect(first(short)).toBeLessThan(first(long));
  });

  test("one sample makes no line", () => {
    const rule = predictLinearRule(spec, 60);
    expect([0, 300, 600, 900].map((t) => rule.push(t, 1e6))).toEqual([false, false, false, false]);
  });
});

describe("runBaseline", () => {
  const high = Array.from({ length: 60 }, (_, i): [number, number] => [30 * i, 400]);
  const named = (name: string) => BASELINES.find((b) => b.name === name) as (typeof BASELINES)[number];

  test("holds the cooldown of the target over all its signals", () => {
    const history = historyOf([
      { target: "a", samples: high },
      { target: "a", signal: "memory", samples: high },
      { target: "b", samples: high },
    ]);
    const targets = [targetNamed("a", ["p95_latency", "memory"]), targetNamed("b")];
    const actions = runBaseline({ baseline: named("static threshold 1m"), history, targets, horizonS: 180 });
    const of = (name: string) => actions.filter((a) => a.target === name).map((a) => a.atMs / 1000);
    expect(of("a")).toEqual([60, 360, 660, 960, 1260, 1560]);
    expect(of("b")).toEqual(of("a"));
  });

  test("the founding algorithm stays silent on a flat line and speaks on a steep one", () => {
    const rising = high.map(([t], i): [number, number] => [t, 100 + 20 * i]);
    const run = (samples: [number, number][]) =>
      runBaseline({
        baseline: named("founding algorithm"),
        history: historyOf([{ target: "a", samples }]),
        targets: [targetNamed("a")],
        horizonS: 180,
      });
    expect(run(high)).toEqual([]);
    // Probability 0.6 needs a forecast of 720: 100 + 20 i + 120, from i = 25 on.
    expect(run(rising)[0]?.atMs).toBeLessThanOrEqual(25 * 30_000);
    expect(run(rising)[0]?.atMs).toBeGreaterThan(15 * 30_000);
  });
});
