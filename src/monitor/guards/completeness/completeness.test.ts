import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DataFindings, ObservedSignal, ObservedTarget } from "../guard.ts";
import { factsOf, guardSettings, questionOf } from "../guards.testkit.ts";
import { admission, freshGuards } from "../index.ts";
import { findCompleteness } from "./index.ts";

const MINUTE = 60_000;
const { completeness: settings } = guardSettings();
const STATUS = { o: "ok", m: "missing", s: "stale", i: "invalid", u: "unreachable" } as const;

/** One word a target, one letter a signal: o ok, m missing, s stale, i invalid, u unreachable. */
function picture(words: string): ObservedTarget[] {
  return words.split(" ").map((word, t) => ({
    target: `t-${t}`,
    atRisk: undefined,
    signals: [...word].map(
      (letter, n): ObservedSignal => ({ signal: `s-${n}`, status: STATUS[letter as keyof typeof STATUS] }),
    ),
  }));
}

function find(words: string, monoMs = 0, seen: Readonly<Record<string, number>> = {}) {
  const now = { wallMs: 1_760_000_000_000 + monoMs, monoMs };
  return findCompleteness({ state: { seen }, targets: picture(words), settings, now });
}

/** What the guard says of a target that heals itself. */
function held(data: DataFindings, target: string) {
  const state = { ...freshGuards("b"), data };
  return admission(questionOf(target), factsOf({ wallMs: 0, monoMs: 0 }, { state })).blocked;
}

describe("a target's completeness", () => {
  it.each([
    ["oooo", false],
    ["ooss", false],
    ["osss", true],
    ["oiu", true],
    // No traffic is no fault: what is merely absent does not count.
    ["ommm", false],
    ["ommi", false],
    ["ommii", true],
    // Nothing known at all is the business of the data gates.
    ["mmmm", false],
    ["uuuu", true],
  ])("%s holds: %s", (word, holds) => {
    const { data } = find(word);
    expect(held(data, "t-0") !== undefined).toBe(holds);
    expect(held(data, "other")).toBeUndefined();
  });

  it("says which signals are wrong, and how", () => {
    expect(held(find("osiu").data, "t-0")).toEqual({
      guard: "data_partial",
      target: "t-0",
      detail: "only 1 of 4 signals are usable, 50 % are wanted (s-1 stale, s-2 invalid, s-3 unreachable)",
    });
  });
});

describe("the fleet's completeness", () => {
  const full = "oooo oooo oooo";

  it("holds every target when most of what was seen of late is gone, however politely", () => {
    const { seen } = find(full);
    const { data } = find("ommm ommm ommm", MINUTE, seen);
    expect(held(data, "t-2")).toEqual({
      guard: "data_partial",
      target: "t-2",
      detail: "only 3 of 12 series seen within 15 min have a value, 50 % are wanted",
    });
    expect(find("oomm oomm oomm", MINUTE, seen).data.fleet).toBeUndefined();
  });

  it("stops expecting what has not been there for so long", () => {
    let { seen } = find(full);
    for (let n = 1; n <= 20; n++) {
      const found = find("ommm ommm ommm", n * MINUTE, seen);
      seen = found.seen;
      expect(found.data.fleet !== undefined, `minute ${n}`).toBe(n <= 15);
    }
  });

  it("says nothing of a small plan, nor of series that are no longer in it", () => {
    const { seen } = find("oooo ooo");
    expect(find("mmmm mmm", MINUTE, seen).data.fleet).toBeUndefined();
    expect(find("oooo", MINUTE, find(full).seen).data.fleet).toBeUndefined();
  });

  it("does not copy what it remembers in every cycle", () => {
    const { seen } = find(full);
    expect(find(full, 1000, seen).seen).toBe(seen);
    expect(find(full, 2 * MINUTE, seen).seen).not.toBe(seen);
  });

  it("never holds while every series has a value, nor before anything was seen", () => {
    const word = fc.string({ unit: fc.constantFrom("o", "m", "s"), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 1e7 }),
        (words, ms) => {
          const { seen } = find(words.join(" "));
          expect(find(words.join(" ").replaceAll(/[ms]/g, "o"), ms, seen).data.fleet).toBeUndefined();
          expect(find(words.join(" ").replaceAll("o", "m")).data.fleet).toBeUndefined();
        },
      ),
    );
  });
});
