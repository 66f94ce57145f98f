import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MaintenanceWindow, Silence } from "../../kernel/guards.ts";
import { factsOf, guardSettings, machine, questionOf, stored } from "../guards.testkit.ts";
import { admission, applyCalendar, freshGuards, resumeGuards } from "../index.ts";
import { addSilence, liftSilence } from "./calendar.ts";
import { fits } from "./matcher.ts";

const MAX_SILENCES = 500;
const HOUR = 3_600_000;

function silence(over: Partial<Silence> = {}): Silence {
  return {
    id: "s-1",
    target: "product-*",
    signal: "*",
    action: "*",
    author: "ana",
    reason: "load test",
    startsAtMs: 1_760_000_000_000,
    endsAtMs: 1_760_000_000_000 + 2 * HOUR,
    ...over,
  };
}

function asked(settings: ReturnType<typeof guardSettings>, host = machine(), question = questionOf()) {
  const state = applyCalendar(freshGuards(host.bootId), settings, host.now());
  return admission(question, factsOf(host.now(), { state, settings })).all;
}

describe("a silence", () => {
  it("holds what it matches, with who and why and until when", () => {
    const settings = guardSettings({ silences: [silence()] });
    expect(asked(settings)).toEqual([
      {
        guard: "silenced",
        target: "product-api",
        untilMs: 1_760_000_000_000 + 2 * HOUR,
        detail: "product-* by ana until 2025-10-09T10:53:20Z: load test",
      },
    ]);
    expect(asked(settings, machine(), questionOf("llm-router"))).toEqual([]);
    const narrow = guardSettings({
      silences: [silence({ signal: "memory" }), silence({ id: "2", action: "isolate-*" })],
    });
    expect(asked(narrow)).toEqual([]);
    expect(asked(narrow, machine(), questionOf("product-api", { signal: "memory" }))).toHaveLength(1);
    expect(asked(narrow, machine(), questionOf("product-api", { action: "isolate-region" }))).toHaveLength(1);
  });

  it("of several tells the one that lasts longest", () => {
    const longer = silence({ id: "s-2", author: "rui", endsAtMs: 1_760_000_000_000 + 5 * HOUR });
    const [held] = asked(guardSettings({ silences: [longer, silence()] }));
    expect(held).toMatchObject({ untilMs: longer.endsAtMs, detail: expect.stringContaining("by rui") });
  });

  it("survives a restart and, by the calendar, a reboot", () => {
    const host = machine();
    const settings = guardSettings();
    const given = { ...freshGuards(host.bootId), silences: [silence()] };
    let state = applyCalendar(given, settings, host.now());
    host.wait(HOUR);
    host.reboot(HOUR / 4);
    state = resumeGuards(stored(state), { settings, now: host.now(), bootId: host.bootId });
    state = applyCalendar(state, settings, host.now());
    const held = () => admission(questionOf(), factsOf(host.now(), { state, settings })).blocked;
    expect(held()?.untilMs).toBe(silence().endsAtMs);
    host.wait(HOUR);
    state = applyCalendar(state, settings, host.now());
    expect(held()).toBeUndefined();
  });

  it("ends at once when it is lifted", () => {
    const host = machine();
    const settings = guardSettings();
    let state = applyCalendar({ ...freshGuards(host.bootId), silences: [silence()] }, settings, host.now());
    state = applyCalendar({ ...state, silences: liftSilence(state.silences, "s-1") }, settings, host.now());
    expect(admission(questionOf(), factsOf(host.now(), { state })).blocked).toBeUndefined();
    expect(state.latches).toEqual({});
  });

  it("replaces one of its id; the oldest that is over makes room; none in force does", () => {
    const now = { wallMs: 1_760_000_000_000, monoMs: 0 };
    expect(addSilence([silence()], silence({ reason: "new" }), now)).toEqual([silence({ reason: "new" })]);
    const full = Array.from({ length: MAX_SILENCES }, (_, n) => silence({ id: `f-${n}` }));
    expect(addSilence(full, silence({ id: "more" }), now)).toBeUndefined();
    const later = { wallMs: now.wallMs + 3 * HOUR, monoMs: 0 };
    const next = addSilence(full, silence({ id: "more" }), later);
    expect(next).toHaveLength(MAX_SILENCES);
    expect(next?.map((s) => s.id)).not.toContain("f-0");
  });
});

describe("a maintenance window", () => {
  const window: MaintenanceWindow = {
    name: "night",
    target: "*",
    signal: "*",
    action: "mitigate",
    reason: "backups",
    when: { kind: "once", startsAtMs: 1_760_000_000_000, endsAtMs: 1_760_000_000_000 + HOUR },
  };

  it("holds while it lasts, once or weekly", () => {
    expect(asked(guardSettings({ maintenance: [window] }))).toEqual([
      {
        guard: "maintenance_window",
        target: "product-api",
        untilMs: 1_760_000_000_000 + HOUR,
        detail: "night (every target, mitigate): backups",
      },
    ]);
    const days = [0, 1, 2, 3, 4, 5, 6];
    const weekly = {
      ...window,
      when: { kind: "weekly" as const, days, fromMinute: 8 * 60, toMinute: 9 * 60, timeZone: "UTC" },
    };
    const other = { ...weekly, name: "other", when: { ...weekly.when, fromMinute: 0, toMinute: 60 } };
    // 2025-10-09T08:53:20Z
    expect(asked(guardSettings({ maintenance: [weekly, other] }))).toEqual([
      {
        guard: "maintenance_window",
        target: "product-api",
        untilMs: Date.UTC(2025, 9, 9, 9),
        detail: "night (every target, mitigate): backups",
      },
    ]);
  });

  it.each([
    ["is still to come", 1, HOUR],
    ["is over", -HOUR, 0],
  ])("that %s holds nothing", (_name, fromMs, toMs) => {
    const { wallMs } = machine().now();
    const when = { kind: "once" as const, startsAtMs: wallMs + fromMs, endsAtMs: wallMs + toMs };
    expect(asked(guardSettings({ maintenance: [{ ...window, when }] }))).toEqual([]);
  });

  it("comes after a silence in the order, and both are told", () => {
    const all = asked(guardSettings({ maintenance: [window], silences: [silence()] }));
    expect(all.map(({ guard }) => guard)).toEqual(["silenced", "maintenance_window"]);
  });
});

describe("patterns", () => {
  it.each([
    ["*", "", true],
    ["", "", true],
    ["", "a", false],
    ["a*c", "abbbc", true],
    ["a*c", "ac", true],
    ["a*c", "acb", false],
    ["*-api", "product-api", true],
    ["**", "x", true],
    ["a.c", "abc", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
  ])("%j fits %j: %s", (pattern, text, yes) => {
    expect(fits(pattern, text)).toBe(yes);
  });

  it("mean what a regular expression means, without its cost", () => {
    const chars = fc.array(fc.constantFrom("a", "b", "*"), { maxLength: 8 });
    const letters = fc.array(fc.constantFrom("a", "b"), { maxLength: 10 });
    fc.assert(
      fc.property(chars, letters, (p, t) => {
        const wanted = new RegExp(`^${p.join("").replaceAll("*", ".*")}$`).test(t.join(""));
        expect(fits(p.join(""), t.join(""))).toBe(wanted);
      }),
      { numRuns: 3000 },
    );
    const began = performance.now();
    expect(fits(`${"*a".repeat(64)}b`, "a".repeat(4096))).toBe(false);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
