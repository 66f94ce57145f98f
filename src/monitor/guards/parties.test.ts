import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GuardName } from "../kernel/decision.ts";
import type { Facts, Guard } from "./guard.ts";
import {
  attemptOf,
  escalationOf,
  factsOf,
  guardSettings,
  markOf,
  partyOf,
  questionOf,
  type UNTOUCHED,
} from "./guards.testkit.ts";
import { admission, GUARDS } from "./index.ts";
import { createPause } from "./pause/index.ts";

// Whom each guard looks at, when it is asked, and in which order: as its descriptor says, for every guard there is.

const NOW = { wallMs: 1_760_000_000_000, monoMs: 1_000_000 };
const OPEN = factsOf(NOW, {
  settings: guardSettings({
    targetCap: { actions: 1, windowMs: 60_000 },
    fleetCap: { actions: 3, windowMs: 60_000 },
  }),
});

type Close = (facts: Facts, who: string) => Facts;

const withState = (facts: Facts, state: Partial<Facts["state"]>): Facts => ({
  ...facts,
  state: { ...facts.state, ...state },
});
const remembering =
  (known: Partial<typeof UNTOUCHED>): Close =>
  (facts, who) => ({
    ...facts,
    memory: (name) => ({ ...facts.memory(name), ...(name === who ? known : {}) }),
  });
const withPast =
  (known: Partial<NonNullable<ReturnType<Facts["past"]>>>): Close =>
  (facts, who) => ({
    ...facts,
    past: (name) => {
      const before = facts.past(name);
      return name === who ? { attempts: [], ...before, ...known } : before;
    },
  });
const onCalendar =
  (kind: "silence" | "maintenance"): Close =>
  (facts, who) => {
    const hold = { kind, target: who, signal: "*", action: "*", detail: "d", untilMonoMs: NOW.monoMs + 1 };
    return withState(facts, { calendar: [...facts.state.calendar, hold] });
  };

/** What closes a guard for one target; those of the fleet for whatever target. */
const CLOSE: Readonly<Record<GuardName, Close>> = {
  intent_unresolved: remembering({ unresolved: true }),
  cooldown_active: remembering({ lastActionMonoMs: NOW.monoMs }),
  paused: (facts) => withState(facts, { pause: createPause({ by: "ana", reason: "r" }, NOW) }),
  silenced: onCalendar("silence"),
  maintenance_window: onCalendar("maintenance"),
  startup_hold: (facts) => withState(facts, { starts: [NOW, NOW, NOW] }),
  data_partial: (facts, who) =>
    withState(facts, { data: { targets: { ...facts.state.data.targets, [who]: "d" } } }),
  storm_hold: (facts) => withState(facts, { storm: { ...facts.state.storm, active: true } }),
  escalated: withPast({ escalation: escalationOf() }),
  backoff_active: withPast({ attempts: [attemptOf({ at: NOW })] }),
  rate_cap_target: (facts, who) =>
    withState(facts, { actions: [...facts.state.actions, markOf(who, { monoMs: NOW.monoMs, targets: [] })] }),
  rate_cap_fleet: (facts) => {
    const elsewhere = markOf("elsewhere", { monoMs: NOW.monoMs, targets: ["x", "y", "z"] });
    return withState(facts, { actions: [...facts.state.actions, elsewhere] });
  },
};

const close = ({ kind }: Guard, who: string, facts = OPEN) => (CLOSE[kind] as Close)(facts, who);

/** A playbook of `shop` that calls two others. */
const ACROSS = questionOf("shop", { callees: [partyOf("cache"), partyOf("gateway")] });
const ROLES = [
  { role: "asker", who: "shop" },
  { role: "callee", who: "gateway" },
] as const;

