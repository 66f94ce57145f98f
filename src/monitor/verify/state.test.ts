import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Attempt, AttemptOutcome } from "../kernel/verification.ts";
import { acknowledge, resumeTarget } from "./answer.ts";
import { escalate } from "./escalate.ts";
import {
  advanceVerification,
  concludeEarly,
  forgetTargets,
  freshVerification,
  recordAttempt,
  resumeVerification,
  watch,
} from "./state.ts";
import type { VerificationState } from "./types.ts";
import { CYCLE_MS, past, verificationOf, verificationSettings } from "./verify.testkit.ts";

const MINUTE = 60_000;
const settings = verificationSettings();
const T = "product-api";

function tryAt(
  minute: number,
  outcome: AttemptOutcome = "ineffective",
  over: Partial<Attempt> = {},
): Attempt {
  return {
    intentId: `i-${minute}`,
    target: T,
    signal: "p95_latency",
    action: "mitigate",
    at: past(minute * MINUTE),
    outcome,
    detail: "900 before, 910 after",
    ...over,
  };
}

function cycle(
  state: VerificationState,
  ms: number,
  over: { value?: number; healthy?: boolean | undefined } = {},
) {
  const samples =
    over.value === undefined ? [] : [{ target: T, signal: "p95_latency", value: over.value, ageMs: 0 }];
  const health = [{ target: T, healthy: over.healthy }];
  return advanceVerification(state, { samples, health, settings, now: past(ms) });
}

/** An action at `fromMs` that leaves the level where `value` says, watched until its verdict. */
function acted(state: VerificationState, fromMs: number, value: number | undefined) {
  const before = { value: 900 };
  let step = cycle(watch(state, verificationOf({ id: `i-${fromMs}`, at: past(fromMs), before })), fromMs, {});
  const verdicts: string[] = [];
  for (let ms = CYCLE_MS; ms <= 5 * MINUTE; ms += CYCLE_MS) {
    step = cycle(step.state, fromMs + ms, value === undefined ? {} : { value });
    verdicts.push(...step.verdicts.map((v) => v.judged.outcome));
  }
  return { step, verdicts, state: step.state };
}

describe("escalate", () => {
  it("counts what did not help within the window, and says nothing below the limit", () => {
    const attempts = [tryAt(0), tryAt(10, "worse"), tryAt(20, "recovered"), tryAt(30, "inconclusive")];
    const atLeast = (minute: number) =>
      escalate(attempts, { ...settings, maxIneffective: 1 }, past(minute * MINUTE))?.attempts.length;
    expect([40, 65].map(atLeast)).toEqual([2, 1]);
    expect(escalate(attempts, settings, past(40 * MINUTE))).toBeUndefined();
  });

  it("stops at the third, also where one in between helped", () => {
    const attempts = [tryAt(0), tryAt(20, "recovered"), tryAt(30), tryAt(40, "failed")];
    expect(escalate(attempts, settings, past(45 * MINUTE))).toEqual({
      target: T,
      signal: "p95_latency",
      cause: "ineffective",
      since: past(45 * MINUTE),
      attempts: [attempts[0], attempts[2], attempts[3]],
    });
  });

  it("stops at the third in a row, however long the pauses between them have grown", () => {
    const attempts = [tryAt(0), tryAt(90, "worse"), tryAt(200)];
    expect(escalate(attempts, settings, past(205 * MINUTE))?.attempts).toHaveLength(3);
    const helped = [tryAt(0), tryAt(90), tryAt(100, "improved"), tryAt(200)];
    expect(escalate(helped, settings, past(205 * MINUTE))).toBeUndefined();
  });

  it("stops at once when the target refuses", () => {
    expect(escalate([tryAt(0, "refused")], settings, past(1000))).toMatchObject({ cause: "refused" });
  });

  it("in any history stops exactly when the count or the row has reached the limit", () => {
    const outcome = fc.constantFrom<AttemptOutcome>(
      "recovered",
      "improved",
      "ineffective",
      "worse",
      "inconclusive",
      "failed",
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), outcome), { maxLength: 12 }), (steps) => {
        let minute = 0;
        const attempts: Attempt[] = [];
        for (const [wait, o] of steps) {
          minute += wait;
          attempts.push(tryAt(minute, o));
        }
        const bad = (t: Attempt) => ["ineffective", "worse", "failed"].includes(t.outcome);
        let row = 0;
        for (const t of attempts) row = bad(t) ? row + 1 : t.outcome === "inconclusive" ? row : 0;
        const recent = attempts.filter(
          (t) => bad(t) && minute * MINUTE - (t.at.monoMs - past(0).monoMs) <= 60 * MINUTE,
        );
        const found = escalate(attempts, settings, past(minute * MINUTE));
        expect(found !== undefined).toBe(Math.max(row, recent.length) >= 3);
      }),
    );
  });
});

