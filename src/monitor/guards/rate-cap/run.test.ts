import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit, releaseRun } from "../../cycle/admit.ts";
import { getOrCreateTargetState } from "../../cycle/execute/state.ts";
import type { Question } from "../guard.ts";
import { guardSettings, loopOf, partyOf, questionOf } from "../guards.testkit.ts";
import { freshGuards } from "../index.ts";
import type { CapSettings } from "./budget.ts";
import { budgetLeft } from "./budget.ts";

const MINUTE = 60_000;
const at = (monoMs: number) => ({ monoMs, wallMs: 1_760_000_000_000 + monoMs });

/** A monitor with so many places for each target and for the fleet, within ten minutes. */
function bed({ target = 5, fleet = 5 }: { target?: number; fleet?: number } = {}) {
  const cap = (actions: number): CapSettings => ({ actions, windowMs: 10 * MINUTE });
  const loop = loopOf(freshGuards("b"), guardSettings({ targetCap: cap(target), fleetCap: cap(fleet) }));
  let now = at(0);
  return {
    loop,
    wait(ms: number) {
      now = at(now.monoMs + ms);
    },
    ask(run: string, asker: string, callees: readonly string[], over: Partial<Question> = {}) {
      const parties = callees.map((name) => partyOf(name));
      return admit({ state: loop, ports: {} }, questionOf(asker, { run, callees: parties, ...over }), now);
    },
    left(scope?: string, shadow = false) {
      const { targetCap, fleetCap } = loop.settings.guards;
      const budget = { state: loop.admit.guards, scope, shadow, now };
      return budgetLeft({ ...budget, cap: scope === undefined ? fleetCap : targetCap });
    },
  };
}

describe("a run that is let through", () => {
  it("takes a place of the fleet's budget for each that it calls, and one of each party's own", () => {
    const { ask, left } = bed();
    expect(ask("r", "shop", ["cache", "gateway", "gateway"])).toBeUndefined();
    expect(left()).toBe(3);
    expect(["shop", "cache", "gateway", "other"].map((name) => left(name))).toEqual([4, 4, 4, 5]);
  });

  it("that heals its asker alone takes one of each", () => {
    const { ask, left } = bed();
    ask("r", "shop", ["shop"]);
    expect([left(), left("shop")]).toEqual([4, 4]);
  });

  it("takes them once: not again at its later steps, nor for taking it back", () => {
    const { ask, left } = bed();
    ask("r", "shop", ["cache", "gateway"]);
    expect(ask("r", "shop", ["gateway"], { continues: true })).toBeUndefined();
    expect(ask("r", "shop", ["gateway"], { continues: true, cause: "undo" })).toBeUndefined();
    expect(ask("r", "shop", ["cache", "gateway"])).toBeUndefined();
    expect([left(), left("shop"), left("gateway")]).toEqual([3, 4, 4]);
  });

  it("takes none at a step that goes on with a run whose places are free again, as an intent found open", () => {
    const { ask, left } = bed();
    expect(ask("r", "shop", ["gateway"], { continues: true })).toBeUndefined();
    expect([left(), left("shop"), left("gateway")]).toEqual([5, 5, 5]);
  });

  it("is not held by its own places, where any other run is", () => {
    const { ask } = bed({ target: 1, fleet: 2 });
    expect(ask("r", "shop", ["cache", "gateway"])).toBeUndefined();
    expect(ask("r", "shop", ["cache", "gateway"])).toBeUndefined();
    expect(ask("s", "shop", ["x"])).toMatchObject({ guard: "rate_cap_target", target: "shop" });
    expect(ask("s", "other", ["x"])).toMatchObject({ guard: "rate_cap_fleet", target: "other" });
  });

  it("gives them back when it never acted, and nobody else's", () => {
    const { ask, left, loop } = bed();
    ask("r", "shop", ["cache", "gateway"]);
    ask("s", "shop", ["shop"]);
    releaseRun(loop, "r");
    expect([left(), left("shop"), left("gateway")]).toEqual([4, 4, 5]);
    releaseRun(loop, "never");
    expect(left()).toBe(4);
  });

  it("only imagined takes the budget of imagined ones, and finds the real ones used", () => {
    const { ask, left } = bed({ target: 2 });
    expect(ask("r", "shop", ["shop"], { shadow: true })).toBeUndefined();
    expect([left("shop"), left("shop", true)]).toEqual([2, 1]);
    expect(ask("s", "shop", ["shop"])).toBeUndefined();
    expect([left("shop"), left("shop", true)]).toEqual([1, 0]);
    expect(ask("t", "shop", ["shop"], { shadow: true })?.guard).toBe("rate_cap_target");
    expect(ask("u", "shop", ["shop"])).toBeUndefined();
  });
});

