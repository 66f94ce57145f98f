import { describe, expect, it } from "vitest";
import {
  createTrendBank,
  evaluate,
  pushSample,
  resetSeries,
  type TrendSpec,
  type TrendVerdict,
} from "./predictor.ts";
import { trendSettings } from "./settings.ts";
import { noise, normals } from "./trend/trend.testkit.ts";

const SPEC: TrendSpec = {
  kind: "latency",
  slo: 300,
  limit: 5000,
  horizonS: 180,
  cycleS: 30,
  rateWindowS: 60,
  sensitivity: "default",
};

interface Spoken {
  readonly timeS: number;
  readonly verdict: TrendVerdict;
}

/** Feeds `level` (SLO units) with noise until the predictor speaks. */
function firstWord(o: {
  spec?: Partial<TrendSpec>;
  level: (t: number) => number;
  untilS: number;
  cv: number;
  seed: number;
  support?: number;
  fromS?: number;
}): Spoken | undefined {
  const spec = { ...SPEC, ...o.spec };
  const bank = createTrendBank([spec]);
  const factor = noise(o.seed, o.cv);
  for (let t = o.fromS ?? 0; t < o.untilS; t += spec.cycleS) {
    pushSample(bank, 0, { timeS: t, value: o.level(t) * spec.slo * factor(), support: o.support });
    const verdict = evaluate(bank, 0, t);
    if (verdict.trigger !== undefined) return { timeS: t, verdict };
  }
  return undefined;
}

describe("trend predictor: samples", () => {
  it("takes sampleProblem as missing, never as zero, and changes nothing", () => {
    const bank = createTrendBank([SPEC]);
    for (let k = 0; k < 20; k++) pushSample(bank, 0, { timeS: 30 * k, value: 120 + (k % 3) });
    const before = bank.state.slice();
    for (const value of [Number.NaN, Infinity, -Infinity, -1]) {
      expect(pushSample(bank, 0, { timeS: 600, value })).toBe(false);
    }
    expect(pushSample(bank, 0, { timeS: 600, value: 100, support: 0 })).toBe(false);
    expect(pushSample(bank, 0, { timeS: 570, value: 100 })).toBe(false);
    expect(pushSample(bank, 0, { timeS: Number.NaN, value: 100 })).toBe(false);
    expect(pushSample(bank, 0, { timeS: Infinity, value: 100 })).toBe(false);
    expect(bank.state).toEqual(before);
    expect(pushSample(bank, 0, { timeS: 600, value: 0 })).toBe(true);
  });

  it("says that it knows nothing before it does", () => {
    const bank = createTrendBank([SPEC]);
    expect(evaluate(bank, 0, 0)).toMatchObject({
      value: NaN,
      trigger: undefined,
      noTriggerReason: "insufficient_samples",
    });
    for (let k = 0; k < 8; k++) pushSample(bank, 0, { timeS: 30 * k, value: 290 });
    expect(evaluate(bank, 0, 240)).toMatchObject({ noTriggerReason: "insufficient_samples", sampleCount: 8 });
  });

  it("refuses a spec that makes no sense, naming the field", () => {
    expect(() => createTrendBank([SPEC, { ...SPEC, slo: 0 }])).toThrow(
      /specs\[1\]\.slo must be a finite number > 0/,
    );
    expect(() => createTrendBank([{ ...SPEC, horizonS: Number.NaN }])).toThrow(/specs\[0\]\.horizonS/);
    expect(() => createTrendBank([{ ...SPEC, rateWindowS: -1 }])).toThrow(/rateWindowS must be >= 0/);
  });

  it("keeps series apart and repeats itself exactly", () => {
    const kinds = ["latency", "memory", "backlog", "ratio"] as const;
    const together = createTrendBank(kinds.map((kind) => ({ ...SPEC, kind })));
    const alone = kinds.map((kind) => createTrendBank([{ ...SPEC, kind }]));
    const factors = kinds.map((_, i) => noise(i, 0.2));
    for (let t = 0; t < 9000; t += 30) {
      kinds.forEach((_, i) => {
        const value = 300 * (0.4 + t / 20_000) * (factors[i] as () => number)();
        pushSample(together, i, { timeS: t, value, support: 200 });
        pushSample(alone[i] as ReturnType<typeof createTrendBank>, 0, { timeS: t, value, support: 200 });
        const verdict = evaluate(together, i, t);
        expect(verdict).toEqual(evaluate(alone[i] as ReturnType<typeof createTrendBank>, 0, t));
        expect(evaluate(together, i, t)).toEqual(verdict);
      });
    }
  });

  it("needs the same memory after a week as at the start, under 1 KB a series", () => {
    const bank = createTrendBank([SPEC, { ...SPEC, kind: "memory" }]);
    const { state, envelopes } = bank;
    expect(state.byteLength / 2).toBeLessThan(1024);
    const factor = noise(1, 0.1);
    for (let k = 0; k < 20_160; k++) {
      for (const i of [0, 1]) pushSample(bank, i, { timeS: 30 * k, value: 120 * factor(), support: 50 });
    }
    expect(bank.state).toBe(state);
    expect(bank.envelopes).toBe(envelopes);
    expect(evaluate(bank, 0, 30 * 20_160)).toMatchObject({ trigger: undefined, sampleCount: 20_160 });
    expect(state.every((x) => Math.abs(x) < 1e12 || Number.isNaN(x))).toBe(true);
  });
});

