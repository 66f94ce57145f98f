import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit } from "../cycle/admit.ts";
import type { Facts, GuardState, ObservedTarget } from "./guard.ts";
import {
  attemptOf,
  escalationOf,
  factsOf,
  guardSettings,
  loopOf,
  machine,
  markOf,
  partyOf,
  questionOf,
  stored,
  UNTOUCHED,
} from "./guards.testkit.ts";
import {
  admission,
  advanceGuards,
  applyCalendar,
  freshGuards,
  GUARD_NAMES,
  type GuardSettings,
  guardReport,
  lostGuards,
  resumeGuards,
  withActions,
} from "./index.ts";
import { createPause } from "./pause/index.ts";

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
    actions: Array.from({ length: 10 }, () => markOf("product-api", { monoMs: now.monoMs })),
  };
  const broken = [
    { signal: "memory", status: "ok" as const },
    { signal: "backlog", status: "stale" as const },
    { signal: "error_rate", status: "invalid" as const },
  ];
  state = advanceGuards(state, { targets: observed(4, { atRisk: true, signals: broken }), settings, now });
  const past = () => ({ attempts: [attemptOf({ at: now })], escalation: escalationOf() });
  const memory = () => ({ ...UNTOUCHED, lastActionMonoMs: now.monoMs, unresolved: true });
  return { facts: factsOf(now, { state, settings, past, memory }), host };
}

describe("admission", () => {
  it("lets through where nothing holds", () => {
    expect(admission(questionOf(), factsOf({ wallMs: 0, monoMs: 0 }))).toEqual({
      blocked: undefined,
      all: [],
    });
  });

  it("tells all that hold, in the documented order, and the first as the reason", () => {
    const { blocked, all } = admission(questionOf(), besieged().facts);
    expect(all.map(({ guard }) => guard)).toEqual([
      "intent_unresolved",
      "cooldown_active",
      "paused",
      "silenced",
      "maintenance_window",
      "startup_hold",
      "data_partial",
      "storm_hold",
      "escalated",
      "backoff_active",
      "rate_cap_target",
      "rate_cap_fleet",
    ]);
    expect(GUARD_NAMES).toEqual(all.map(({ guard }) => guard));
    expect(blocked).toBe(all[0]);
    for (const { detail } of all) expect(detail).toMatch(/^\S.*\S$/);
  });

  it("never holds an undo, whatever else is closed, and an undo costs no budget", () => {
    const { facts } = besieged();
    const undo = questionOf("product-api", { cause: "undo", run: "undone" });
    expect(admission(undo, facts)).toEqual({ blocked: undefined, all: [] });
    const loop = loopOf(facts.state, facts.settings as GuardSettings);
    expect(admit({ state: loop, ports: {} }, undo, facts.now)).toBeUndefined();
    expect(admit({ state: loop, ports: {} }, undo, facts.now)).toBeUndefined();
    expect(loop.admit.guards.actions).toEqual(facts.state.actions);
  });

  it("says the same of a state that has been stored", () => {
    const { facts } = besieged();
    const after = { ...facts, state: stored(facts.state) };
    expect(admission(questionOf(), after)).toEqual(admission(questionOf(), facts));
  });
});

describe("resumeGuards", () => {
  it("changes nothing under the same boot", () => {
    const { state, settings, now } = besieged().facts;
    expect(resumeGuards(state, { settings, now, bootId: "boot-1" })).toBe(state);
  });

  it("after a reboot opens nothing: what was closed by the past still is", () => {
    const { facts, host } = besieged();
    const settings = facts.settings as GuardSettings;
    host.reboot(1000);
    const now = host.now();
    let state = resumeGuards(stored(facts.state), { settings, now, bootId: host.bootId });
    state = applyCalendar(state, settings, now);
    const { all } = admission(questionOf(), factsOf(now, { state, settings }));
    // What the data was like belongs to the cycle that saw it; the rest is resumed with the actions and what they came to.
    const elsewhere = /data|backoff|escalated|cooldown|unresolved/;
    expect(all.map(({ guard }) => guard)).toEqual(GUARD_NAMES.filter((name) => !elsewhere.test(name)));
    expect(state.bootId).toBe(host.bootId);
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
    const held = (at: typeof now, of: GuardState) =>
      admission(questionOf(), factsOf(at, { state: of, settings })).blocked?.guard;
    expect(held(now, next)).toBe("silenced");
    const later = { wallMs: now.wallMs + 2 * MINUTE, monoMs: now.monoMs + 2 * MINUTE };
    expect(held(later, applyCalendar(next, settings, later))).toBeUndefined();
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
    const mark = (monoMs: number) => markOf("a", { monoMs });
    expect(withActions(freshGuards("b"), [mark(3), mark(1), mark(2)]).actions.map((a) => a.monoMs)).toEqual([
      1, 2, 3,
    ]);
  });
});

