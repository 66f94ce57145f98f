import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Before, VerificationOutcome } from "../kernel/verification.ts";
import { judge, judgeByAlert } from "./judge.ts";
import { feed } from "./verification.ts";
import { fed, past, verificationOf, verificationSettings } from "./verify.testkit.ts";

const MAX_SAMPLES = 120;
const settings = verificationSettings();
const END = 300_000;
const flat = (value: number) => Array.from({ length: 10 }, () => value);
const ramp = (from: number, perSample: number) => Array.from({ length: 10 }, (_, n) => from + n * perSample);

function outcome(values: readonly number[], before?: Before) {
  const v = verificationOf(before === undefined ? {} : { before });
  return judge(fed(v, values), past(END), settings);
}

describe("acted on after the SLO of 300 was passed (900 before)", () => {
  it.each<[VerificationOutcome, string, number[]]>([
    ["recovered", "back below the exit threshold", flat(200)],
    ["recovered", "on its way down and there in time", ramp(800, -80)],
    ["recovered", "back, with one outlier in the middle", [900, 850, 400, 200, 200, 200, 990, 200, 200, 200]],
    ["improved", "half of the excess is gone", flat(600)],
    ["improved", "between exit and SLO: the hysteresis is not passed", flat(290)],
    [
      "improved",
      "came down, and climbs past the SLO again",
      [...flat(100).slice(5), 100, 150, 200, 240, 260],
    ],
    ["ineffective", "no different", flat(880)],
    ["ineffective", "a tenth better is noise", flat(840)],
    ["worse", "clearly above what it was", flat(1200)],
    ["worse", "went on climbing", ramp(900, 60)],
  ])("%s: %s", (wanted, _what, values) => {
    const judged = outcome(values);
    expect(judged.outcome, judged.detail).toBe(wanted);
  });

  it("tells the numbers", () => {
    expect(outcome(flat(200))).toEqual({
      outcome: "recovered",
      detail: "900 before, 200 after, not rising; SLO 300, exit 270",
      samples: 10,
      before: 900,
      after: 200,
      slopePerSecond: 0,
      projected: 200,
    });
  });
});

describe("acted on before the SLO was passed (250 before, rising by 1 a second, 430 forecast)", () => {
  const before: Before = { value: 250, forecast: 430, slopePerSecond: 1 };
  it.each<[VerificationOutcome, string, number[]]>([
    ["recovered", "fell", flat(100)],
    ["recovered", "stays where it was and rises no more", flat(260)],
    ["recovered", "rises a little, towards far below the exit", ramp(60, 6)],
    ["recovered", "stands between exit and SLO without rising", flat(285)],
    ["improved", "rises slower, not past the SLO within the horizon", ramp(225, 4)],
    ["improved", "rises at less than three quarters of the pace, past the SLO", ramp(150, 15)],
    ["ineffective", "rises on as before", ramp(80, 24)],
    ["ineffective", "the breach came, as the old course would have had it", ramp(280, 30)],
    ["worse", "the breach came, far above the old course", ramp(280, 120)],
    ["worse", "a jump", flat(2000)],
  ])("%s: %s", (wanted, _what, values) => {
    const judged = outcome(values, before);
    expect(judged.outcome, `${judged.detail} ${judged.slopePerSecond}`).toBe(wanted);
  });

  it("without a level from before judges by where it is now", () => {
    expect(outcome(flat(100), {}).outcome).toBe("recovered");
    expect(outcome(flat(900), {})).toMatchObject({
      outcome: "ineffective",
      detail: "unknown before, 900 after, not rising; SLO 300, exit 270",
    });
  });

  it("tells what had been forecast", () => {
    expect(outcome(ramp(150, 15), before).detail).toMatch(
      /^250 before \(430 forecast\), 255 after, rising towards 375;/,
    );
  });
});

