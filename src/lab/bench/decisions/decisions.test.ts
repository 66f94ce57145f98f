import { describe, expect, it } from "vitest";
import { linearRule, predictLinearRule, staticRule } from "./comparators.ts";
import { either, guarded, type Method, type Rule, type SeriesSpec } from "./decider.ts";
import { judge } from "./evaluate.ts";
import { METHODS, methodsNamed } from "./methods.ts";
import { createRandom } from "./random.ts";
import { overall } from "./report.ts";
import { buildRun, trueValueAt } from "./runs.ts";
import { GRID_S, SCENARIOS, TAIL_S } from "./shapes.ts";
import { NOISE_LEVELS, runJob, scenarioNamed } from "./tally.ts";

const COOLDOWN_S = 300;
const SPEC: SeriesSpec = {
  kind: "latency",
  slo: 300,
  limit: 5000,
  cycleS: 30,
  horizonS: 180,
  rateWindowS: 60,
};

/** When a rule first speaks on `value(t)`. */
function firstWord(rule: Rule, value: (t: number) => number, untilS = 7200): number | undefined {
  for (let t = 0; t < untilS; t += 30) {
    if (rule.push({ timeS: t, value: value(t), support: undefined }) !== undefined) return t;
  }
  return undefined;
}

describe("scenarios", () => {
  it("are the same for the same label and differ by seed, set and generator", () => {
    const of = (over: object) =>
      buildRun({
        scenario: scenarioNamed("ramp_slow"),
        cv: 0.1,
        seed: 1,
        set: "tuning",
        generator: "reference",
        ...over,
      });
    const base = of({});
    expect(of({}).values).toEqual(base.values);
    for (const other of [{ seed: 2 }, { set: "held-out" }, { generator: "variant" }, { cv: 0.2 }]) {
      expect(of(other).values).not.toEqual(base.values);
    }
  });

  it("breach when they are faults and stay below the SLO when they are near-misses", () => {
    for (const scenario of SCENARIOS) {
      for (const generator of ["reference", "variant"] as const) {
        for (let seed = 0; seed < 4; seed++) {
          const { truth } = buildRun({ scenario, cv: 0.1, seed, set: "tuning", generator });
          const top = Math.max(...truth.level);
          if (scenario.group === "near") expect(top).toBeLessThanOrEqual(0.93);
          if (scenario.group !== "fault") continue;
          expect(truth.breachS).toBeGreaterThanOrEqual(truth.onsetS);
          const at = Math.floor(truth.breachS / GRID_S);
          expect(Math.max(...truth.level.slice(at, at + 2))).toBeGreaterThan(1);
          const before = truth.level.slice(0, Math.ceil(truth.breachS / GRID_S) - 1);
          expect(Math.max(...before)).toBeLessThanOrEqual(1);
          expect((truth.level.length - 1) * GRID_S - truth.breachS).toBeGreaterThan(TAIL_S - 2 * GRID_S);
        }
      }
    }
  });

  it("carry the noise that they claim", () => {
    for (const generator of ["reference", "variant"] as const) {
      for (const cv of NOISE_LEVELS) {
        const run = buildRun({
          scenario: scenarioNamed("backlog_bursts"),
          cv,
          seed: 3,
          set: "tuning",
          generator,
        });
        const ratios = Array.from(run.values, (v, i) => v / trueValueAt(run, run.times[i] as number));
        const mean = ratios.reduce((a, b) => a + b, 0) / ratios.length;
        const variance = ratios.reduce((a, b) => a + (b - mean) ** 2, 0) / ratios.length;
        expect(Math.abs(mean - 1)).toBeLessThan(0.08);
        expect(Math.sqrt(variance) / cv).toBeGreaterThan(0.85);
        expect(Math.sqrt(variance) / cv).toBeLessThan(1.3);
      }
    }
  });

  it("draw binomial counts with the right mean and spread", () => {
    const random = createRandom("binomial");
    for (const [n, p] of [
      [3, 0.2],
      [500, 0.01],
      [10_000, 0.05],
    ] as const) {
      const draws = Array.from({ length: 4000 }, () => random.binomial(n, p));
      const mean = draws.reduce((a, b) => a + b, 0) / draws.length;
      const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length;
      expect(Math.abs(mean / (n * p) - 1)).toBeLessThan(0.06);
      expect(Math.abs(variance / (n * p * (1 - p)) - 1)).toBeLessThan(0.12);
    }
  });
});

