import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit } from "../../cycle/admit.ts";
import type { ActionMark } from "../guard.ts";
import { guardSettings, loopOf, machine, markOf, questionOf, stored } from "../guards.testkit.ts";
import { freshGuards, lostGuards, resumeGuards } from "../index.ts";
import { budgetLeft, fairShare, rateCap, spend } from "./budget.ts";

const MINUTE = 60_000;
const at = (monoMs: number, wallMs = 1_760_000_000_000) => ({ monoMs, wallMs });
const cap = { actions: 2, windowMs: 10 * MINUTE };

function marks(...monoMs: number[]): { readonly actions: readonly ActionMark[] } {
  return { actions: monoMs.map((m) => markOf("a", { monoMs: m })) };
}

describe("rateCap", () => {
  it("holds when the window is full, and says until when and on which numbers", () => {
    const input = { state: marks(0, 60_000), cap, shadow: false, now: at(120_000) };
    expect(rateCap({ ...input, scope: "a" })).toEqual({
      untilMs: 1_760_000_000_000 + 480_000,
      detail: "2 of 2 actions on a within 10 min are used up",
    });
    expect(rateCap({ ...input, scope: undefined })).toMatchObject({
      detail: "2 of 2 actions over all targets within 10 min are used up",
    });
    expect(rateCap({ ...input, scope: "b" })).toBeUndefined();
    expect(budgetLeft({ ...input, scope: "b" })).toBe(2);
  });

  it("opens exactly when the oldest one that matters leaves the window", () => {
    const look = (monoMs: number) =>
      rateCap({ state: marks(0, 60_000), cap, scope: "a", shadow: false, now: at(monoMs) });
    expect(look(10 * MINUTE - 1)).toBeDefined();
    expect(look(10 * MINUTE)).toBeUndefined();
  });

  it("waits for enough of them where there are more than allowed, as after a reload with a smaller cap", () => {
    const held = rateCap({
      state: marks(0, 1000, 2000, 3000),
      cap,
      scope: "a",
      shadow: false,
      now: at(4000),
    });
    expect(held?.untilMs).toBe(1_760_000_000_000 + 2000 + 10 * MINUTE - 4000);
  });

  it("counts imagined actions against imagined ones only, and real ones against both", () => {
    let state = marks();
    const acted = (shadow: boolean) => spend(state, markOf("a", { monoMs: 1000, shadow }), cap.windowMs);
    state = acted(true);
    state = acted(true);
    const left = (shadow: boolean) => budgetLeft({ state, cap, scope: "a", shadow, now: at(2000) });
    expect([left(false), left(true)]).toEqual([2, 0]);
    state = acted(false);
    expect([left(false), left(true)]).toEqual([1, 0]);
  });

  it("counts as full for one window where earlier state was lost", () => {
    const lost = lostGuards("boot-1", at(5000));
    const look = (monoMs: number) =>
      rateCap({ state: lost, cap, scope: "a", shadow: false, now: at(monoMs) });
    expect(look(5000)).toMatchObject({ detail: expect.stringContaining("not known") });
    expect(look(5000 + 10 * MINUTE - 1)).toMatchObject({ untilMs: 1_760_000_000_001 });
    expect(look(5000 + 10 * MINUTE)).toBeUndefined();
    expect(budgetLeft({ state: lost, cap, scope: "a", shadow: false, now: at(6000) })).toBe(0);
  });

  it("keeps only marks that some cap still looks at", () => {
    let state = marks();
    for (let n = 0; n < 1000; n++) state = spend(state, markOf("a", { monoMs: n * MINUTE }), 600_000);
    expect(state.actions).toHaveLength(10);
  });
});

const TARGETS = ["a", "b", "c"] as const;

/** What can happen to a monitor and its machine between two wishes to act. */
const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("want" as const), target: fc.constantFrom(...TARGETS) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 4 * MINUTE }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("wall" as const), ms: fc.integer({ min: -1e9, max: 1e9 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("reboot" as const),
      ms: fc.integer({ min: 0, max: 4 * MINUTE }),
      uptimeMs: fc.integer({ min: 0, max: 1e8 }),
    }),
  },
);

let runs = 0;

/** Whether a new run by which `target` heals itself is let through; it takes its places. */
function admitted(loop: ReturnType<typeof loopOf>, now: ReturnType<typeof at>, target = "a"): boolean {
  runs += 1;
  return admit({ state: loop, ports: {} }, questionOf(target, { run: `run-${runs}` }), now) === undefined;
}