describe.each(GUARDS)("the guard $kind", (guard) => {
  it.each(ROLES)(
    "closed for the $role holds, and names whom, exactly where it looks at the $role",
    ({ role, who }) => {
      const { all } = admission(ACROSS, close(guard, who));
      const fleet = guard.looksAt.includes("fleet");
      if (!fleet && !guard.looksAt.includes(role)) expect(all).toEqual([]);
      else expect(all).toMatchObject([{ guard: guard.kind, target: fleet ? "shop" : who }]);
    },
  );

  it("holds nobody else, unless it holds the fleet", () => {
    const others = questionOf("shop", { callees: [partyOf("cache"), partyOf("search")] });
    const { all } = admission(others, close(guard, "gateway"));
    expect(all).toHaveLength(guard.looksAt.includes("fleet") ? 1 : 0);
  });

  it("is asked of the later steps of a run exactly where it says that it looks at every step", () => {
    for (const { who } of ROLES) {
      const { all } = admission({ ...ACROSS, continues: true }, close(guard, who));
      expect(all).toHaveLength(guard.asked === "step" ? 1 : 0);
    }
  });

  it("lets an undo pass, by whomever and on whatever", () => {
    for (const { who } of ROLES)
      for (const continues of [false, true])
        expect(admission({ ...ACROSS, cause: "undo", continues }, close(guard, who)).all).toEqual([]);
  });

  it("holds whatever asks but an undo", () => {
    for (const cause of ["alert", "person", "pre_timeout", "level"] as const)
      expect(admission({ ...ACROSS, cause }, close(guard, "shop")).blocked?.guard).toBe(guard.kind);
  });

  it("says what it is for in one line", () => {
    expect(guard.docs.summary).toMatch(/^[a-z][^\n]*[^\s.]$/);
  });
});

describe("several guards at once", () => {
  it("are all told, each once, in their order whoever is closed, and the first is the reason", () => {
    const some = fc.subarray([...GUARDS]).chain((guards) =>
      fc.record({
        closed: fc.shuffledSubarray(guards, { minLength: guards.length }),
        who: fc.constantFrom("shop", "cache", "gateway"),
      }),
    );
    fc.assert(
      fc.property(some, fc.boolean(), ({ closed, who }, continues) => {
        const facts = closed.reduce((before, guard) => close(guard, who, before), OPEN);
        const { all, blocked } = admission({ ...ACROSS, continues }, facts);
        const wanted = GUARDS.filter((g) => closed.includes(g) && !(continues && g.asked === "run"));
        expect(all.map((b) => b.guard)).toEqual(wanted.map(({ kind }) => kind));
        expect(blocked).toBe(all[0]);
        for (const { target, guard } of all)
          expect(target).toBe(GUARDS.find((g) => g.kind === guard)?.looksAt.includes("fleet") ? "shop" : who);
      }),
      { numRuns: 500 },
    );
  });

  it("of one kind on the asker and on what it calls are told of the asker", () => {
    for (const guard of GUARDS) {
      const both = close(guard, "shop", close(guard, "gateway"));
      expect(admission(ACROSS, both).all).toMatchObject([{ guard: guard.kind, target: "shop" }]);
    }
  });

  it("hold the fleet, or the one that asks as well as what it calls", () => {
    const fleet = GUARDS.filter(({ looksAt }) => looksAt.includes("fleet"));
    expect(fleet.map(({ kind }) => kind)).toEqual(["paused", "startup_hold", "storm_hold", "rate_cap_fleet"]);
    for (const { looksAt } of GUARDS.filter((guard) => !fleet.includes(guard)))
      expect(looksAt).toEqual(["asker", "callee"]);
  });

  it("are asked at every step, but for those that the run's own first step closes", () => {
    expect(GUARDS.filter(({ asked }) => asked === "run").map(({ kind }) => kind)).toEqual([
      "intent_unresolved",
      "cooldown_active",
      "backoff_active",
      "rate_cap_target",
      "rate_cap_fleet",
    ]);
  });

  it("have names of their own", () => {
    expect(new Set(GUARDS.map(({ kind }) => kind)).size).toBe(GUARDS.length);
    expect(Object.keys(CLOSE)).toEqual(GUARDS.map(({ kind }) => kind));
  });
});