describe("trend predictor: what it says of a service", () => {
  it("speaks well before a ramp breaches, at low noise always", () => {
    const breachS = 7200 + 900;
    for (let seed = 0; seed < 20; seed++) {
      const level = (t: number) => (t < 7200 ? 0.4 : 0.4 + (0.6 * (t - 7200)) / 900);
      const spoken = firstWord({ level, untilS: breachS, cv: 0.05, seed });
      expect(spoken?.verdict.trigger).toBe("trend");
      expect(spoken?.timeS).toBeGreaterThan(7200);
      expect(breachS - (spoken?.timeS ?? 0)).toBeGreaterThan(90);
      expect(spoken?.verdict.value).toBeGreaterThan(0.85 * 300);
      expect(spoken?.verdict.slopePerSecond).toBeGreaterThan(0);
    }
  });

  it("decides a step in 80 s on average at any cycle up to 30 s, and never later than 110 s", () => {
    for (const cycleS of [5, 10, 15, 30]) {
      let sum = 0;
      for (let seed = 0; seed < 10; seed++) {
        const onset = 3600 + (seed * cycleS) / 10;
        const spoken = firstWord({
          spec: { cycleS },
          level: (t) => (t < onset ? 0.4 : 2),
          untilS: 7200,
          cv: 0.05,
          seed,
        });
        expect(spoken?.timeS).toBeGreaterThanOrEqual(onset);
        expect((spoken?.timeS ?? Infinity) - onset).toBeLessThanOrEqual(110);
        sum += (spoken?.timeS ?? Infinity) - onset;
      }
      expect(sum / 10, `cycle ${cycleS} s`).toBeLessThanOrEqual(80);
    }
  });

  it("lets a blip of 45 s pass, whatever its phase and the cycle", () => {
    for (const cycleS of [5, 10, 15, 30]) {
      for (let phase = 0; phase < 30; phase += 2) {
        // A one-minute mean over a blip that lasts from 3600 s + phase.
        const start = 3600 + phase;
        const level = (t: number) => {
          const overlap = Math.min(t, start + 45) - Math.max(t - 60, start);
          return 0.4 + (2.5 * Math.max(0, overlap)) / 60;
        };
        const spoken = firstWord({ spec: { cycleS }, level, untilS: 5400, cv: 0.02, seed: phase });
        expect(spoken, `cycle ${cycleS} s, phase ${phase} s`).toBeUndefined();
      }
    }
  });

  it("does not alarm after a start, nor in healthy hours", () => {
    let alarms = 0;
    for (const cv of [0.05, 0.1, 0.2, 0.4]) {
      for (let seed = 0; seed < 50; seed++) {
        if (firstWord({ level: () => 0.5, untilS: 1.7e9 + 3600, cv, seed, fromS: 1.7e9 })) alarms++;
      }
    }
    expect(alarms).toBeLessThanOrEqual(1);
  });

  it("warms up to the same state as having lived it", () => {
    const lived = createTrendBank([SPEC]);
    const warmed = createTrendBank([SPEC]);
    const factor = noise(3, 0.2);
    const history = Array.from({ length: 200 }, (_, k) => ({
      timeS: 30 * k,
      value: 150 * factor(),
      support: 90,
    }));
    for (const sample of history) {
      pushSample(lived, 0, sample);
      evaluate(lived, 0, sample.timeS);
    }
    for (const sample of history) pushSample(warmed, 0, sample);
    expect(warmed.state).toEqual(lived.state);
    expect(evaluate(warmed, 0, 5970).trigger).toBeUndefined();
  });

  it("asks more at strict and less at eager", () => {
    const required = (["strict", "default", "eager"] as const).map(
      (s) => trendSettings("latency", s).filter.probability,
    );
    expect(required[0]).toBeGreaterThan(required[1] as number);
    expect(required[1]).toBeGreaterThan(required[2] as number);
    const level = (t: number) => (t < 7200 ? 0.4 : 0.4 + (0.6 * (t - 7200)) / 1200);
    const at = (sensitivity: TrendSpec["sensitivity"]) =>
      firstWord({ spec: { sensitivity }, level, untilS: 9000, cv: 0.1, seed: 5 })?.timeS ?? Infinity;
    expect(at("eager")).toBeLessThanOrEqual(at("default"));
    expect(at("default")).toBeLessThanOrEqual(at("strict"));
  });
});