describe("a target over its actions", () => {
  it("is escalated after three that did not help, once, and by nobody's doing before", () => {
    let state = freshVerification("b");
    for (const [n, ms] of [0, 10 * MINUTE, 30 * MINUTE].entries()) {
      const done = acted(state, ms, 890);
      expect(done.verdicts).toEqual(["ineffective"]);
      expect(done.step.escalated).toHaveLength(n === 2 ? 1 : 0);
      state = done.state;
    }
    expect(state.targets[T]?.escalation).toMatchObject({ cause: "ineffective", since: past(35 * MINUTE) });
    expect(state.targets[T]?.escalation?.attempts.map((t) => t.intentId)).toEqual([
      "i-0",
      "i-600000",
      "i-1800000",
    ]);
    expect(cycle(state, 36 * MINUTE).escalated).toEqual([]);
    expect(state.news).toBe(1);
  });

  it("is not escalated by actions of which nothing is known", () => {
    let state = freshVerification("b");
    for (const ms of [0, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE]) {
      const done = acted(state, ms, undefined);
      expect(done.verdicts).toEqual(["inconclusive"]);
      state = done.state;
    }
    expect(state.targets[T]).toMatchObject({ attempts: { length: 4 } });
    expect(state.targets[T]?.escalation).toBeUndefined();
  });

  it("goes on when it has been well for half an hour without a break; unknown breaks it", () => {
    let state: VerificationState = {
      ...freshVerification("b"),
      targets: { [T]: { attempts: [tryAt(0), tryAt(1), tryAt(2)] } },
    };
    state = cycle(state, 3 * MINUTE).state;
    expect(state.targets[T]?.escalation).toBeDefined();
    state = cycle(state, 4 * MINUTE, { healthy: true }).state;
    state = cycle(state, 30 * MINUTE, { healthy: undefined }).state;
    state = cycle(state, 31 * MINUTE, { healthy: true }).state;
    const almost = cycle(state, 61 * MINUTE - 1, { healthy: true });
    expect(almost.ended).toEqual([]);
    const over = cycle(almost.state, 61 * MINUTE, { healthy: true });
    expect(over.ended).toMatchObject([{ by: "health", detail: "product-api has been well for 30 min" }]);
    expect(over.state.targets).toEqual({});
    expect(over.state.ended).toHaveLength(1);
  });

  it("forgets its attempts when it is well, escalated or not", () => {
    let state: VerificationState = {
      ...freshVerification("b"),
      targets: { [T]: { attempts: [tryAt(0), tryAt(1)] } },
    };
    state = cycle(state, 2 * MINUTE, { healthy: true }).state;
    const done = cycle(state, 32 * MINUTE, { healthy: true });
    expect(done.ended).toEqual([]);
    expect(done.state.targets).toEqual({});
  });

  it("is judged early when another action begins, and escalated then where it is the third", () => {
    const two = { ...freshVerification("b"), targets: { [T]: { attempts: [tryAt(0), tryAt(5)] } } };
    let state = watch(two, verificationOf({ at: past(10 * MINUTE), before: { value: 900 } }));
    state = watch(state, verificationOf({ id: "other", target: "other", at: past(10 * MINUTE) }));
    for (let n = 1; n <= 4; n++) state = cycle(state, 10 * MINUTE + n * CYCLE_MS, { value: 950 }).state;
    const early = concludeEarly(state, T, { settings, now: past(12 * MINUTE) });
    expect(early.verdicts.map((v) => v.judged.outcome)).toEqual(["ineffective"]);
    expect(early.escalated).toHaveLength(1);
    expect(Object.keys(early.state.pending)).toEqual(["other"]);
  });

  it("counts a call that did nothing, and stops at one that was refused", () => {
    let state = freshVerification("b");
    const { outcome: _o, ...call } = tryAt(0);
    state = recordAttempt(state, { ...call, outcome: "failed" }, past(0));
    expect(cycle(state, 1000).escalated).toEqual([]);
    state = recordAttempt(state, { ...call, outcome: "refused" }, past(2000));
    expect(cycle(state, 3000).escalated).toMatchObject([{ cause: "refused" }]);
  });

  it("that is gone for good is forgotten, and its escalation ends", () => {
    const attempts = [tryAt(0), tryAt(1), tryAt(2)];
    const state = cycle(
      { ...freshVerification("b"), targets: { [T]: { attempts }, other: { attempts: [] } } },
      3 * MINUTE,
    ).state;
    const kept = forgetTargets(state, new Set(["other"]), past(4 * MINUTE));
    expect(kept.ended).toMatchObject([{ by: "gone", detail: "product-api is no longer configured" }]);
    expect(Object.keys(kept.state.targets)).toEqual(["other"]);
    expect(kept.state.news).toBe(state.news + 1);
  });

  it("keeps no more attempts than it needs", () => {
    let state = freshVerification("b");
    const { outcome: _o, ...call } = tryAt(0);
    for (let n = 0; n < 200; n++)
      state = recordAttempt(state, { ...call, at: past(n * 1000), outcome: "failed" }, past(n * 1000));
    expect(state.targets[T]?.attempts).toHaveLength(50);
  });
});