describe("comparators", () => {
  it("predict_linear speaks one minute after its line first crosses", () => {
    // 0.1 ms a second from 200: the line reaches 300 at 180 s ahead when t > 820, so at the cycle of 840 s; `for` 60 s.
    expect(firstWord(predictLinearRule(SPEC, 600), (t) => 200 + 0.1 * t)).toBe(900);
  });

  it("a static threshold speaks one minute after it is crossed, and a gap starts the minute again", () => {
    expect(firstWord(staticRule(SPEC), (t) => (t < 600 ? 100 : 400))).toBe(660);
    expect(firstWord(staticRule(SPEC), (t) => (t === 630 ? Number.NaN : t < 600 ? 100 : 400))).toBe(720);
  });

  it("the founding algorithm needs a forecast of 5.7 SLOs", () => {
    expect(firstWord(linearRule(SPEC), (t) => 200 + 0.2 * t, 3600)).toBeUndefined();
    const steep = firstWord(linearRule(SPEC), (t) => 200 + 5 * t, 3600) as number;
    expect(200 + 5 * (steep + 180)).toBeGreaterThan(5.7 * 300);
  });
});

describe("guard and judge", () => {
  const always: Rule = { push: () => ({ trigger: "x", reason: "" }), forget: () => undefined };

  it("acts at most once a cooldown and forgets what came before", () => {
    let forgotten = 0;
    const decider = guarded({ ...always, forget: () => forgotten++ });
    const acted: number[] = [];
    for (let t = 0; t < 1200; t += 30) {
      if (decider.push({ timeS: t, value: 1, support: undefined }) !== undefined) acted.push(t);
    }
    expect(acted).toEqual([0, 300, 600, 900]);
    expect(forgotten).toBe(acted.length);
    expect(COOLDOWN_S).toBe(300);
  });

  it("lets either rule speak, and both hear every sample", () => {
    const heard = [0, 0];
    const counting = (i: number): Rule => ({
      push: () => {
        heard[i] = (heard[i] as number) + 1;
        return i === 0 ? { trigger: "first", reason: "" } : undefined;
      },
      forget: () => undefined,
    });
    const rule = either(counting(0), counting(1));
    expect(rule.push({ timeS: 0, value: 1, support: undefined })?.trigger).toBe("first");
    expect(heard).toEqual([1, 1]);
  });

  it("counts a rule that always speaks as false before the onset and early after it, one that never does as a miss", () => {
    const run = buildRun({
      scenario: scenarioNamed("ramp_medium"),
      cv: 0.05,
      seed: 0,
      set: "tuning",
      generator: "reference",
    });
    const eager: Method = { name: "eager", title: "", create: () => guarded(always) };
    const never: Method = { name: "never", title: "", create: () => ({ push: () => undefined }) };
    const soon = judge(eager, run);
    expect(soon.falseActs).toBe(Math.ceil(run.truth.onsetS / 300));
    expect(soon.delayS).toBeLessThanOrEqual(300);
    expect(soon.leadS).toBeCloseTo(run.truth.breachS - run.truth.onsetS - soon.delayS, 6);
    expect(judge(never, run)).toMatchObject({ falseActs: 0, leadS: -TAIL_S, delayS: Number.NaN });
  });

  it("names methods, and refuses what it does not know", () => {
    expect(methodsNamed(["both", "static"]).map((m) => m.name)).toEqual(["static", "both"]);
    expect(() => methodsNamed(["oracle"])).toThrow(/no method oracle; there are linear/);
    expect(new Set(METHODS.map((m) => m.name)).size).toBe(METHODS.length);
  });
});

describe("the trend predictor against what is in use", () => {
  it("detects more than predict_linear over 10 m, with fewer false mitigations than any rule that detects half", () => {
    const names = ["static", "predict_linear_10m", "trend"];
    const methods = methodsNamed(names);
    const by = new Map(methods.map((m) => [m.name, new Map()]));
    for (const scenario of [
      "flat",
      "spiky",
      "recovering_ramp",
      "step",
      "ramp_medium",
      "ramp_slow",
      "exponential",
    ]) {
      const rows = NOISE_LEVELS.map((cv) =>
        runJob(
          {
            scenario,
            cv,
            seeds: 3,
            set: "held-out",
            generator: "reference",
            cycleS: 30,
            methods: names,
          },
          methods,
        ),
      );
      methods.forEach((m, i) => {
        by.get(m.name)?.set(
          scenario,
          rows.map((r) => r[i]),
        );
      });
    }
    const trend = overall(by.get("trend") as never);
    const linear = overall(by.get("predict_linear_10m") as never);
    const fixed = overall(by.get("static") as never);
    expect(trend.detection).toBeGreaterThan(linear.detection);
    expect(trend.leadS).toBeGreaterThan(linear.leadS);
    expect(trend.clean).toBeLessThan(0.5 * linear.clean);
    expect(trend.clean).toBeLessThan(0.5 * fixed.clean);
    expect(trend.detection).toBeGreaterThan(fixed.detection + 0.2);
    expect(trend.stepS).toBeLessThanOrEqual(100);
    expect(trend.mape).toBeLessThan(0.2);
  });
});
