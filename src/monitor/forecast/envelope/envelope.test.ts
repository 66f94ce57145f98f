import { describe, expect, it } from "vitest";
import { createTrendBank, evaluate, pushSample, resetSeries, type TrendSpec } from "../predictor.ts";

const SPEC: TrendSpec = {
  kind: "memory",
  slo: 270e6,
  limit: 300e6,
  horizonS: 180,
  cycleS: 30,
  rateWindowS: 0,
  sensitivity: "default",
};

/** A collector's sawtooth, period and peak wandering by `jitter`; `leak` is what a second adds to its floor, SLO. */
function sawtooth(o: {
  period: number;
  swing: number;
  jitter: number;
  leakFrom: number;
  leak: number;
  seed: number;
}) {
  let a = o.seed;
  const random = () => {
    a = (Math.imul(a, 1664525) + 1013904223) >>> 0;
    return a / 4294967296;
  };
  let start = 0;
  let length = o.period;
  let swing = o.swing;
  return (t: number) => {
    while (t - start >= length) {
      start += length;
      length = o.period * (1 + o.jitter * (2 * random() - 1));
      swing = o.swing * (1 + 0.5 * o.jitter * (2 * random() - 1));
    }
    return 0.35 + (swing * (t - start)) / length + o.leak * Math.max(0, t - o.leakFrom);
  };
}

function firstWord(
  level: (t: number) => number,
  untilS: number,
): { timeS: number; trigger: string } | undefined {
  const bank = createTrendBank([SPEC]);
  for (let t = 0; t < untilS; t += 30) {
    pushSample(bank, 0, { timeS: t, value: SPEC.slo * level(t) });
    const { trigger } = evaluate(bank, 0, t);
    if (trigger !== undefined) return { timeS: t, trigger };
  }
  return undefined;
}

const NO_LEAK = { leakFrom: 0, leak: 0 };

describe("memory envelope", () => {
  it("keeps quiet over a day of sawtooth, regular or not", () => {
    for (let seed = 1; seed <= 12; seed++) {
      for (const jitter of [0, 0.6]) {
        const level = sawtooth({ period: 300 + 150 * seed, swing: 0.45, jitter, ...NO_LEAK, seed });
        expect(firstWord(level, 86_400), `seed ${seed}, jitter ${jitter}`).toBeUndefined();
      }
    }
  });

  it("sees a leak through the sawtooth before the peaks reach the limit", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const leak = 0.5 / 7200;
      const level = sawtooth({
        period: 300 + 100 * seed,
        swing: 0.2,
        jitter: 0.2,
        leakFrom: 7200,
        leak,
        seed,
      });
      const twin = sawtooth({
        period: 300 + 100 * seed,
        swing: 0.2,
        jitter: 0.2,
        leakFrom: 7200,
        leak,
        seed,
      });
      let breachS = 0;
      while (twin(breachS) <= 1) breachS += 5;
      const spoken = firstWord(level, 20_000);
      expect(spoken?.trigger).toBe("envelope");
      expect(spoken?.timeS).toBeGreaterThan(7200);
      expect(spoken?.timeS).toBeLessThan(breachS);
    }
  });

  it("hands over to the trend when there are no cycles, after having waited for some", () => {
    const level = (t: number) => 0.3 + (0.7 * Math.max(0, t - 7200)) / 7200;
    const spoken = firstWord(level, 20_000);
    expect(spoken?.trigger).toBe("trend");
    expect(spoken?.timeS).toBeGreaterThan(7200);
    expect(spoken?.timeS).toBeLessThan(14_400);
    const bank = createTrendBank([SPEC]);
    for (let t = 0; t < 900; t += 30) pushSample(bank, 0, { timeS: t, value: SPEC.slo * (0.5 + t / 2000) });
    expect(evaluate(bank, 0, 870)).toMatchObject({ trigger: undefined, noTriggerReason: "awaiting_cycles" });
  });

  it("speaks at once of memory that stays over the limit", () => {
    const spoken = firstWord((t) => (t < 3600 ? 0.5 : 1.1), 5000);
    expect(spoken).toMatchObject({ trigger: "level" });
    expect(spoken?.timeS).toBeLessThanOrEqual(3720);
  });

  it("forgets its peaks after a mitigation", () => {
    const bank = createTrendBank([SPEC]);
    const level = sawtooth({ period: 600, swing: 0.2, jitter: 0, leakFrom: 3600, leak: 0.5 / 7200, seed: 1 });
    let t = 0;
    while (t < 20_000 && evaluate(bank, 0, t).trigger === undefined) {
      pushSample(bank, 0, { timeS: t, value: SPEC.slo * level(t) });
      t += 30;
    }
    expect(evaluate(bank, 0, t).trigger).toBe("envelope");
    resetSeries(bank, 0);
    const after = sawtooth({ period: 600, swing: 0.2, jitter: 0, ...NO_LEAK, seed: 1 });
    for (const end = t + 7200; t < end; t += 30) {
      pushSample(bank, 0, { timeS: t, value: SPEC.slo * after(t) });
      expect(evaluate(bank, 0, t).trigger).toBeUndefined();
    }
  });
});
