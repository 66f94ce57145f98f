import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Forecast } from "../kernel/decision.ts";
import { FRESH_LINEAR_MEMORY, judgeLinear, type LinearMemory, linearProbability } from "./linear.ts";
import type { Rules } from "./rules.ts";

const RULES: Rules = {
  horizonS: 180,
  probStrong: 0.6,
  probConfirmMin: 0.3,
  minR2: 0.2,
  preTimeoutRatio: 0.9,
};
const LATENCY = { slo: 300, exit: 270, limit: 5000 };

function line(value: number, r2 = 0.9): Forecast {
  return { predictor: "linear", value, slopePerSecond: 1, r2, sampleCount: 20 };
}

function judge(value: number | undefined, over: Partial<Parameters<typeof judgeLinear>[0]> = {}) {
  return judgeLinear({
    forecast: value === undefined ? undefined : line(value),
    thresholds: LATENCY,
    rules: RULES,
    memory: FRESH_LINEAR_MEMORY,
    fresh: true,
    on: true,
    ...over,
  });
}

describe("linearProbability", () => {
  it.each([
    [0, 0],
    [300, 0],
    [2650, 0.5],
    [5000, 1],
    [9000, 1],
  ])("of a forecast of %d ms is %d", (value, expected) => {
    expect(linearProbability(value, LATENCY)).toBeCloseTo(expected, 12);
  });
});

describe("judgeLinear, the contract's table", () => {
  const inRisk: LinearMemory = { inRisk: true, pending: 0 };
  const once: LinearMemory = { inRisk: true, pending: 1 };
  // p = 0.3 at 1710, p = 0.6 at 3120, pre-timeout at 4500.
  it.each([
    ["at the SLO is not a breach", 300, FRESH_LINEAR_MEMORY, undefined, "below_slo", false, 0],
    ["just above the SLO enters risk", 300.01, FRESH_LINEAR_MEMORY, undefined, "weak_probability", true, 0],
    ["at the exit stays in risk", 270, inRisk, undefined, "weak_probability", true, 0],
    ["just below the exit leaves risk", 269.99, inRisk, undefined, "below_slo", false, 0],
    ["just below the band is weak", 1709.9, inRisk, undefined, "weak_probability", true, 0],
    ["the band waits for a second cycle", 1711, inRisk, undefined, "awaiting_confirmation", true, 1],
    ["the band on a second cycle acts", 1711, once, "confirmed", undefined, true, 2],
    ["just below strong is still the band", 3119.9, inRisk, undefined, "awaiting_confirmation", true, 1],
    ["strong acts at once", 3120, FRESH_LINEAR_MEMORY, "strong", undefined, true, 0],
    ["just below pre-timeout is strong", 4499.9, inRisk, "strong", undefined, true, 0],
    ["at 90 % of the limit is pre-timeout", 4500, FRESH_LINEAR_MEMORY, "pre_timeout", undefined, true, 0],
    ["strong starts the confirmation anew", 3120, once, "strong", undefined, true, 0],
    ["weak in between breaks confirmation", 1000, once, undefined, "weak_probability", true, 0],
  ] as const)("%s", (_name, value, memory, trigger, noTriggerReason, risk, pending) => {
    const { verdict, memory: next } = judge(value, { memory });
    expect(verdict.trigger).toBe(trigger);
    expect(verdict.noTriggerReason).toBe(noTriggerReason);
    expect(next).toEqual({ inRisk: risk, pending });
  });

  it("acts before the SLO when the pre-timeout level lies below it", () => {
    const { verdict, memory } = judge(900, { thresholds: { slo: 950, exit: 940, limit: 1000 } });
    expect(verdict).toMatchObject({ trigger: "pre_timeout", noTriggerReason: undefined, probability: 0 });
    expect(memory.inRisk).toBe(false);
  });

  it.each([
    [0.19, "r2_below_min"],
    [0.2, undefined],
  ] as const)("with R² %d is held back by %s", (r2, noTriggerReason) => {
    expect(judge(undefined, { forecast: line(4800, r2) }).verdict).toMatchObject({
      trigger: "pre_timeout",
      noTriggerReason,
    });
  });

  it("calls a poor fit below the SLO what it is: below the SLO", () => {
    expect(judge(undefined, { forecast: line(100, 0) }).verdict.noTriggerReason).toBe("below_slo");
  });

  it("that is off shows its forecast and trigger and speaks for nothing", () => {
    const { verdict } = judge(4800, { on: false });
    expect(verdict).toMatchObject({ trigger: "pre_timeout", noTriggerReason: "predictor_off" });
    expect(verdict.forecast?.value).toBe(4800);
    expect(judge(undefined, { on: false }).verdict.noTriggerReason).toBe("predictor_off");
  });

  it("without a forecast keeps the risk state and lets a pending confirmation lapse", () => {
    const { verdict, memory } = judge(undefined, { memory: once });
    expect(verdict).toEqual({
      predictor: "linear",
      forecast: undefined,
      probability: 0,
      trigger: undefined,
      noTriggerReason: "insufficient_samples",
    });
    expect(memory).toEqual({ inRisk: true, pending: 0 });
    expect(judge(2000, { memory }).verdict.noTriggerReason).toBe("awaiting_confirmation");
  });

  it("does not let a sample confirm itself, however often it is read", () => {
    let memory = judge(2000).memory;
    for (let cycle = 0; cycle < 5; cycle++) {
      const again = judge(2000, { memory, fresh: false });
      expect(again.verdict.trigger).toBeUndefined();
      memory = again.memory;
    }
    expect(judge(2000, { memory }).verdict.trigger).toBe("confirmed");
  });

  it.each([
    ["value NaN", line(Number.NaN)],
    ["value infinite", line(Number.POSITIVE_INFINITY)],
    ["R² NaN, as an overflowing fit gives", line(1e160, Number.NaN)],
  ])("takes a forecast that is not a number for none: %s", (_name, forecast) => {
    const { verdict, memory } = judge(undefined, { forecast, memory: once });
    expect(verdict).toMatchObject({
      forecast: undefined,
      trigger: undefined,
      noTriggerReason: "insufficient_samples",
      probability: 0,
    });
    expect(memory.pending).toBe(0);
  });

  it("keeps the very memory object when nothing changed, so that nothing is saved", () => {
    expect(judge(100).memory).toBe(FRESH_LINEAR_MEMORY);
    expect(judge(undefined).memory).toBe(FRESH_LINEAR_MEMORY);
  });
});