describe("trend predictor: probability", () => {
  it("is about the frequency with which the level really exceeds the margin", () => {
    // Truth as the filter supposes it: steady, then a ramp of random slope from a random time on.
    const { filter } = trendSettings("latency", "default");
    const spec = { ...SPEC, rateWindowS: 0 };
    const bins = [0.1, 0.3, 0.5, 0.7, 0.9].map((middle) => ({ middle, n: 0, hits: 0, sum: 0 }));
    for (let seed = 0; seed < 600; seed++) {
      const normal = normals(seed);
      const base = 0.45;
      const onset = 3600 + 1200 * (seed / 600);
      const slope = filter.slopeSpread * normal();
      const level = (t: number) => Math.max(0.05, base + slope * Math.max(0, t - onset));
      const bank = createTrendBank([spec]);
      for (let t = 0; t < 6000; t += 30) {
        pushSample(bank, 0, { timeS: t, value: 300 * level(t) * Math.exp(0.2 * normal() - 0.02) });
        if (t < onset || level(t) > 1) continue;
        const verdict = evaluate(bank, 0, t);
        const bin = bins[Math.min(4, Math.floor(verdict.probability * 5))] as (typeof bins)[number];
        bin.n++;
        bin.sum += verdict.probability;
        if (level(t + 180) * 300 > verdict.margin) bin.hits++;
      }
    }
    for (const bin of bins) {
      expect(bin.n).toBeGreaterThan(60);
      expect(Math.abs(bin.hits / bin.n - bin.sum / bin.n), `bin at ${bin.middle}`).toBeLessThan(0.2);
    }
    const frequencies = bins.map((b) => b.hits / b.n);
    expect([...frequencies].sort((a, b) => a - b)).toEqual(frequencies);
  });

  it("gives an interval that holds the level about nine times in ten", () => {
    let inside = 0;
    let n = 0;
    for (let seed = 0; seed < 60; seed++) {
      const bank = createTrendBank([{ ...SPEC, rateWindowS: 0 }]);
      const normal = normals(1000 + seed);
      for (let t = 0; t < 7200; t += 30) {
        pushSample(bank, 0, { timeS: t, value: 150 * Math.exp(0.2 * normal() - 0.02) });
        if (t < 3600 || t % 300 !== 0) continue;
        const { low, high } = evaluate(bank, 0, t);
        n++;
        if (low <= 150 && 150 <= high) inside++;
      }
    }
    expect(inside / n).toBeGreaterThan(0.85);
  });
});