describe("a run for which there is not room enough", () => {
  it("in the fleet's budget takes nothing, waits for as many places as it needs, and says so", () => {
    const { ask, left, wait } = bed({ fleet: 3 });
    ask("r", "a", ["a"]);
    wait(MINUTE);
    ask("s", "b", ["b"]);
    expect(ask("t", "shop", ["cache", "gateway"])).toEqual({
      guard: "rate_cap_fleet",
      target: "shop",
      untilMs: at(10 * MINUTE).wallMs,
      detail: "2 of 3 actions over all targets within 10 min are used up",
    });
    expect(ask("t", "shop", ["cache", "gateway", "x"])?.untilMs).toBe(at(11 * MINUTE).wallMs);
    expect([left(), left("shop"), left("gateway")]).toEqual([1, 5, 5]);
    expect(ask("u", "shop", ["gateway"])).toBeUndefined();
  });

  it("ever says so, without an end that never comes", () => {
    const { ask, wait } = bed({ fleet: 1 });
    const wanted = {
      guard: "rate_cap_fleet",
      target: "shop",
      detail: "2 actions at once are more than the 1 allowed over all targets within 10 min",
    };
    expect(ask("r", "shop", ["cache", "gateway"])).toEqual(wanted);
    wait(60 * MINUTE);
    expect(ask("r", "shop", ["cache", "gateway"])).toEqual(wanted);
  });

  it.each(["shop", "cache", "gateway"])("in the budget of %s takes nothing of the others'", (full) => {
    const { ask, left } = bed({ target: 1 });
    ask("r", full, [full]);
    expect(ask("s", "shop", ["cache", "gateway"])).toMatchObject({ guard: "rate_cap_target", target: full });
    const names = ["shop", "cache", "gateway"];
    expect(names.map((name) => left(name))).toEqual(names.map((name) => (name === full ? 0 : 1)));
    expect(left()).toBe(4);
  });

  it("never takes more than there is, over any runs, steps and releases", () => {
    const names = ["a", "b", "c", "d"];
    const event = fc.record({
      asker: fc.constantFrom(...names),
      callees: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
      continues: fc.boolean(),
      waitMs: fc.integer({ min: 0, max: 4 * MINUTE }),
      release: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const { ask, wait, loop } = bed({ target: 2, fleet: 4 });
        let placed: { run: string; ms: number; parties: readonly string[]; places: number }[] = [];
        let ms = 0;
        for (const [n, { asker, callees, continues, waitMs, release }] of events.entries()) {
          ms += waitMs;
          wait(waitMs);
          const run = `r-${n}`;
          if (ask(run, asker, callees) !== undefined) continue;
          if (continues) expect(ask(run, asker, [callees.at(-1) as string], { continues })).toBeUndefined();
          const parties = [...new Set([asker, ...callees])];
          placed.push({ run, ms, parties, places: new Set(callees).size });
          if (release) {
            releaseRun(loop, run);
            placed = placed.filter((p) => p.run !== run);
          }
          const recent = placed.filter((p) => ms - p.ms < 10 * MINUTE);
          expect(recent.reduce((sum, p) => sum + p.places, 0)).toBeLessThanOrEqual(4);
          for (const name of names)
            expect(recent.filter((p) => p.parties.includes(name)).length).toBeLessThanOrEqual(2);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("the fleet's last places", () => {
  /** One that was acted on a minute ago asks, while others wait. */
  function asking(others: readonly string[], callees: readonly string[] = ["shop"]) {
    const { ask, loop, wait } = bed({ fleet: 3 });
    for (const name of ["x", "y"]) ask(`of ${name}`, name, [name]);
    wait(MINUTE);
    getOrCreateTargetState(loop, "shop").lastActionMonoMs = -5 * MINUTE;
    let asked = 0;
    const targets = () => {
      asked += 1;
      return others;
    };
    const blocked = ask("r", "shop", callees, { waiting: { most: others.length, targets } });
    return { blocked, asked };
  }

  it("are left to whom waits and was acted on longer ago", () => {
    expect(asking(["late"]).blocked).toEqual({
      guard: "rate_cap_fleet",
      target: "shop",
      detail: "1 of 3 actions over all targets within 10 min left, for late first, acted on longer ago",
    });
  });

  it("are its own where nobody waits, or it calls one that nobody has called", () => {
    expect(asking([])).toEqual({ blocked: undefined, asked: 0 });
    expect(asking(["late"], ["cache"]).blocked).toBeUndefined();
  });

  it("cost no question about the others while there is room for all", () => {
    const { ask } = bed({ fleet: 3 });
    const targets = () => {
      throw new Error("asked for");
    };
    expect(ask("r", "shop", ["shop"], { waiting: { most: 2, targets } })).toBeUndefined();
  });
});
