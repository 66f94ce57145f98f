import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StormState } from "../guard.ts";
import { guardSettings, stored } from "../guards.testkit.ts";
import { advanceStorm, CALM, exitShareOf, resumeStorm, stormFinding } from "./index.ts";

const MINUTE = 60_000;
const { storm: settings } = guardSettings();
const at = (monoMs: number) => ({ monoMs, wallMs: 1_760_000_000_000 + monoMs });

/** `+` at risk, `-` well, `?` unknown: one character a target. */
function see(state: StormState, picture: string, monoMs: number): StormState {
  const targets = [...picture].map((c, n) => ({
    target: `t-${n}`,
    atRisk: c === "?" ? undefined : c === "+",
  }));
  return advanceStorm({ state, targets, settings, now: at(monoMs) });
}

describe("storm hold", () => {
  it("begins when more than the share and at least three turn at risk within the window", () => {
    expect(see(CALM, "+++-------", 0).active).toBe(false);
    expect(see(CALM, "++++------", 0).active).toBe(true);
    const storm = see(CALM, "++++------", 0);
    expect(stormFinding(storm, settings, at(0))).toEqual({
      detail: "4 of 10 targets are unwell, it ends when at most 15 % are for 5 min",
    });
  });

  it.each(["", "+", "++"])("never begins in a fleet of fewer than three targets (%j)", (picture) => {
    expect(see(CALM, picture, 0).active).toBe(false);
  });

  it("begins in a fleet of three only when all of them turn", () => {
    expect(see(CALM, "++-", 0).active).toBe(false);
    expect(see(CALM, "+++", 0).active).toBe(true);
  });

  it("counts each target once, however often it flaps", () => {
    let state = CALM;
    for (let n = 0; n < 20; n++) state = see(state, n % 2 === 0 ? "++--" : "----", n * 10_000);
    expect(state.active).toBe(false);
    expect(state.turnedCount).toBe(2);
  });

  it("counts those that turn one after the other within the window, and not those that did long ago", () => {
    let quick = CALM;
    for (const [n, picture] of ["+---", "++--", "+++-"].entries()) quick = see(quick, picture, n * MINUTE);
    expect(quick.active).toBe(true);
    let slow = CALM;
    for (const [n, picture] of ["+---", "++--", "+++-"].entries()) slow = see(slow, picture, n * 3 * MINUTE);
    expect(slow.active).toBe(false);
  });

  it("goes on while they stay at risk, although nobody turns any more, and while they are unknown", () => {
    let state = see(CALM, "+++-", 0);
    for (let n = 1; n < 120; n++) state = see(state, n % 2 === 0 ? "+++-" : "????", n * MINUTE);
    expect(state.active).toBe(true);
    expect(stormFinding(state, settings, at(119 * MINUTE))?.untilMs).toBeUndefined();
  });

  it("goes on while nothing is known of those that were at risk", () => {
    let state = see(CALM, "+++-", 0);
    for (let n = 1; n < 120; n++) state = see(state, "????", n * MINUTE);
    expect(state).toMatchObject({ active: true, unwellCount: 3 });
    for (let n = 120; n < 131; n++) state = see(state, "----", n * MINUTE);
    expect(state.active).toBe(false);
  });

  it("ends only after an unbroken calm, and says until when", () => {
    let state = see(CALM, "+++-", 0);
    for (let n = 1; n <= 5; n++) state = see(state, "----", n * MINUTE);
    // The turns themselves have just left the window: calm begins now.
    expect(stormFinding(state, settings, at(5 * MINUTE))).toMatchObject({
      untilMs: at(10 * MINUTE).wallMs,
      detail: expect.stringContaining("0 of 4"),
    });
    state = see(state, "+---", 9 * MINUTE);
    expect(stormFinding(state, settings, at(9 * MINUTE))?.untilMs).toBeUndefined();
    for (let n = 10; n < 19; n++) {
      state = see(state, "----", n * MINUTE);
      expect(state.active, `minute ${n}`).toBe(true);
    }
    expect(see(state, "----", 19 * MINUTE).active).toBe(false);
  });

  it("is not left by dropping targets from the configuration until the rest is calm", () => {
    const storm = see(CALM, "+++-------", 0);
    const both = see(see(CALM, "++++++----", 0), "+++++", MINUTE);
    expect(storm.active).toBe(false);
    expect(both).toMatchObject({ active: true, unwellCount: 5, total: 5 });
  });

  it("outlasts a reboot, and its calm begins anew", () => {
    let state = see(CALM, "+++-", 0);
    for (let n = 1; n <= 8; n++) state = see(state, "----", n * MINUTE);
    expect(state.calmSinceMonoMs).toBeDefined();
    const resumed = resumeStorm(stored(state), at(7));
    expect(resumed).toMatchObject({ active: true, sinceMs: state.sinceMs });
    expect(resumed.calmSinceMonoMs).toBeUndefined();
  });

  it("cannot be left while above: whenever it ends, the whole calm period before was below the exit share", () => {
    const cycle = fc.record({
      ms: fc.integer({ min: 1000, max: 3 * MINUTE }),
      picture: fc.array(fc.constantFrom("+", "-", "-", "?"), { minLength: 8, maxLength: 8 }),
    });
    fc.assert(
      fc.property(fc.array(cycle, { maxLength: 80 }), (cycles) => {
        let state = CALM;
        let monoMs = 0;
        const sick = new Set<number>();
        let aboveAt = Number.NEGATIVE_INFINITY;
        for (const { ms, picture } of cycles) {
          monoMs += ms;
          for (const [n, c] of picture.entries()) {
            if (c === "+") sick.add(n);
            if (c === "-") sick.delete(n);
          }
          if (sick.size / 8 > exitShareOf(settings)) aboveAt = monoMs;
          const next = see(stored(state), picture.join(""), monoMs);
          if (state.active && !next.active) expect(monoMs - aboveAt).toBeGreaterThanOrEqual(settings.calmMs);
          if (!state.active && next.active) {
            expect(next.turnedCount).toBeGreaterThanOrEqual(settings.minTargets);
            expect(next.turnedCount / 8).toBeGreaterThan(settings.share);
          }
          state = next;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("always ends once all is well", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("++++----", "????????", "+-+-+-+-", "++++++++"), { maxLength: 20 }),
        (past) => {
          let state = CALM;
          for (const [n, picture] of past.entries()) state = see(state, picture, n * 30_000);
          for (let n = 0; n <= 21; n++) state = see(state, "--------", past.length * 30_000 + n * 30_000);
          expect(state.active).toBe(false);
        },
      ),
    );
  });
});
