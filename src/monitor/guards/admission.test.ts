import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GUARD_HOLDS } from "../kernel/decision.ts";
import type { GuardState, ObservedTarget } from "./guard.ts";
import {
  admit,
  advanceGuards,
  applyCalendar,
  freshGuards,
  gate,
  guardReport,
  lostGuards,
  resumeGuards,
  withActions,
} from "./index.ts";
import { createPause } from "./pause.ts";
import { contextOf, escalationOf, guardSettings, machine, stored, subjectOf, tryOf } from "./testbed.ts";

const MINUTE = 60_000;

function observed(targets: number, over: Partial<ObservedTarget> = {}): ObservedTarget[] {
  return Array.from({ length: targets }, (_, n) => ({
    target: n === 0 ? "product-api" : `t-${n}`,
    atRisk: false,
    signals: [{ signal: "memory", status: "ok" as const }],
    ...over,
  }));
}

/** Every guard closed at once. */
function besieged(host = machine()) {
  const now = host.now();
  const everything = { target: "*", signal: "*", action: "*", reason: "r" };
  const settings = guardSettings({
    silences: [
      { ...everything, id: "s", author: "a", startsAtMs: now.wallMs, endsAtMs: now.wallMs + MINUTE },
    ],
    maintenance: [
      {
        ...everything,
        name: "m",
        when: { kind: "once", startsAtMs: now.wallMs, endsAtMs: now.wallMs + MINUTE },
      },
    ],
  });
  const start = { wallMs: now.wallMs, monoMs: now.monoMs };
  let state: GuardState = {
    ...freshGuards(host.bootId),
    starts: [start, start, start],
    pause: createPause({ by: "ana", reason: "r" }, now),
    actions: Array.from({ length: 10 }, () => ({ target: "product-api", monoMs: now.monoMs, shadow: false })),
  };
  const broken = [
    { signal: "memory", status: "ok" as const },
    { signal: "backlog", status: "stale" as const },
    { signal: "error_rate", status: "invalid" as const },
  ];
  state = advanceGuards(state, { targets: observed(4, { atRisk: true, signals: broken }), settings, now });
  const past = () => ({ tries: [tryOf({ at: now })], escalation: escalationOf() });
  return { state, context: contextOf(now, { settings, past }), host };
}

describe("gate", () => {
  it("is open where nothing holds", () => {
    expect(gate(freshGuards("b"), subjectOf(), contextOf({ wallMs: 0, monoMs: 0 }))).toEqual({
      open: true,
      hold: undefined,
      all: [],
    });
  });

  it("tells all that hold, in the documented order, and the first as the reason", () => {
    const { state, context } = besieged();
    const { open, hold, all } = gate(state, subjectOf(), context);
    expect(all.map((h) => h.hold)).toEqual(GUARD_HOLDS);
    expect(open).toBe(false);
    expect(hold).toBe(all[0]);
    for (const h of all) expect(h.detail).toMatch(/^\S.*\S$/);
  });

  it("never holds an undo, whatever else is closed, and an undo costs no budget", () => {
    const { state, context } = besieged();
    const undo = subjectOf("product-api", { undo: true });
    expect(gate(state, undo, context).open).toBe(true);
    const after = admit(state, [undo, undo], context);
    expect(after.gated.map((g) => g.open)).toEqual([true, true]);
    expect(after.state.actions).toEqual(state.actions);
  });

  it("says the same of a state that has been stored", () => {
    const { state, context } = besieged();
    expect(gate(stored(state), subjectOf(), context)).toEqual(gate(state, subjectOf(), context));
  });
});

describe("resumeGuards", () => {
  it("changes nothing under the same boot", () => {
    const { state, context } = besieged();
    expect(resumeGuards(state, { ...context, bootId: "boot-1" })).toBe(state);
  });

  it("after a reboot opens nothing: what was closed by the past still is", () => {
    const { state, context, host } = besieged();
    host.reboot(1000);
    const now = host.now();
    let next = resumeGuards(stored(state), { settings: context.settings, now, bootId: host.bootId });
    next = applyCalendar(next, context.settings, now);
    const held = gate(next, subjectOf(), { ...context, now }).all.map((h) => h.hold);
    // What the data was like belongs to the cycle that saw it; tries and escalations are resumed with the healing state.
    expect(held).toEqual(
      expect.arrayContaining(GUARD_HOLDS.filter((g) => !/data|backoff|escalated/.test(g))),
    );
    expect(next.bootId).toBe(host.bootId);
  });

  it("keeps a silence that held where the new clock says that it has not begun: that clock is wrong", () => {
    const host = machine();
    const { wallMs } = host.now();
    const all = { target: "*", signal: "*", action: "*", author: "a", reason: "r" };
    const settings = guardSettings({
      silences: [{ ...all, id: "s", startsAtMs: wallMs - MINUTE, endsAtMs: wallMs + MINUTE }],
    });
    const state = applyCalendar(freshGuards(host.bootId), settings, host.now());
    host.reboot(1000);
    const now = { ...host.now(), wallMs: wallMs - 60 * MINUTE };
    const resumed = resumeGuards(stored(state), { settings, now, bootId: host.bootId });
    const next = applyCalendar(resumed, settings, now);
    expect(gate(next, subjectOf(), contextOf(now, { settings })).hold?.hold).toBe("silenced");
    const later = { wallMs: now.wallMs + 2 * MINUTE, monoMs: now.monoMs + 2 * MINUTE };
    expect(gate(applyCalendar(next, settings, later), subjectOf(), contextOf(later, { settings })).open).toBe(
      true,
    );
  });

  it("keeps a loss of state as one", () => {
    const host = machine();
    const lost = lostGuards(host.bootId, host.now());
    host.reboot(1000);
    const next = resumeGuards(stored(lost), {
      settings: guardSettings(),
      now: host.now(),
      bootId: host.bootId,
    });
    expect(next.lostMonoMs).toBe(host.now().monoMs);
  });

  it("takes actions from the journal in any order", () => {
    const mark = (monoMs: number) => ({ target: "a", monoMs, shadow: false });
    expect(withActions(freshGuards("b"), [mark(3), mark(1), mark(2)]).actions.map((a) => a.monoMs)).toEqual([
      1, 2, 3,
    ]);
  });
});