describe("the evidence", () => {
  it("is pending until the window is over, unless it has to be judged now", () => {
    const v = fed(verificationOf(), flat(200).slice(4));
    expect(judge(v, past(END - 1), settings)).toMatchObject({
      outcome: "pending",
      detail: "6 samples so far, judged in 1 s",
    });
    expect(judge(v, past(181_000), settings, true).outcome).toBe("recovered");
  });

  it("that is not there is inconclusive, never recovered", () => {
    expect(judge(verificationOf(), past(END), settings)).toEqual({
      outcome: "inconclusive",
      detail: "0 of the 3 samples from after the action that a verdict needs",
      samples: 0,
      before: 900,
    });
    expect(outcome([200, 200]).outcome).toBe("inconclusive");
    expect(outcome([200, 200, 200])).toMatchObject({
      outcome: "inconclusive",
      detail: "no sample in the last 4 min",
    });
    expect(judge(verificationOf(), past(1), settings, true).outcome).toBe("inconclusive");
  });

  it("of two samples, where that is enough, is their level, and no trend", () => {
    const v = fed(verificationOf(), [100, 280], 120_000);
    expect(judge(v, past(END), { ...settings, minSamples: 2 })).toMatchObject({
      outcome: "recovered",
      after: 190,
      slopePerSecond: 0,
      detail: "900 before, 190 after, not rising; SLO 300, exit 270",
    });
  });

  it("is only what was sampled after the action, one rate window later where one is behind the value", () => {
    const plain = verificationOf();
    expect(feed(plain, { value: 1, ageMs: 30_000 }, past(30_000)).samples).toHaveLength(0);
    expect(feed(plain, { value: 1, ageMs: 29_999 }, past(30_000)).samples).toHaveLength(1);
    const windowed = fed(verificationOf({ rateWindowMs: 60_000 }), flat(200));
    expect(windowed.samples.map((s) => s.monoMs - 1_000_000)).toEqual(
      [90, 120, 150, 180, 210, 240, 270, 300].map((s) => s * 1000),
    );
  });

  it("leaves out sampleProblem, the future, what is after the window, and a timestamp that stands still", () => {
    const v = verificationOf();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1])
      expect(feed(v, { value, ageMs: 0 }, past(1000))).toBe(v);
    expect(feed(v, { value: 1, ageMs: -5000 }, past(1000))).toBe(v);
    expect(feed(v, { value: 1, ageMs: 0 }, past(END + 1))).toBe(v);
    const once = feed(v, { value: 1, ageMs: 0 }, past(1000));
    expect(feed(once, { value: 1, ageMs: 30_000 }, past(31_000))).toBe(once);
    expect(feed(once, { value: 1, ageMs: 500 }, past(1000))).toBe(once);
  });

  it("is bounded, and has time enough for the samples that a verdict needs", () => {
    const many = fed(
      verificationOf(),
      Array.from({ length: 300 }, (_, n) => n),
      1000,
    );
    expect(many.samples).toHaveLength(MAX_SAMPLES);
    expect(many.samples.at(-1)?.value).toBe(299);
    const short = verificationOf({ rateWindowMs: 60_000, settings: { windowMs: 1000 } });
    expect(short.untilMonoMs - short.fromMonoMs).toBe(120_000);
  });
});

const RANK: Record<string, number> = { recovered: 3, improved: 2, ineffective: 1, worse: 0 };
const value = fc.integer({ min: 0, max: 2000 });
const beforeArb: fc.Arbitrary<Before> = fc.record(
  { value, forecast: value, slopePerSecond: fc.double({ min: -5, max: 5, noNaN: true }) },
  { requiredKeys: [] },
);

describe("the verdict", () => {
  it("without samples from after the action is inconclusive, whatever is fed", () => {
    const sample = fc.record({
      value: fc.double(),
      ageMs: fc.integer({ min: 0, max: 1e7 }),
      atMs: fc.integer({ min: 0, max: 1e6 }),
    });
    fc.assert(
      fc.property(fc.array(sample), beforeArb, (samples, before) => {
        let v = verificationOf({ before });
        for (const s of samples) v = feed(v, { value: s.value, ageMs: s.ageMs + s.atMs }, past(s.atMs));
        expect(judge(v, past(END), settings).outcome).toBe("inconclusive");
      }),
    );
  });

  it("is never worse where every sample is lower", () => {
    const samples = fc.array(value, { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(samples, beforeArb, fc.nat(500), (values, before, by) => {
        const lower = values.map((x) => x + by);
        const high = judge(fed(verificationOf({ before }), lower), past(END), settings);
        const low = judge(fed(verificationOf({ before }), values), past(END), settings);
        // Where the course leads exactly to a threshold, rounding decides.
        fc.pre([270, 300].every((level) => Math.abs((high.projected ?? 0) - level) > 1e-6));
        expect(RANK[low.outcome]).toBeGreaterThanOrEqual(RANK[high.outcome] as number);
      }),
      { numRuns: 3000 },
    );
  });

  it("never says recovered of a level above the SLO, nor worse of one within it", () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 3, maxLength: 10 }), beforeArb, (values, before) => {
        const judged = judge(fed(verificationOf({ before }), values), past(END), settings);
        if ((judged.after ?? 0) > 300) expect(judged.outcome).not.toBe("recovered");
        if ((judged.after ?? 1e9) <= 300 && (before.value ?? 0) <= 300 && (values.at(-1) ?? 0) <= 300)
          expect(judged.outcome).not.toBe("worse");
        expect(judged.detail).not.toMatch(/NaN|undefined|Infinity/);
      }),
      { numRuns: 3000 },
    );
  });

  it("does not depend on the wall clock, and survives being stored", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 10 }), beforeArb, (values, before) => {
        const v = fed(verificationOf({ before }), values);
        const now = past(END);
        const judged = judge(v, now, settings);
        expect(judge(JSON.parse(JSON.stringify(v)), { ...now, wallMs: 0 }, settings)).toEqual(judged);
      }),
    );
  });
});

describe("by an alert", () => {
  const look = (alert: Parameters<typeof judgeByAlert>[0]["alert"], ms = END) =>
    judgeByAlert({ alert, effectMonoMs: 1_000_000, untilMonoMs: 1_000_000 + END, now: past(ms) }).outcome;
  it.each([
    ["recovered", { status: "resolved" as const, receivedMonoMs: 1_000_001 }, 10],
    ["pending", { status: "firing" as const, receivedMonoMs: 1_000_001 }, END - 1],
    ["ineffective", { status: "firing" as const, receivedMonoMs: 1_000_001 }, END],
    ["inconclusive", { status: "firing" as const, receivedMonoMs: 1_000_000 }, END],
    ["inconclusive", { status: "resolved" as const, receivedMonoMs: 999_999 }, END],
    ["inconclusive", undefined, END],
    ["pending", undefined, 0],
  ])("%s of %j after %d ms", (wanted, alert, ms) => {
    expect(look(alert, ms)).toBe(wanted);
  });
});
