import { describe, expect, it } from "vitest";
import { createScoreBank, type ScoreBank } from "./bank.ts";
import { judgement } from "./judgement.ts";
import { noteForecast, noteSample } from "./note.ts";
import { live, uniform, type World } from "./score.testkit.ts";
import { summary } from "./summary.ts";

const RIGHT = { hours: 36, size: 1, shared: false, memoryS: 900, sloZ: 1, spread: 1, bias: 0 };

/** Verdicts heard over a world's life, asked every ten minutes, and the last. */
function heard(world: World) {
  const seen = new Set<string>();
  const bank = live(world, (b, hour) => {
    if (Number.isInteger(hour * 6)) seen.add(judgement(b, 0, 0).verdict);
  });
  return { seen, last: judgement(bank, 0, 0), bank };
}

/** One series whose forecasts say `p` while `hit` decides the outcome; one block is 720 s. */
function constant(options: {
  p: number;
  blocks: number;
  hit: (block: number, series: number) => boolean;
  series?: number;
}): ScoreBank {
  const size = options.series ?? 1;
  const bank = createScoreBank({
    size,
    predictors: [{ name: "w" }],
    groups: ["g"],
    groupOf: new Int32Array(size),
    horizonS: 180,
    cycleS: 30,
  });
  for (let t = 0; t < options.blocks * 720; t += 30)
    for (let i = 0; i < size; i++) {
      noteSample(bank, i, { timeS: t, value: options.hit(Math.floor(t / 720), i) ? 2 : 0.5, slo: 1 });
      noteForecast(bank, i, 0, { madeS: t, dueS: t + 180, probability: options.p });
    }
  return bank;
}

