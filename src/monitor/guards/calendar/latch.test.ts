import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { machine, stored } from "../guards.testkit.ts";
import { advanceLatch, type Latch, latchedUntil, resumeLatch } from "./latch.ts";

const HOUR = 3_600_000;
const at = (wallH: number, monoH: number) => ({ wallMs: wallH * HOUR, monoMs: monoH * HOUR });
/** From 10 to 12 o'clock. */
const WINDOW = { startMs: 10 * HOUR, endMs: 12 * HOUR };

function look(latch: Latch | undefined, now: { wallMs: number; monoMs: number }) {
  const inside = WINDOW.startMs <= now.wallMs && now.wallMs < WINDOW.endMs ? WINDOW : undefined;
  const next = advanceLatch(latch, inside, now);
  const until = latchedUntil(next, inside, now);
  return {
    latch: next,
    holds: next?.holding === true,
    untilH: until === undefined ? undefined : until / HOUR,
  };
}

describe("a calendar hold", () => {
  it("holds exactly from start to end on a clock that is left alone", () => {
    let latch: Latch | undefined;
    const held: number[] = [];
    for (let h = 9; h < 13; h += 0.25) {
      const seen = look(latch, at(h, h - 9));
      latch = seen.latch;
      if (seen.holds) held.push(h);
      if (seen.holds) expect(seen.untilH).toBeCloseTo(3);
    }
    expect(held[0]).toBe(10);
    expect(held.at(-1)).toBe(11.75);
  });

  it("is not cut short by a clock set forward", () => {
    const begun = look(undefined, at(10, 1));
    const jumped = look(begun.latch, at(34, 1.5));
    expect(jumped).toMatchObject({ holds: true, untilH: 3 });
    expect(look(jumped.latch, at(35.5, 3)).holds).toBe(false);
  });

  it("is not ended by a clock set back before its start, and waits for its true start afterwards", () => {
    const begun = look(undefined, at(10.5, 1));
    const back = look(begun.latch, at(-13, 2));
    expect(back).toMatchObject({ holds: true, untilH: 2.5 });
    const over = look(back.latch, at(-12, 3));
    expect(over).toMatchObject({ holds: false, latch: undefined });
    expect(look(over.latch, at(10, 25)).holds).toBe(true);
  });

  it("is prolonged by a clock set back within it, by one length at most", () => {
    let seen = look(undefined, at(10, 0));
    for (let h = 0; h < 4; h += 0.5) {
      expect(seen.holds, `after ${h} h`).toBe(true);
      seen = look(seen.latch, at(10.5, h + 0.5));
    }
    expect(seen.holds).toBe(false);
    expect(look(seen.latch, at(11, 9)).holds).toBe(false);
  });

  it("does not begin anew when the clock is set back into it after its end, beyond what that allows", () => {
    let latch = look(undefined, at(10, 0)).latch;
    latch = look(latch, at(12.5, 2.5)).latch;
    expect(look(latch, at(10.5, 2.6)).holds).toBe(true);
    expect(look(latch, at(10.5, 4.1)).holds).toBe(false);
  });

  it("after a reboot asks the calendar, and where the clock has lost years lasts its length once", () => {
    const { latch } = look(undefined, at(10.5, 50));
    expect(resumeLatch(latch as Latch, at(11, 0.1))).toBeUndefined();
    const lost = resumeLatch(latch as Latch, at(-300_000, 0.1));
    expect(look(lost, at(-299_999, 1.1)).holds).toBe(true);
    expect(look(lost, at(-299_997.8, 2.2)).holds).toBe(false);
  });

  it("whatever the clocks do: once begun it lasts what was left of it, and never more than a length longer", () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: HOUR }) }),
      fc.record({ kind: fc.constant("wall" as const), ms: fc.integer({ min: -40 * HOUR, max: 40 * HOUR }) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const host = machine();
        const startMs = host.now().wallMs;
        const window = { startMs, endMs: startMs + 2 * HOUR };
        let latch = advanceLatch(undefined, window, host.now());
        let begunAt = 0;
        let least = 2 * HOUR;
        for (const e of events) {
          if (e.kind === "wait") host.wait(e.ms);
          else host.setWall(e.ms);
          const now = host.now();
          const inside = now.wallMs >= window.startMs && now.wallMs < window.endMs ? window : undefined;
          const before = latch;
          latch = advanceLatch(latch && stored(latch), inside, now);
          if (before === undefined && latch !== undefined) {
            begunAt = host.trueMs;
            least = window.endMs - now.wallMs;
          }
          const age = host.trueMs - begunAt;
          if (latch !== undefined && age < least) expect(latch.holding).toBe(true);
          if (latch?.holding === true) expect(age).toBeLessThan(least + 2 * HOUR);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