describe("guardReport", () => {
  it("tells what holds, what is left and who is escalated", () => {
    const now = { wallMs: 0, monoMs: 0 };
    const calm = guardReport(freshGuards("b"), [{ target: "a", cooldownMs: 0 }], {
      ...contextOf(now),
      shadow: false,
    });
    expect(calm).toEqual({
      holding: [],
      budgets: [
        { scope: "fleet", left: 10 },
        { scope: "target:a", left: 4 },
      ],
      escalated: [{ target: "a", escalated: false }],
      paused: false,
      storm: false,
    });
    const { state, context } = besieged();
    const busy = guardReport(state, [{ target: "product-api", cooldownMs: 5 * MINUTE }], {
      ...context,
      shadow: false,
    });
    expect(busy).toMatchObject({
      holding: GUARD_HOLDS,
      paused: true,
      storm: true,
      escalated: [{ escalated: true }],
    });
    expect(busy.budgets.map((b) => b.left)).toEqual([0, 0]);
  });

  it("names what the gate says of any target", () => {
    const { state, context } = besieged();
    const parts = fc.record({
      pause: fc.boolean(),
      starts: fc.boolean(),
      storm: fc.boolean(),
      data: fc.boolean(),
      actions: fc.integer({ min: 0, max: 10 }),
      calendar: fc.boolean(),
      past: fc.boolean(),
      afterMs: fc.integer({ min: 0, max: 90 * MINUTE }),
    });
    fc.assert(
      fc.property(parts, (p) => {
        const fresh = freshGuards(state.bootId);
        const { pause, ...rest } = state;
        const part: GuardState = {
          ...rest,
          ...(p.pause && pause !== undefined ? { pause } : {}),
          starts: p.starts ? state.starts : [],
          storm: p.storm ? state.storm : fresh.storm,
          data: p.data ? state.data : fresh.data,
          actions: state.actions.slice(0, p.actions),
          calendar: p.calendar ? state.calendar : [],
        };
        const { wallMs, monoMs } = context.now;
        const now = { wallMs: wallMs + p.afterMs, monoMs: monoMs + p.afterMs };
        const known = p.past ? context.past("product-api") : undefined;
        const at = { ...context, now, past: (t: string) => (t === "product-api" ? known : undefined) };
        const targets = ["product-api", "other"].map((target) => ({ target, cooldownMs: 5 * MINUTE }));
        const { holding } = guardReport(part, targets, { ...at, shadow: false });
        const asked = targets.flatMap(({ target }) => gate(part, subjectOf(target), at).all);
        expect(holding).toEqual(GUARD_HOLDS.filter((name) => asked.some((h) => h.hold === name)));
      }),
    );
  });

  it("shows a silence of a single signal as holding too", () => {
    const now = { wallMs: 1000, monoMs: 0 };
    const silence = {
      id: "s",
      target: "a",
      signal: "memory",
      action: "*",
      author: "x",
      reason: "r",
      startsAtMs: 0,
      endsAtMs: 5000,
    };
    const settings = guardSettings({ silences: [silence] });
    const state = applyCalendar(freshGuards("b"), settings, now);
    const report = (at: typeof now) =>
      guardReport(state, [{ target: "a", cooldownMs: 0 }], {
        ...contextOf(at, { settings }),
        shadow: false,
      });
    expect(report(now).holding).toEqual(["silenced"]);
    // Asked between two looks at the clocks, when it is over.
    expect(report({ wallMs: now.wallMs + 5000, monoMs: now.monoMs + 5000 }).holding).toEqual([]);
  });
});

describe("a cycle", () => {
  it("keeps plain data only, whatever it sees", () => {
    const status = fc.constantFrom("ok" as const, "missing" as const, "stale" as const);
    const target = fc.record({
      target: fc.constantFrom("a", "b", "c", "d"),
      atRisk: fc.constantFrom(true, false, undefined),
      signals: fc.array(fc.record({ signal: fc.constantFrom("x", "y"), status }), { maxLength: 2 }),
    });
    const fleet = fc.uniqueArray(target, { selector: (t) => t.target });
    fc.assert(
      fc.property(fc.array(fleet, { maxLength: 20 }), (cycles) => {
        let state = freshGuards("b");
        for (const [n, targets] of cycles.entries()) {
          const now = { wallMs: n * 30_000, monoMs: n * 30_000 };
          state = advanceGuards(state, { targets, settings: guardSettings(), now });
          expect(stored(state)).toEqual(state);
        }
      }),
    );
  });
});
