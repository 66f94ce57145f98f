import { describe, expect, it } from "vitest";
import type { Try } from "../kernel/verification.ts";
import { acknowledge, resumeTarget } from "./answer.ts";
import { advanceHealing, freshHealing, watch } from "./healing.ts";
import { readHealing } from "./read.ts";
import { fed, past, verificationOf, verificationSettings } from "./testbed.ts";
import type { HealingState } from "./types.ts";

function full(): HealingState {
  const tries = [1, 2, 3].map(
    (n): Try => ({
      intentId: `i-${n}`,
      target: "a",
      signal: "memory",
      action: "mitigate",
      at: past(n),
      outcome: "worse",
      detail: "d",
      slo: 300,
    }),
  );
  const targets = { a: { tries }, b: { tries: tries.map((t) => ({ ...t, target: "b" })) } };
  let state: HealingState = { ...freshHealing("b"), targets };
  state = watch(state, fed(verificationOf({ target: "c", at: past(0) }), [1, 2]));
  const settings = verificationSettings();
  const health = [{ target: "a", healthy: true }];
  state = advanceHealing(state, { samples: [], health, settings, now: past(60_000) }).state;
  state = acknowledge(
    state,
    { target: "a", by: "x", reason: "r", forMs: 1000 },
    past(61_000),
  ) as HealingState;
  return (resumeTarget(state, { target: "b", by: "x", reason: "r" }, past(62_000)) as { state: HealingState })
    .state;
}

describe("readHealing", () => {
  it("takes what was stored for what it is", () => {
    const state = full();
    expect(state.ended).toHaveLength(1);
    expect(Object.keys(state.pending)).toHaveLength(1);
    for (const kept of [state, { ...state, newer: 1 }])
      expect(readHealing(JSON.parse(JSON.stringify(kept)))).toEqual({ state: kept });
  });

  it.each([
    ["targets.a.tries[1].outcome", "healing.targets.a.tries[1].outcome must be one of recovered, "],
    [
      "targets.a.escalation.since.wallMs",
      "healing.targets.a.escalation.since.wallMs must be a finite number",
    ],
    ["targets.a.escalation.acknowledged.by", "healing.targets.a.escalation.acknowledged.by must be text"],
    ["targets.a.healthySinceMonoMs", "healing.targets.a.healthySinceMonoMs must be a finite number"],
    ["pending.i-1.samples[0].value", "healing.pending.i-1.samples[0].value must be a finite number"],
    ["pending.i-1.before", "healing.pending.i-1.before must be a mapping"],
    ["ended[0].by", "healing.ended[0].by must be one of person, health, gone"],
    ["ended", "healing.ended must be a list"],
    ["news", "healing.news must be a finite number"],
  ])("refuses a damaged %s", (path, problem) => {
    const body = JSON.parse(JSON.stringify(full())) as Record<string, unknown>;
    const steps = path.split(/[.[\]]+/).filter((s) => s !== "");
    let at = body;
    for (const step of steps.slice(0, -1)) at = at[step] as Record<string, unknown>;
    at[steps.at(-1) as string] = null;
    expect(readHealing(body)).toEqual({ problem: expect.stringContaining(problem) });
  });
});