describe("the answer of a person", () => {
  const answer = { target: T, by: "ana", reason: "known, waits for the supplier" };
  const stopped = () =>
    cycle(
      { ...freshVerification("b"), targets: { [T]: { attempts: [tryAt(0), tryAt(1), tryAt(2)] } } },
      3 * MINUTE,
    ).state;

  it("go on: it ends, and the attempts are forgiven", () => {
    const done = resumeTarget(stopped(), answer, past(10 * MINUTE));
    expect(done?.ended).toMatchObject({
      by: "person",
      detail: "ana said to go on: known, waits for the supplier",
    });
    expect(done?.state.targets).toEqual({});
    expect(cycle(done?.state as VerificationState, 11 * MINUTE).escalated).toEqual([]);
  });

  it("stay stopped: health alone does not end it", () => {
    let state = acknowledge(stopped(), answer, past(10 * MINUTE)) as VerificationState;
    for (let m = 11; m < 200; m++) state = cycle(state, m * MINUTE, { healthy: true }).state;
    expect(state.targets[T]?.escalation?.acknowledged).toMatchObject({ by: "ana" });
  });

  it("stay stopped until then: afterwards nobody has answered, and health ends it again", () => {
    let state = acknowledge(
      stopped(),
      { ...answer, forMs: 60 * MINUTE },
      past(10 * MINUTE),
    ) as VerificationState;
    state = cycle(state, 40 * MINUTE, { healthy: true }).state;
    state = cycle(state, 69 * MINUTE, { healthy: true }).state;
    expect(state.targets[T]?.escalation?.acknowledged).toBeDefined();
    const over = cycle(state, 70 * MINUTE, { healthy: true });
    expect(over.ended).toMatchObject([{ by: "health" }]);
    const sick = cycle(state, 70 * MINUTE, { healthy: false }).state;
    expect(sick.targets[T]?.escalation).toBeDefined();
    expect(sick.targets[T]?.escalation).not.toHaveProperty("acknowledged");
  });

  it("to a target that is not escalated changes nothing", () => {
    const state = freshVerification("b");
    expect(resumeTarget(state, answer, past(0))).toBeUndefined();
    expect(acknowledge(state, answer, past(0))).toBeUndefined();
  });
});

