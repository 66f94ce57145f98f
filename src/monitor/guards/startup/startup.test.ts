import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { factsOf, guardSettings, machine, questionOf, stored } from "../guards.testkit.ts";
import { admission, countStart, freshGuards, resumeGuards } from "../index.ts";
import { startupFinding } from "./index.ts";

const MINUTE = 60_000;
const settings = guardSettings();

/** A monitor that starts after each of the pauses given, and the state it has then. */
function starting(pausesMs: readonly number[], how: "restart" | "reboot" = "restart") {
  const host = machine();
  let state = countStart(freshGuards(host.bootId), host.now());
  for (const ms of pausesMs) {
    if (how === "reboot") host.reboot(ms);
    else host.wait(ms);
    state = resumeGuards(stored(state), { settings, now: host.now(), bootId: host.bootId });
    state = countStart(state, host.now());
  }
  const held = () => admission(questionOf(), factsOf(host.now(), { state })).blocked;
  return { host, state, held };
}

describe("start-up hold", () => {
  it("does not hold after one start, or two", () => {
    expect(starting([]).held()).toBeUndefined();
    expect(starting([MINUTE]).held()).toBeUndefined();
    expect(startupFinding([], settings.startup, { wallMs: 0, monoMs: 0 })).toBeUndefined();
  });

  it.each(["restart", "reboot"] as const)(
    "holds after the third %s in ten minutes, until five quiet ones",
    (how) => {
      const { host, held } = starting([MINUTE, MINUTE], how);
      expect(held()).toEqual({
        guard: "startup_hold",
        target: "product-api",
        untilMs: host.now().wallMs + 5 * MINUTE,
        detail: "3 starts within 10 min: it acts again after 5 min without another",
      });
      host.wait(5 * MINUTE - 1);
      expect(held()).toBeDefined();
      host.wait(1);
      expect(held()).toBeUndefined();
    },
  );

  it.each(["restart", "reboot"] as const)("does not hold after %ss that are far apart", (how) => {
    expect(starting([8 * MINUTE, 8 * MINUTE, 8 * MINUTE, 8 * MINUTE], how).held()).toBeUndefined();
  });

  it("counts a start of another boot that the clock puts into the future: the clock was set back", () => {
    const host = machine();
    let state = countStart(freshGuards(host.bootId), host.now());
    for (const _ of [1, 2]) {
      host.reboot(1000);
      host.setWall(-86_400_000);
      state = resumeGuards(stored(state), { settings, now: host.now(), bootId: host.bootId });
      state = countStart(state, host.now());
    }
    expect(admission(questionOf(), factsOf(host.now(), { state })).blocked?.guard).toBe("startup_hold");
  });

  it("in any crash loop nothing acts until it has run quietly, and the memory stays small", () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 4 * MINUTE }), { minLength: 3, maxLength: 150 });
    fc.assert(
      fc.property(pauses, fc.integer({ min: 0, max: 6 * MINUTE }), (ms, runsMs) => {
        const { host, state, held } = starting(ms);
        host.wait(runsMs);
        expect(held() !== undefined).toBe(runsMs < 5 * MINUTE);
        expect(state.starts.length).toBeLessThanOrEqual(100);
      }),
    );
  });
});