describe("judgement", () => {
  it("asked in every cycle is the one that a bank gives which was never asked before", () => {
    for (const world of [
      { ...RIGHT, hours: 12, seed: 3 },
      { ...RIGHT, hours: 12, seed: 4, bias: 1.5, size: 3 },
    ]) {
      const reasons = new Set<string>();
      live(world, (bank) => {
        const asked = judgement(bank, 0, 0);
        expect(asked).toEqual(judgement(structuredClone(bank), 0, 0));
        reasons.add(asked.reason);
      });
      expect(reasons.size).toBeGreaterThan(1);
    }
  });

  it("is not reckoned anew before a block closes", () => {
    let asked = 0;
    const given = new Set<unknown>();
    live({ ...RIGHT, hours: 6, seed: 5 }, (bank) => {
      asked += 1;
      given.add(judgement(bank, 0, 0));
    });
    // A block is 24 cycles of 30 s long.
    expect(given.size).toBeLessThanOrEqual(Math.ceil(asked / 24) + 1);
    expect(given.size).toBeGreaterThan(20);
  });

  it("never calls a calibrated predictor poor, however its series behave, and nearly always ends by calling it good", () => {
    const worlds = [
      { memoryS: 600 },
      { memoryS: 3600 },
      { memoryS: 21_600 },
      { sloZ: 2 },
      { sloZ: 0 },
      { size: 10, hours: 12 },
      { size: 10, hours: 12, shared: true, sloZ: 2 },
    ];
    let good = 0;
    for (const world of worlds)
      for (let seed = 1; seed <= 8; seed++) {
        const { seen, last } = heard({ ...RIGHT, ...world, seed });
        expect(seen, `seed ${seed} of ${JSON.stringify(world)}: ${last.detail}`).not.toContain("poor");
        if (last.verdict === "good") good++;
      }
    // One series alone may remain uncertain.
    expect(good).toBeGreaterThanOrEqual(0.9 * 8 * worlds.length);
  });

  it("tells the overconfident by their coverage", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { seen, last, bank } = heard({ ...RIGHT, spread: 0.4, seed });
      expect(seen).not.toContain("good");
      expect(last.verdict, last.detail).toBe("poor");
      expect(last.coverage?.estimate).toBeLessThan(-0.25);
      expect(summary(bank, 0).coverage).toBeLessThan(0.65);
    }
  });

  it("tells the biased by their probability, and the error in numbers", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { last, bank } = heard({ ...RIGHT, memoryS: 600, bias: 1.2, seed });
      expect(last, last.detail).toMatchObject({ verdict: "poor", reason: "probability_off" });
      const { calibrationError } = summary(bank, 0);
      expect(last.probability?.estimate).toBeGreaterThan(0.15);
      expect(calibrationError).toBeGreaterThan(0.15);
    }
  });

  it("is not fooled by quiet forecasts when the few that speak are wrong", () => {
    const right = live({ ...RIGHT, size: 5, sloZ: 2, seed: 3 });
    const wrong = live({ ...RIGHT, size: 5, sloZ: 2, bias: 1, seed: 3 });
    expect(judgement(right, 0, 0).spoken?.estimate).toBeLessThan(0.1);
    const { probability, spoken, verdict } = judgement(wrong, 0, 0);
    expect(probability?.estimate).toBeLessThan(0.1);
    expect(spoken?.estimate).toBeGreaterThan(0.2);
    expect(spoken?.z).toBeGreaterThan(4);
    expect(verdict).toBe("poor");
  });

  it("says unknown on few samples, even when every single forecast was wrong", () => {
    for (const series of [1, 200]) {
      const bank = constant({ p: 0.9, blocks: 20, hit: () => false, series });
      expect(summary(bank, 0).calibrationError).toBeCloseTo(0.9, 9);
      expect(judgement(bank, 0, 0)).toMatchObject({ verdict: "unknown", reason: "too_few" });
    }
    const later = constant({ p: 0.9, blocks: 30, hit: () => false });
    expect(judgement(later, 0, 0)).toMatchObject({ verdict: "poor", reason: "probability_off" });
  });

  it("takes a day's one long incident over many series as one piece of luck, not as thousands", () => {
    // 2 % said for each moment, and two blocks out of fifty in which all fifty series failed together.
    const bank = constant({ p: 0.02, blocks: 50, hit: (b) => b === 30 || b === 31, series: 50 });
    const { verdict, probability, detail } = judgement(bank, 0, 0);
    expect(verdict, detail).not.toBe("poor");
    expect(Math.abs(probability?.z ?? Number.NaN)).toBeLessThan(2);
    expect(probability?.forecasts).toBeGreaterThan(10_000);
  });

  it("counts series that fail together as one, block by block", () => {
    for (let seed = 1; seed <= 6; seed++) {
      const next = uniform(seed);
      const coins = Array.from({ length: 60 }, () => next() < 0.5);
      const bank = constant({ p: 0.5, blocks: 60, hit: (b) => coins[b] === true, series: 30 });
      const { probability, verdict } = judgement(bank, 0, 0);
      expect(Math.abs(probability?.z ?? Number.NaN), `seed ${seed}`).toBeLessThan(4);
      expect(verdict).not.toBe("poor");
    }
  });

  it("does not take the absence of an unlikely event for proof, however evenly it is absent", () => {
    // 15 % said, nothing in 25 blocks: of a calibrated predictor that happens one time in sixty.
    const bank = constant({ p: 0.15, blocks: 26, hit: () => false });
    const { probability, verdict } = judgement(bank, 0, 0);
    expect(probability?.estimate).toBeGreaterThan(0.1);
    expect(probability?.blocks).toBeGreaterThan(20);
    expect(probability?.z).toBeLessThan(3);
    expect(verdict).toBe("unknown");
  });

  it("lets pass what is certain but small", () => {
    // 45 % said, in every block 40 of 100 series come true.
    const bank = constant({ p: 0.45, blocks: 40, hit: (b, i) => (7 * b + i) % 20 < 8, series: 100 });
    const { probability, verdict, detail } = judgement(bank, 0, 0);
    expect(probability?.estimate).toBeCloseTo(0.05, 2);
    expect(probability?.z).toBeGreaterThan(4);
    expect(verdict, detail).toBe("good");
  });

  it("forgets: a predictor that mends its ways is good again", () => {
    const p = 0.9;
    const bad = constant({ p, blocks: 40, hit: () => false });
    expect(judgement(bad, 0, 0).verdict).toBe("poor");
    for (let t = 40 * 720; t < 400 * 720; t += 30) {
      const hit = Math.floor(t / 720) % 10 !== 0;
      noteSample(bad, 0, { timeS: t, value: hit ? 2 : 0.5, slo: 1 });
      noteForecast(bad, 0, 0, { madeS: t, dueS: t + 180, probability: p });
    }
    expect(judgement(bad, 0, 0).verdict).not.toBe("poor");
    expect(summary(bad, 0).calibrationError).toBeLessThan(0.05);
  });

  it("holds it against nobody that an interval is a little wide, and says when there is nothing to judge", () => {
    const { last } = heard({ ...RIGHT, hours: 24, spread: 1.4, sloZ: 6, seed: 1 });
    expect(last.coverage?.estimate).toBeGreaterThan(0.05);
    expect(last.verdict, last.detail).toBe("good");
    const empty = constant({ p: 0.5, blocks: 0, hit: () => false });
    expect(judgement(empty, 0, 0)).toMatchObject({
      verdict: "unknown",
      reason: "too_few",
      probability: undefined,
      coverage: undefined,
      detail: "no probability scored yet; none of 0.1 or more; no interval scored yet",
    });
  });
});