describe("guardReport", () => {
  it("tells what holds, what is left and who is escalated", () => {
    const now = { wallMs: 0, monoMs: 0 };
    const calm = guardReport([partyOf("a")], { ...factsOf(now), shadow: false });
    expect(calm).toEqual({
      holding: [],
      measured: [
        { name: "predict_paused", labels: {}, value: 0 },
        { name: "predict_storm", labels: {}, value: 0 },
        { name: "predict_escalated", labels: { target: "a" }, value: 0 },
        { name: "predict_budget_left", labels: { scope: "target:a" }, value: 4 },
        { name: "predict_budget_left", labels: { scope: "fleet" }, value: 10 },
      ],
    });
    const busy = guardReport([partyOf("product-api")], { ...besieged().facts, shadow: false });
    expect(busy).toMatchObject({
      holding: GUARD_NAMES,
    });
    expect(busy.measured.map(({ name, value }) => [name, value])).toEqual([
      ["predict_paused", 1],
      ["predict_storm", 1],
      ["predict_escalated", 1],
      ["predict_budget_left", 0],
      ["predict_budget_left", 0],
    ]);
  });

  it("names what admission says of any target", () => {
    const { facts } = besieged();
    const parts = fc.record({
      pause: fc.boolean(),
      starts: fc.boolean(),
      storm: fc.boolean(),
      data: fc.boolean(),
      actions: fc.integer({ min: 0, max: 10 }),
      calendar: fc.boolean(),
      past: fc.boolean(),
      acted: fc.boolean(),
      unresolved: fc.boolean(),
      afterMs: fc.integer({ min: 0, max: 90 * MINUTE }),
    });
    fc.assert(
      fc.property(parts, (p) => {
        const fresh = freshGuards("boot-1");
        const { pause, ...rest } = facts.state;
        const part: GuardState = {
          ...rest,
          ...(p.pause && pause !== undefined ? { pause } : {}),
          starts: p.starts ? rest.starts : [],
          storm: p.storm ? rest.storm : fresh.storm,
          data: p.data ? rest.data : fresh.data,
          actions: rest.actions.slice(0, p.actions),
          calendar: p.calendar ? rest.calendar : [],
        };
        const { wallMs, monoMs } = facts.now;
        const now = { wallMs: wallMs + p.afterMs, monoMs: monoMs + p.afterMs };
        const known = p.past ? facts.past("product-api") : undefined;
        const acted = {
          ...UNTOUCHED,
          unresolved: p.unresolved,
          ...(p.acted ? { lastActionMonoMs: monoMs } : {}),
        };
        const at: Facts = {
          ...{ state: part, settings: facts.settings, now },
          past: (target) => (target === "product-api" ? known : undefined),
          memory: (target) => (target === "product-api" ? acted : UNTOUCHED),
        };
        const targets = ["product-api", "other"].map((name) => partyOf(name));
        const { holding } = guardReport(targets, { ...at, shadow: false });
        const asked = targets.flatMap(({ name }) => admission(questionOf(name), at).all);
        expect(holding).toEqual(GUARD_NAMES.filter((name) => asked.some(({ guard }) => guard === name)));
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
      guardReport([partyOf("a")], { ...factsOf(at, { state, settings }), shadow: false });
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