describe("over a reboot", () => {
  const now = { wallMs: past(20 * MINUTE).wallMs, monoMs: 77 };

  it("under the same boot nothing changes", () => {
    const state = watch(freshVerification("b"), verificationOf());
    expect(resumeVerification(state, now, "b")).toBe(state);
  });

  it("what was being watched is inconclusive, attempts count as just made, and escalations stay", () => {
    let state: VerificationState = {
      ...freshVerification("b"),
      targets: { [T]: { attempts: [tryAt(0), tryAt(1), tryAt(2)] } },
    };
    state = cycle(watch(state, verificationOf({ target: "other" })), 3 * MINUTE).state;
    state = acknowledge(
      state,
      { target: T, by: "a", reason: "r", forMs: 60 * MINUTE },
      past(4 * MINUTE),
    ) as VerificationState;
    const resumed = resumeVerification(JSON.parse(JSON.stringify(state)), now, "b2");
    const record = resumed.targets[T];
    expect(record?.attempts.map((t) => t.at.monoMs)).toEqual([77, 77, 77]);
    expect(record?.attempts.map((t) => t.at.wallMs)).toEqual([0, 1, 2].map((m) => past(m * MINUTE).wallMs));
    // 16 of 60 minutes have gone by.
    expect(record?.escalation?.acknowledged?.untilMonoMs).toBe(77 + 44 * MINUTE);
    const step = advanceVerification(resumed, { samples: [], health: [], settings, now });
    expect(step.verdicts.map((v) => v.judged.outcome)).toEqual(["inconclusive"]);
    expect(step.state.pending).toEqual({});
  });
});

describe("a cycle of which nothing comes", () => {
  it("leaves the state the same object, so that nothing is written down anew", () => {
    const { state } = acted(freshVerification("b"), 0, 900);
    expect(state.targets[T]?.attempts).toHaveLength(1);
    const still = cycle(state, 10 * MINUTE, { value: 900, healthy: false }).state;
    expect(cycle(still, 11 * MINUTE, { value: 900, healthy: false }).state).toBe(still);
    const well = cycle(still, 12 * MINUTE, { healthy: true }).state;
    expect(well).not.toBe(still);
    expect(cycle(well, 13 * MINUTE, { healthy: true }).state).toBe(well);
    expect(cycle(well, 14 * MINUTE, { healthy: undefined }).state.targets[T]).not.toHaveProperty(
      "healthySinceMonoMs",
    );
  });

  it("changes nothing in place, whatever comes", () => {
    const step = fc.record({
      value: fc.option(fc.integer({ min: 0, max: 2000 }), { nil: undefined }),
      healthy: fc.constantFrom(true, false, undefined),
      act: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let state = freshVerification("b");
        for (const [n, { value, healthy, act }] of steps.entries()) {
          const at = past(n * MINUTE);
          if (act) state = watch(state, verificationOf({ id: `i-${n}`, at, before: { value: 900 } }));
          const before = JSON.stringify(state);
          const next = cycle(state, n * MINUTE, value === undefined ? { healthy } : { value, healthy }).state;
          expect(JSON.stringify(state)).toBe(before);
          if (next === state) continue;
          expect(JSON.stringify(next)).not.toBe(before);
          state = next;
        }
      }),
    );
  });
});
