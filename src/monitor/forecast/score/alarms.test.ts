import { describe, expect, it } from "vitest";
import { noteAlarm } from "./alarms.ts";
import { createScoreBank, type ScoreBank } from "./bank.ts";
import { LEADS } from "./layout.ts";
import { forget, noteSample } from "./note.ts";
import { summary } from "./summary.ts";

const slo = 300;

function create(): ScoreBank {
  return createScoreBank({
    size: 1,
    predictors: [{ name: "linear" }, { name: "trend" }],
    groups: ["p95_latency"],
    groupOf: [0],
    horizonS: 180,
    cycleS: 30,
  });
}

/** A value every 30 s, lasting `cycles`; in the cycles named the trend predictor triggers, or an action is made. */
function play(
  bank: ScoreBank,
  script: { from: number; cycles: number; value: number; alarm?: boolean; act?: boolean }[],
): void {
  for (const part of script)
    for (let k = 0; k < part.cycles; k++) {
      const timeS = part.from + 30 * k;
      noteSample(bank, 0, { timeS, value: part.value, slo });
      if (part.alarm === true) noteAlarm(bank, 0, 1, { timeS });
      if (part.act === true) forget(bank, 0);
    }
}

function figures(bank: ScoreBank) {
  return summary(bank, 1).alarms;
}

const NONE = { true: 0, false: 0, unknowable: 0, late: 0 };

describe("alarms", () => {
  it("that a breach follows are true, with the lead from the first trigger", () => {
    const bank = create();
    play(bank, [
      { from: 0, cycles: 2, value: 100 },
      { from: 60, cycles: 5, value: 250, alarm: true },
      { from: 210, cycles: 4, value: 400, alarm: true },
    ]);
    expect(figures(bank)).toMatchObject({ ...NONE, true: 1, meanLeadS: 150, medianLeadS: 150 });
    expect(figures(bank)).toMatchObject({ breachesAnnounced: 1, breachesUnannounced: 0 });
    expect(summary(bank, 0).alarms).toMatchObject({ ...NONE, breachesAnnounced: 0, breachesUnannounced: 1 });
  });

  it("that nothing follows are false once, however long they nag", () => {
    const bank = create();
    play(bank, [
      { from: 0, cycles: 2, value: 100 },
      { from: 60, cycles: 13, value: 250, alarm: true },
    ]);
    // The window of two horizons includes its end.
    expect(figures(bank)).toMatchObject(NONE);
    play(bank, [{ from: 450, cycles: 40, value: 250, alarm: true }]);
    expect(figures(bank)).toMatchObject({ ...NONE, false: 1, meanLeadS: undefined, medianLeadS: undefined });
    // A breach long after is not what it foretold.
    play(bank, [{ from: 1650, cycles: 1, value: 400 }]);
    expect(figures(bank)).toMatchObject({ ...NONE, false: 1, breachesUnannounced: 1 });
  });

  it("count anew after a pause of a horizon", () => {
    const bank = create();
    play(bank, [
      { from: 0, cycles: 1, value: 100, alarm: true },
      { from: 30, cycles: 20, value: 100 },
      { from: 630, cycles: 1, value: 100, alarm: true },
      { from: 660, cycles: 20, value: 100 },
    ]);
    expect(figures(bank)).toMatchObject({ ...NONE, false: 2 });
  });

  it("are late when the breach is there already, once a breach", () => {
    const bank = create();
    play(bank, [
      { from: 0, cycles: 2, value: 100 },
      { from: 60, cycles: 10, value: 400, alarm: true },
    ]);
    expect(figures(bank)).toMatchObject({ ...NONE, late: 1, breachesUnannounced: 1, breachesAnnounced: 0 });
  });

  it("are late when the sample they came with turns out to be above", () => {
    const bank = create();
    noteSample(bank, 0, { timeS: 0, value: 100, slo });
    noteAlarm(bank, 0, 1, { timeS: 40 });
    noteSample(bank, 0, { timeS: 35, value: 400, slo });
    expect(figures(bank)).toMatchObject({ ...NONE, late: 1, breachesUnannounced: 1 });
  });

  it("that were acted on are unknowable, and so is what follows the action", () => {
    const bank = create();
    play(bank, [
      { from: 0, cycles: 2, value: 100 },
      { from: 60, cycles: 1, value: 280, alarm: true, act: true },
      { from: 90, cycles: 1, value: 400 },
      { from: 120, cycles: 30, value: 100 },
    ]);
    expect(figures(bank)).toMatchObject({ ...NONE, unknowable: 1 });
    expect(figures(bank)).toMatchObject({ breachesUnknowable: 1, breachesUnannounced: 0 });
    play(bank, [{ from: 1020, cycles: 1, value: 400 }]);
    expect(figures(bank)).toMatchObject({ breachesUnknowable: 1, breachesUnannounced: 1 });
  });

  it("are unknowable where samples are missing, and no onset is seen across a gap", () => {
    const bank = create();
    play(bank, [
      { from: 0, cycles: 2, value: 250, alarm: true },
      { from: 300, cycles: 1, value: 400 },
      { from: 330, cycles: 30, value: 100 },
    ]);
    expect(figures(bank)).toMatchObject({ ...NONE, unknowable: 1 });
    expect(figures(bank)).toMatchObject({
      breachesAnnounced: 0,
      breachesUnannounced: 0,
      breachesUnknowable: 0,
    });
  });

  it("know no onset in a series that begins above its SLO", () => {
    const bank = create();
    play(bank, [{ from: 0, cycles: 9, value: 400 }]);
    expect(figures(bank)).toMatchObject({ ...NONE, breachesUnannounced: 0 });
  });

  it("take a flicker about the SLO as one breach", () => {
    const bank = create();
    play(bank, [{ from: 0, cycles: 1, value: 100 }]);
    for (let k = 0; k < 10; k++)
      play(bank, [{ from: 30 + 30 * k, cycles: 1, value: k % 2 === 0 ? 310 : 290 }]);
    expect(figures(bank).breachesUnannounced).toBe(1);
  });

  it("keep the leads of the newest true alarms only, with their mean and median", () => {
    const bank = create();
    const leads: number[] = [];
    for (let k = 0; k < LEADS + 7; k++) {
      const from = 3600 * k;
      const lead = 30 * (1 + ((k * 5) % 11));
      leads.push(lead);
      play(bank, [
        { from, cycles: 4, value: 100 },
        { from: from + 120, cycles: 1, value: 250, alarm: true },
        { from: from + 150, cycles: lead / 30 - 1, value: 250 },
        { from: from + 120 + lead, cycles: 1, value: 400 },
        { from: from + 150 + lead, cycles: 10, value: 100 },
      ]);
    }
    const newest = leads.slice(-LEADS).sort((a, b) => a - b);
    const got = figures(bank);
    expect(got).toMatchObject({ ...NONE, true: LEADS + 7, breachesAnnounced: LEADS + 7 });
    expect(got.meanLeadS).toBeCloseTo(newest.reduce((a, b) => a + b) / LEADS, 9);
    expect(got.medianLeadS).toBe(((newest[LEADS / 2] as number) + (newest[LEADS / 2 - 1] as number)) / 2);
  });
});
