import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unhelpfulInARow } from "../../kernel/attempts.ts";
import type { AttemptOutcome } from "../../kernel/verification.ts";
import { attemptOf, guardSettings } from "../guards.testkit.ts";
import { backoffFinding } from "./index.ts";

const MINUTE = 60_000;
const { backoff: settings } = guardSettings();
const attempts = (...outcomes: AttemptOutcome[]) =>
  outcomes.map((outcome, n) => attemptOf({ outcome, at: { wallMs: 0, monoMs: n * MINUTE } }));

/** How long after the last try it holds, minutes. */
function pause(...outcomes: AttemptOutcome[]): number {
  const past = attempts(...outcomes);
  const monoMs = (past.length - 1) * MINUTE;
  const now = { wallMs: 7, monoMs };
  const held = backoffFinding({ attempts: past, cooldownMs: 5 * MINUTE, settings, now });
  return held === undefined ? 0 : ((held.untilMs ?? Number.NaN) - 7) / MINUTE;
}

describe("backoff", () => {
  it("doubles with each action in a row that did not help, up to the cap", () => {
    expect(pause()).toBe(0);
    expect(pause("ineffective")).toBe(10);
    expect(pause("ineffective", "worse")).toBe(20);
    expect(pause("ineffective", "worse", "failed")).toBe(40);
    expect(pause("ineffective", "worse", "failed", "refused")).toBe(60);
    expect(pause(...Array.from({ length: 5000 }, () => "worse" as const))).toBe(60);
  });

  it("begins anew after one that helped, and an inconclusive one changes nothing", () => {
    expect(pause("worse", "worse", "recovered")).toBe(0);
    expect(pause("worse", "improved", "worse")).toBe(10);
    expect(pause("worse", "inconclusive")).toBe(9);
    expect(pause("inconclusive")).toBe(0);
  });

  it("tells the numbers, and is over on time", () => {
    const look = (monoMs: number) =>
      backoffFinding({
        attempts: attempts("worse"),
        cooldownMs: 5 * MINUTE,
        settings,
        now: { wallMs: 0, monoMs },
      });
    expect(look(0)).toEqual({
      untilMs: 10 * MINUTE,
      detail: "the last action did not help, so the pause is 10 min instead of 5 min",
    });
    expect(look(10 * MINUTE - 1)).toBeDefined();
    expect(look(10 * MINUTE)).toBeUndefined();
  });

  it("is never shorter than the cooldown, not even where that is above the cap, and never shrinks with a try more", () => {
    const bad = fc.array(fc.constantFrom("ineffective", "worse", "failed", "refused", "inconclusive"), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(bad, fc.integer({ min: 0, max: 300 }), (outcomes, cooldown) => {
        const left = (list: readonly string[]) => {
          const past = list.map((o) =>
            attemptOf({ outcome: o as AttemptOutcome, at: { wallMs: 0, monoMs: 0 } }),
          );
          const cooldownMs = cooldown * MINUTE;
          const held = backoffFinding({
            attempts: past,
            cooldownMs,
            settings,
            now: { wallMs: 0, monoMs: 0 },
          });
          return held?.untilMs ?? 0;
        };
        if (unhelpfulInARow(outcomes.map((o) => attemptOf({ outcome: o as AttemptOutcome }))).length > 0)
          expect(left(outcomes)).toBeGreaterThanOrEqual(cooldown * MINUTE);
        expect(left([...outcomes, "worse"])).toBeGreaterThanOrEqual(left(outcomes));
      }),
    );
  });
});
