import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GuardState } from "./guard.ts";
import { guardSettings, machine, stored } from "./guards.testkit.ts";
import { applyCalendar, freshGuards } from "./index.ts";
import { createPause } from "./pause/index.ts";
import { readGuards } from "./read.ts";

const host = machine();
const now = host.now();
const silence = {
  id: "s",
  target: "*",
  signal: "*",
  action: "*",
  author: "a",
  reason: "r",
  startsAtMs: now.wallMs,
  endsAtMs: now.wallMs + 1000,
};

const full: GuardState = applyCalendar(
  {
    ...freshGuards(host.bootId),
    actions: [{ run: "r", asker: "a", targets: ["b"], monoMs: 1, shadow: false }],
    starts: [now],
    storm: {
      ...freshGuards("b").storm,
      active: true,
      sinceMs: 1,
      sinceMonoMs: 1,
      turned: { a: 1 },
      atRisk: ["a"],
    },
    seen: { "a/memory": 1 },
    data: { fleet: "x", targets: { a: "y" } },
    silences: [silence],
    pause: createPause({ by: "a", reason: "r", forMs: 1 }, { ...now, monoMs: now.monoMs + 10 }),
    lostMonoMs: 3,
  },
  guardSettings(),
  now,
);

/** Paths of everything in it that is not a container. */
function leaves(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) =>
    leaves(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

describe("readGuards", () => {
  it("takes what was stored for what it is", () => {
    const newer = { ...full, storm: { ...full.storm, newer: 1 }, newer: {} };
    for (const state of [full, freshGuards("b"), newer]) expect(readGuards(stored(state))).toEqual({ state });
  });

  it("refuses a state in which any one value is of another kind, and names it", () => {
    const paths = leaves(stored(full));
    expect(paths.length).toBeGreaterThan(40);
    fc.assert(
      fc.property(fc.constantFrom(...paths), (path) => {
        const broken = stored(full) as unknown;
        let at = broken as Record<string | number, unknown>;
        for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
        at[path.at(-1) as string] = null;
        const { problem } = readGuards(broken) as { problem: string };
        expect(problem).toMatch(/^guards\S* must be /);
        expect(problem.replaceAll(/[[\]]/g, ".")).toContain(`${path.at(-1)}`);
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    ["seen", [], "guards.seen must be a mapping"],
    ["latches", 5, "guards.latches must be a mapping"],
    ["silences", {}, "guards.silences must be a list"],
    ["storm", [], "guards.storm must be a mapping"],
  ])("refuses %s that is %j", (field, value, problem) => {
    expect(readGuards({ ...stored(full), [field]: value })).toEqual({ problem });
  });

  it.each([undefined, null, 7, "x", [], {}])("refuses %j", (body) => {
    expect(readGuards(body)).toEqual({ problem: expect.stringContaining("must be") });
  });
});
