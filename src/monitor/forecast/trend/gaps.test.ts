import { describe, expect, it } from "vitest";
import { createTrendBank, evaluate, pushSample, type TrendSpec } from "../predictor.ts";
import { noise } from "./trend.testkit.ts";

const SPEC: TrendSpec = {
  kind: "latency",
  slo: 300,
  limit: 5000,
  horizonS: 180,
  cycleS: 30,
  rateWindowS: 60,
  sensitivity: "default",
};

describe("trend predictor: gaps", () => {
  it("follows a ramp over missing samples, and starts afresh after a long silence", () => {
    const bank = createTrendBank([SPEC]);
    const factor = noise(2, 0.05);
    const level = (t: number) => (t < 3600 ? 0.4 : 0.4 + (0.6 * (t - 3600)) / 1200);
    let spokeS = 0;
    for (let t = 0; t < 4800; t += 30) {
      const value = t % 90 === 0 ? Number.NaN : 300 * level(t) * factor();
      pushSample(bank, 0, { timeS: t, value });
      if (spokeS === 0 && evaluate(bank, 0, t).trigger !== undefined) spokeS = t;
    }
    expect(spokeS).toBeGreaterThan(3600);
    expect(spokeS).toBeLessThan(4740);
    for (let t = 8100; t < 9000; t += 30) {
      pushSample(bank, 0, { timeS: t, value: 300 * 0.7 * factor() });
      const verdict = evaluate(bank, 0, t);
      expect(verdict.trigger).toBeUndefined();
      expect(verdict.sampleCount).toBe((t - 8100) / 30 + 1);
    }
  });
});