interface Cycle {
  /** Undefined: no usable value this cycle. */
  value: number | undefined;
  r2: number;
  fresh: boolean;
}

/** The contract's bullet list over a whole history, with nothing remembered from cycle to cycle. */
function contract(history: readonly Cycle[], rules: Rules): boolean {
  const now = history.at(-1) as Cycle;
  if (now.value === undefined) return false;
  const p = (value: number) => {
    if (value <= LATENCY.slo) return 0;
    return value >= LATENCY.limit ? 1 : (value - LATENCY.slo) / (LATENCY.limit - LATENCY.slo);
  };
  const riskAfter = (cycles: readonly Cycle[]) => {
    let risk = false;
    for (const { value } of cycles) {
      if (value === undefined) continue;
      if (!risk && value > LATENCY.slo) risk = true;
      else if (risk && value < LATENCY.exit) risk = false;
    }
    return risk;
  };
  const inBand = (i: number) => {
    const { value } = history[i] as Cycle;
    if (value === undefined || !riskAfter(history.slice(0, i + 1))) return false;
    return p(value) >= rules.probConfirmMin && p(value) < rules.probStrong;
  };
  if (now.r2 < rules.minR2) return false;
  if (now.value >= rules.preTimeoutRatio * LATENCY.limit) return true;
  if (riskAfter(history) && p(now.value) >= rules.probStrong) return true;
  let samples = 0;
  for (let i = history.length - 1; i >= 0 && inBand(i); i--) if ((history[i] as Cycle).fresh) samples += 1;
  return samples >= 2;
}

describe("judgeLinear against the contract's bullet list", () => {
  const level = fc.oneof(
    fc.constantFrom(0, 269, 270, 271, 299, 300, 301, 1709, 1710, 1711, 3119, 3120, 3121, 4499, 4500, 4501),
    fc.double({ min: 0, max: 6000, noNaN: true }),
  );
  const cycle: fc.Arbitrary<Cycle> = fc.record({
    value: fc.option(level, { nil: undefined, freq: 6 }),
    r2: fc.constantFrom(0, 0.19, 0.2, 0.5, 1),
    fresh: fc.boolean(),
  });
  const dials = fc.record({
    horizonS: fc.constant(180),
    probStrong: fc.constantFrom(0.5, 0.6, 1),
    probConfirmMin: fc.constantFrom(0, 0.3, 0.5),
    minR2: fc.constantFrom(0, 0.2, 0.9),
    preTimeoutRatio: fc.constantFrom(0.05, 0.9, 1.1),
  });

  it("speaks in exactly the same cycles, over any history", () => {
    fc.assert(
      fc.property(fc.array(cycle, { minLength: 1, maxLength: 12 }), dials, (history, rules) => {
        let memory = FRESH_LINEAR_MEMORY;
        history.forEach((c, i) => {
          const judged = judgeLinear({
            forecast: c.value === undefined ? undefined : line(c.value, c.r2),
            thresholds: LATENCY,
            rules,
            memory,
            fresh: c.fresh,
            on: true,
          });
          memory = judged.memory;
          const speaks = judged.verdict.trigger !== undefined && judged.verdict.noTriggerReason === undefined;
          expect(speaks, `cycle ${i}`).toBe(contract(history.slice(0, i + 1), rules));
          expect(judged.verdict.trigger === undefined && judged.verdict.noTriggerReason === undefined).toBe(
            false,
          );
        });
      }),
      { numRuns: 3000 },
    );
  });
});
