import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { factsOf, guardSettings, machine, questionOf, stored } from "../guards.testkit.ts";
import { admission, applyCalendar, freshGuards, resumeGuards } from "../index.ts";
import { createPause, pauseFinding } from "./index.ts";

const HOUR = 3_600_000;
const settings = guardSettings();

describe("pause", () => {
  it("holds everything until it is lifted, and says by whom and why, on one line", () => {
    const host = machine();
    const pause = createPause({ by: "ana", reason: "incident\n42" }, host.now());
    const state = { ...freshGuards(host.bootId), pause };
    const look = () => admission(questionOf(), factsOf(host.now(), { state })).blocked;
    expect(look()).toEqual({
      guard: "paused",
      target: "product-api",
      detail: "by ana since 2025-10-09T08:53:20Z: incident 42",
    });
    host.wait(365 * 24 * HOUR);
    expect(look()?.guard).toBe("paused");
    expect(pauseFinding(undefined, host.now())).toBeUndefined();
  });

  it("with an end is over on time by the monotonic clock, whatever the other one does", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 * HOUR }),
        fc.integer({ min: -1e10, max: 1e10 }),
        (forMs, jump) => {
          const host = machine();
          const pause = createPause({ by: "ana", reason: "r", forMs }, host.now());
          host.wait(forMs - 1);
          host.setWall(jump);
          expect(pauseFinding(pause, host.now())?.untilMs).toBe(host.now().wallMs + 1);
          host.wait(1);
          expect(pauseFinding(pause, host.now())).toBeUndefined();
        },
      ),
    );
  });

  it("that is over is forgotten by the next look at the clocks", () => {
    const host = machine();
    const pause = createPause({ by: "ana", reason: "r", forMs: HOUR }, host.now());
    const state = { ...freshGuards(host.bootId), pause };
    expect(applyCalendar(state, settings, host.now()).pause).toEqual(pause);
    host.wait(HOUR);
    expect(applyCalendar(state, settings, host.now())).not.toHaveProperty("pause");
  });

  it.each([
    ["is still paused for what is left", 10 * 60_000, 0, 50 * 60_000],
    ["is not paused for longer than at first when the clock was set back", 0, -24 * HOUR, HOUR],
    ["is over when the calendar says so", 2 * HOUR, 0, undefined],
  ])("after a reboot it %s", (_name, downMs, jumpMs, leftMs) => {
    const host = machine();
    const pause = createPause({ by: "ana", reason: "r", forMs: HOUR }, host.now());
    host.reboot(downMs);
    host.setWall(jumpMs);
    const before = stored({ ...freshGuards("boot-1"), pause });
    const { pause: after } = resumeGuards(before, { settings, now: host.now(), bootId: host.bootId });
    expect(after === undefined ? undefined : (after.untilMonoMs ?? 0) - host.now().monoMs).toBe(leftMs);
  });

  it("without an end outlasts a reboot", () => {
    const host = machine();
    const pause = createPause({ by: "ana", reason: "r" }, host.now());
    host.reboot(HOUR);
    const before = stored({ ...freshGuards("boot-1"), pause });
    expect(resumeGuards(before, { settings, now: host.now(), bootId: host.bootId }).pause).toEqual(pause);
  });
});
