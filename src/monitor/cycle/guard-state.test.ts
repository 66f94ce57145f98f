import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GuardState } from "../guards/guard.ts";
import { guardSettings } from "../guards/guards.testkit.ts";
import { advanceGuards, freshGuards } from "../guards/index.ts";
import { createPause } from "../guards/pause/index.ts";
import { lasting, lastsTheSame } from "./admit.ts";

const MINUTE = 60_000;

/** One cycle of four targets, of which some are at risk. */
function cycle(state: GuardState, n: number, sick: readonly boolean[]): GuardState {
  const settings = guardSettings({
    silences: [
      {
        ...{ id: "s", author: "ana", reason: "r", target: "*", signal: "*", action: "*" },
        startsAtMs: 5 * MINUTE,
        endsAtMs: 9 * MINUTE,
      },
    ],
  });
  const targets = sick.map((atRisk, i) => ({
    target: `t-${i}`,
    atRisk,
    signals: [{ signal: "memory", status: "ok" as const }],
  }));
  return advanceGuards(state, { targets, settings, now: { wallMs: n * MINUTE, monoMs: n * MINUTE } });
}

describe("what lasts of the guards' memory", () => {
  it("counts as the same only where its text is the same", () => {
    const step = fc.record({
      sick: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
      pause: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let state = freshGuards("b");
        for (const [n, { sick, pause }] of steps.entries()) {
          const before = lasting(state);
          if (pause) {
            const now = { wallMs: n * MINUTE, monoMs: n * MINUTE };
            state = { ...state, pause: createPause({ by: "ana", reason: "r", forMs: MINUTE }, now) };
          }
          state = cycle(state, n, sick);
          const after = lasting(state);
          if (lastsTheSame(before, after)) expect(JSON.stringify(after)).toBe(JSON.stringify(before));
        }
      }),
    );
  });

  it("stays the same while nothing happens, and not when something does", () => {
    const calm = [false, false, false, false];
    let state = cycle(freshGuards("b"), 0, calm);
    for (let n = 1; n < 5; n += 1) {
      const next = cycle(state, n, calm);
      expect(lastsTheSame(lasting(state), lasting(next))).toBe(true);
      state = next;
    }
    const silenced = cycle(state, 5, calm);
    expect(lastsTheSame(lasting(state), lasting(silenced))).toBe(false);
    const sick = cycle(silenced, 6, [true, false, false, false]);
    expect(lastsTheSame(lasting(silenced), lasting(sick))).toBe(false);
    expect(lastsTheSame(lasting(sick), lasting({ ...sick, lostMonoMs: 1 }))).toBe(false);
    expect(lastsTheSame(lasting(sick), lasting({ ...sick, starts: [{ wallMs: 1, monoMs: 1 }] }))).toBe(false);
  });
});