describe("never more than the cap", () => {
  it("in any window, over any history of waits, clock jumps, restarts and reboots", () => {
    const settings = guardSettings({
      targetCap: { actions: 2, windowMs: 10 * MINUTE },
      fleetCap: { actions: 3, windowMs: 5 * MINUTE },
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const host = machine();
        const loop = loopOf(freshGuards(host.bootId), settings);
        const done: { target: string; trueMs: number }[] = [];
        for (const e of events) {
          if (e.kind === "wait") host.wait(e.ms);
          else if (e.kind === "wall") host.setWall(e.ms);
          else if (e.kind === "restart" || e.kind === "reboot") {
            if (e.kind === "reboot") host.reboot(e.ms, e.uptimeMs);
            const context = { settings, now: host.now(), bootId: host.bootId };
            loop.admit.guards = resumeGuards(stored(loop.admit.guards), context);
          } else if (admitted(loop, host.now(), e.target))
            done.push({ target: e.target, trueMs: host.trueMs });
        }
        const within = (from: number, windowMs: number, target?: string) =>
          done.filter(
            (d) => d.trueMs >= from && d.trueMs < from + windowMs && (target ?? d.target) === d.target,
          ).length;
        for (const { trueMs, target } of done) {
          expect(within(trueMs, 5 * MINUTE)).toBeLessThanOrEqual(3);
          expect(within(trueMs, 10 * MINUTE, target)).toBeLessThanOrEqual(2);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("within one cycle either, however many want to act at once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), (count) => {
        const loop = loopOf(freshGuards("b"));
        const names = Array.from({ length: count }, (_, n) => `t-${n}`);
        expect(names.filter((name) => admitted(loop, at(0), name))).toHaveLength(Math.min(10, count));
      }),
    );
  });

  it.each([0, 1e9])("nor closed for longer than a window after a reboot, up for %d ms", (uptimeMs) => {
    const settings = guardSettings({ targetCap: { actions: 1, windowMs: 10 * MINUTE } });
    const host = machine();
    const loop = loopOf(freshGuards(host.bootId), settings);
    expect(admitted(loop, host.now())).toBe(true);
    host.reboot(MINUTE, uptimeMs);
    const context = { settings, now: host.now(), bootId: host.bootId };
    loop.admit.guards = resumeGuards(stored(loop.admit.guards), context);
    const open = () => admitted(loop, host.now());
    host.wait(10 * MINUTE - 1);
    expect(open()).toBe(false);
    host.wait(1);
    expect(open()).toBe(true);
  });

  it("and never less: without restarts an action is let through as soon as both windows allow it", () => {
    const settings = guardSettings({ targetCap: { actions: 1, windowMs: 10 * MINUTE } });
    const host = machine();
    const loop = loopOf(freshGuards(host.bootId), settings);
    let opened = 0;
    for (let n = 0; n < 600; n++) {
      if (admitted(loop, host.now())) opened += 1;
      host.wait(MINUTE);
    }
    expect(opened).toBe(60);
  });
});

describe("fairShare", () => {
  const fleet = { actions: 3, windowMs: 60 * MINUTE };
  const never = Number.NEGATIVE_INFINITY;
  const ask = (had: readonly string[], on: readonly string[], others: readonly string[]) =>
    fairShare(
      {
        state: { actions: had.map((target, monoMs) => markOf(target, { monoMs })) },
        cap: fleet,
        scope: undefined,
        shadow: false,
        now: at(MINUTE),
      },
      {
        on,
        waiting: { most: others.length, targets: () => others },
        lastMonoMs: (target) => (had.includes(target) ? had.lastIndexOf(target) : never),
      },
    );

  it("keeps the last place for one that was acted on longer ago, and names it", () => {
    expect(ask(["a", "a"], ["a"], ["b"])).toEqual({
      detail: "1 of 3 actions over all targets within 1 h left, for b first, acted on longer ago",
    });
    expect(ask(["b", "a"], ["a"], ["b"])).toMatchObject({ detail: expect.stringContaining("for b first") });
    expect(ask(["a", "a"], ["b"], ["a"])).toBeUndefined();
  });

  it("holds nobody where there is room for all, where nobody waited longer, or where nobody else asks", () => {
    expect(ask(["a"], ["a"], ["b"])).toBeUndefined();
    expect(ask([], ["a"], ["b", "c", "d"])).toBeUndefined();
    expect(ask(["a", "b"], ["a"], ["b"])).toBeUndefined();
    expect(ask(["a", "a"], ["a"], ["a"])).toBeUndefined();
    expect(ask(["a", "a"], ["a"], [])).toBeUndefined();
  });

  it("looks at the one that was acted on last where several are at once, and at a place for each", () => {
    expect(ask(["a"], ["a", "c"], ["b"])).toMatchObject({ detail: expect.stringContaining("2 of 3") });
    expect(ask(["a"], ["c", "b"], ["a"])).toBeUndefined();
  });

  it("lets nobody of a crowd wait for more than one window each, whoever is asked first", () => {
    const names = ["a", "b", "c", "d"];
    const crowd = fc.record({
      actions: fc.integer({ min: 1, max: 4 }),
      order: fc.shuffledSubarray(names, { minLength: names.length }),
    });
    const longestWait = ({ actions, order }: { actions: number; order: readonly string[] }) => {
      const cap = { actions, windowMs: 10 * MINUTE };
      const last = new Map<string, number>();
      let longestMs = 0;
      let state = marks();
      for (let cycle = 0; cycle < 200; cycle += 1) {
        const now = at(cycle * MINUTE);
        const waiting = new Set(order);
        for (const target of order) {
          longestMs = Math.max(longestMs, now.monoMs - (last.get(target) ?? 0));
          waiting.delete(target);
          const budget = { state, cap, scope: undefined, shadow: false, now };
          const lastMonoMs = (of: string) => last.get(of) ?? never;
          if (rateCap(budget)) continue;
          const others = { most: waiting.size, targets: () => [...waiting] };
          if (fairShare(budget, { on: [target], waiting: others, lastMonoMs })) continue;
          state = spend(state, markOf(target, { monoMs: now.monoMs }), cap.windowMs);
          last.set(target, now.monoMs);
        }
      }
      return longestMs;
    };
    fc.assert(
      fc.property(crowd, (given) => {
        expect(longestWait(given)).toBeLessThanOrEqual(names.length * 10 * MINUTE);
      }),
    );
  });
});
