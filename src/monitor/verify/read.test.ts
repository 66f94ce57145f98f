import { describe, expect, it } from "vitest";
import type { Attempt } from "../kernel/verification.ts";
import { acknowledge, resumeTarget } from "./answer.ts";
import { readVerification } from "./read.ts";
import { advanceVerification, freshVerification, watch } from "./state.ts";
import type { VerificationState } from "./types.ts";
import { fed, past, verificationOf, verificationSettings } from "./verify.testkit.ts";

function full(): VerificationState {
  const attempts = [1, 2, 3].map(
    (n): Attempt => ({
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
  const targets = { a: { attempts }, b: { attempts: attempts.map((t) => ({ ...t, target: "b" })) } };
  let state: VerificationState = { ...freshVerification("b"), targets };
  state = watch(state, fed(verificationOf({ target: "c", at: past(0) }), [1, 2]));
  const settings = verificationSettings();
  const health = [{ target: "a", healthy: true }];
  state = advanceVerification(state, { samples: [], health, settings, now: past(60_000) }).state;
  state = acknowledge(
    state,
    { target: "a", by: "x", reason: "r", forMs: 1000 },
    past(61_000),
  ) as VerificationState;
  return (
    resumeTarget(state, { target: "b", by: "x", reason: "r" }, past(62_000)) as { state: VerificationState }
  ).state;
}

describe("readVerification", () => {
  it("takes what was stored for what it is", () => {
    const state = full();
    expect(state.ended).toHaveLength(1);
    expect(Object.keys(state.pending)).toHaveLength(1);
    for (const kept of [state, { ...state, newer: 1 }])
      expect(readVerification(JSON.parse(JSON.stringify(kept)))).toEqual({ state: kept });
  });

  it.each([
    [
      "targets.a.attempts[1].outcome",
      "verification.targets.a.attempts[1].outcome must be one of recovered, ",
    ],
    [
      "targets.a.escalation.since.wallMs",
      "verification.targets.a.escalation.since.wallMs must be a finite number",
    ],
    [
      "targets.a.escalation.acknowledged.by",
      "verification.targets.a.escalation.acknowledged.by must be text",
    ],
    ["targets.a.healthySinceMonoMs", "verification.targets.a.healthySinceMonoMs must be a finite number"],
    ["pending.i-1.samples[0].value", "verification.pending.i-1.samples[0].value must be a finite number"],
    ["pending.i-1.before", "verification.pending.i-1.before must be a mapping"],
    ["ended[0].by", "verification.ended[0].by must be one of person, health, gone"],
    ["ended", "verification.ended must be a list"],
    ["news", "verification.news must be a finite number"],
  ])("refuses a damaged %s", (path, problem) => {
    const body = JSON.parse(JSON.stringify(full())) as Record<string, unknown>;
    const steps = path.split(/[.[\]]+/).filter((s) => s !== "");
    let at = body;
    for (const step of steps.slice(0, -1)) at = at[step] as Record<string, unknown>;
    at[steps.at(-1) as string] = null;
    expect(readVerification(body)).toEqual({ problem: expect.stringContaining(problem) });
  });
});