describe("trend predictor: what the monitor knows besides the curve", () => {
  it("is less sure when few requests are behind a P95", () => {
    const at = (support: number | undefined) => {
      const bank = createTrendBank([SPEC]);
      const factor = noise(7, 0.05);
      for (let t = 0; t < 3600; t += 30)
        pushSample(bank, 0, { timeS: t, value: 120 * factor(), support: 5000 });
      for (let t = 3600; t < 4200; t += 30) {
        pushSample(bank, 0, { timeS: t, value: (120 + 0.3 * (t - 3600)) * factor(), support });
      }
      return evaluate(bank, 0, 4170);
    };
    const many = at(5000);
    const few = at(4);
    expect(few.probability).toBeLessThan(many.probability);
    expect(at(undefined).probability).toBeGreaterThan(few.probability);
    expect(many.trigger).toBe("trend");
    expect(few.trigger).toBeUndefined();
  });

  it("does not take one error in two requests for an outage, but three hundred in six hundred", () => {
    const ratio = { ...SPEC, kind: "ratio" as const, slo: 0.05, limit: 0.5 };
    const speaks = (support: number, errors: number) => {
      const bank = createTrendBank([ratio]);
      for (let t = 0; t < 7200; t += 30) pushSample(bank, 0, { timeS: t, value: 0, support });
      for (let t = 7200; t < 7350; t += 30) {
        pushSample(bank, 0, { timeS: t, value: errors / support, support });
        if (evaluate(bank, 0, t).trigger !== undefined) return true;
      }
      return false;
    };
    expect(speaks(2, 1)).toBe(false);
    expect(speaks(600, 300)).toBe(true);
  });

  it("learns that a swing which turned back is usual here, and keeps that over a reset", () => {
    const bank = createTrendBank([SPEC]);
    const factor = noise(9, 0.05);
    const margin = () => evaluate(bank, 0, 0).margin;
    for (let t = 0; t < 3600; t += 30) pushSample(bank, 0, { timeS: t, value: 105 * factor() });
    const before = margin();
    for (let t = 3600; t < 10_800; t += 30) {
      const level = 0.35 + 0.45 * (0.5 - 0.5 * Math.cos((2 * Math.PI * t) / 3600));
      pushSample(bank, 0, { timeS: t, value: 300 * level * factor() });
    }
    expect(margin()).toBeGreaterThan(before + 5);
    const learned = margin();
    resetSeries(bank, 0);
    expect(margin()).toBeCloseTo(learned, 6);
  });

  it("waits longer while traffic rises along with the level", () => {
    const marginAfter = (growth: number) => {
      const bank = createTrendBank([SPEC]);
      const factor = noise(11, 0.05);
      for (let t = 0; t < 6000; t += 30) {
        const rise = Math.max(0, t - 4500) / 1500;
        pushSample(bank, 0, {
          timeS: t,
          value: 300 * (0.4 + 0.35 * rise) * factor(),
          support: 600 * (1 + growth * rise),
        });
      }
      return evaluate(bank, 0, 5970).margin;
    };
    expect(marginAfter(1)).toBeCloseTo(300, 6);
    expect(marginAfter(0)).toBeLessThan(290);
  });

  it("takes a service that always runs high for what it is", () => {
    let alarms = 0;
    for (let seed = 0; seed < 10; seed++) {
      if (firstWord({ level: () => 0.8, untilS: 6 * 3600, cv: 0.1, seed })) alarms++;
    }
    expect(alarms).toBe(0);
  });
});

describe("trend predictor: after a mitigation", () => {
  it("forgets the ramp, keeps the noise, and starts again from few samples", () => {
    const bank = createTrendBank([SPEC]);
    const factor = noise(4, 0.1);
    let t = 0;
    for (; t < 7200; t += 30) pushSample(bank, 0, { timeS: t, value: 120 * factor() });
    while (evaluate(bank, 0, t).trigger === undefined && t < 9000) {
      pushSample(bank, 0, { timeS: t, value: (120 + 0.2 * (t - 7200)) * factor() });
      t += 30;
    }
    expect(t).toBeLessThan(8100);
    const noiseBefore = evaluate(bank, 0, t).noise;
    resetSeries(bank, 0);
    expect(evaluate(bank, 0, t)).toMatchObject({
      sampleCount: 0,
      noTriggerReason: "insufficient_samples",
      noise: noiseBefore,
    });
    const end = t + 3600;
    for (; t < end; t += 30) {
      pushSample(bank, 0, { timeS: t, value: 120 * factor() });
      expect(evaluate(bank, 0, t).trigger).toBeUndefined();
    }
  });
});
