import { describe, expect, it } from "vitest";
import type { Escalation } from "../kernel/verification.ts";
import { escalationAlerts, forgetOldEnds, notificationDue, told } from "./alert.ts";
import { acknowledge, resumeTarget } from "./answer.ts";
import { freshVerification, markUnnotified } from "./state.ts";
import type { VerificationState } from "./types.ts";
import { past, WALL_MS } from "./verify.testkit.ts";

const MINUTE = 60_000;

const escalation: Escalation = {
  target: "product-api",
  signal: "p95_latency",
  cause: "ineffective",
  since: past(0),
  attempts: [
    {
      intentId: "i-1",
      target: "product-api",
      signal: "p95_latency",
      action: "mitigate",
      at: past(-10 * MINUTE),
      outcome: "ineffective",
      detail: "900 before, 910 after, not rising; SLO 300, exit 270",
      before: 900,
      after: 910,
      slo: 300,
    },
  ],
};

function stateOf(over: Partial<VerificationState> = {}): VerificationState {
  const targets = { "product-api": { attempts: escalation.attempts, escalation } };
  return markUnnotified({ ...freshVerification("b"), targets, ...over });
}

const alerts = (state: VerificationState, ms: number) =>
  escalationAlerts(state, { now: past(ms), lastsMs: 4 * MINUTE });

describe("the alert of an escalation", () => {
  it("has everything known in it", () => {
    expect(
      escalationAlerts(stateOf(), {
        now: past(MINUTE),
        lastsMs: 4 * MINUTE,
        externalUrl: "http://monitor:9105",
      }),
    ).toEqual([
      {
        labels: {
          alertname: "SelfHealEscalation",
          target: "product-api",
          signal: "p95_latency",
          severity: "critical",
        },
        annotations: {
          summary: "Self-healing of product-api has stopped: an action did not help",
          description: expect.stringContaining(
            "- 2025-10-09T08:43:20Z mitigate (i-1): ineffective; 900 before, 910 after, not rising; SLO 300, exit 270",
          ),
          runbook_url: "docs/runbooks.md#selfhealescalation",
          cause: "ineffective",
          attempts: "1",
          since: "2025-10-09T08:53:20Z",
          intents: "i-1",
          level: "910",
          slo: "300",
        },
        startsAtMs: WALL_MS,
        endsAtMs: WALL_MS + 5 * MINUTE,
        generatorUrl: "http://monitor:9105",
      },
    ]);
  });

  it("keeps its labels and its start over the whole episode, while its end moves on", () => {
    const first = alerts(stateOf(), 0);
    const seen = acknowledge(
      stateOf(),
      { target: "product-api", by: "ana", reason: "r", forMs: MINUTE },
      past(MINUTE),
    );
    const later = alerts(seen as VerificationState, 60 * MINUTE);
    expect(later[0]?.labels).toEqual(first[0]?.labels);
    expect(later[0]?.startsAtMs).toBe(first[0]?.startsAtMs);
    expect(later[0]?.endsAtMs).toBe(WALL_MS + 64 * MINUTE);
    expect(later[0]?.annotations.acknowledged).toBe(
      "by ana at 2025-10-09T08:54:20Z until 2025-10-09T08:55:20Z: r",
    );
  });

  it("ends when the escalation does, unless another has begun since", () => {
    const { state } = resumeTarget(
      stateOf(),
      { target: "product-api", by: "ana", reason: "mended" },
      past(MINUTE),
    ) as {
      state: VerificationState;
    };
    expect(alerts(state, 10 * MINUTE)).toMatchObject([
      { endsAtMs: WALL_MS + MINUTE, annotations: { ended: "ana said to go on: mended" } },
    ]);
    const again = { ...escalation, since: past(2 * MINUTE) };
    const both = { ...state, targets: { "product-api": { attempts: [], escalation: again } } };
    expect(alerts(both, 3 * MINUTE)).toMatchObject([{ startsAtMs: WALL_MS + 2 * MINUTE }]);
  });

  it("never ends before it began, not even when the clock was set back", () => {
    expect(alerts(stateOf(), -86_400_000)[0]).toMatchObject({ startsAtMs: WALL_MS, endsAtMs: WALL_MS + 1 });
  });

  it("says that the target refuses, where it does, and gives no level that is not known", () => {
    const { before: _b, after: _a, slo: _s, ...made } = escalation.attempts[0]!;
    const attempts = [{ ...made, outcome: "refused" as const, detail: "refused (403)" }];
    const refused: Escalation = { ...escalation, cause: "refused", attempts };
    const [alert] = alerts(stateOf({ targets: { "product-api": { attempts, escalation: refused } } }), 0);
    expect(alert?.annotations).toMatchObject({
      summary: "Self-healing of product-api has stopped: the target refuses the action",
      cause: "refused",
    });
    expect(alert?.annotations).not.toHaveProperty("level");
    expect(alert?.annotations).not.toHaveProperty("slo");
  });

  it("is one for each target that is escalated, and none for one that was only acted on", () => {
    const state = stateOf();
    const targets = { ...state.targets, other: { attempts: escalation.attempts } };
    expect(alerts({ ...state, targets }, 0).map((a) => a.labels.target)).toEqual(["product-api"]);
  });

  it("tells who has seen it, without an end where none was given", () => {
    const seen = acknowledge(stateOf(), { target: "product-api", by: "ana", reason: "r" }, past(MINUTE));
    expect(alerts(seen as VerificationState, MINUTE)[0]?.annotations.acknowledged).toBe(
      "by ana at 2025-10-09T08:54:20Z: r",
    );
  });

  it("is bounded, whatever is in it", () => {
    const attempts = Array.from({ length: 50 }, () => ({
      ...escalation.attempts[0]!,
      detail: `${"x".repeat(10_000)}\n\u0007`,
      intentId: "y".repeat(500),
    }));
    const [alert] = alerts(
      stateOf({ targets: { a: { attempts, escalation: { ...escalation, attempts } } } }),
      0,
    );
    expect(JSON.stringify(alert).length).toBeLessThan(12_000);
    expect(alert?.annotations.description).not.toContain("\u0007");
  });
});

describe("telling", () => {
  const resendMs = MINUTE;

  it("is due at once, then after the interval, and at once again when something is new", () => {
    expect(notificationDue(freshVerification("b"), past(0), resendMs)).toBe(false);
    let state = stateOf();
    expect(notificationDue(state, past(0), resendMs)).toBe(true);
    state = told(state, state, past(0));
    expect(notificationDue(state, past(MINUTE - 1), resendMs)).toBe(false);
    expect(notificationDue(state, past(MINUTE), resendMs)).toBe(true);
    state = acknowledge(
      state,
      { target: "product-api", by: "a", reason: "r" },
      past(1000),
    ) as VerificationState;
    expect(notificationDue(state, past(1001), resendMs)).toBe(true);
  });

  it("of an end is done once it was delivered; what became new meanwhile still has to be told", () => {
    const began = stateOf();
    const ended = resumeTarget(began, { target: "product-api", by: "a", reason: "r" }, past(10)) as {
      state: VerificationState;
    };
    const late = told(ended.state, began, past(20));
    expect(late.ended).toHaveLength(1);
    expect(notificationDue(late, past(21), resendMs)).toBe(true);
    const stored = JSON.parse(JSON.stringify(late)) as VerificationState;
    const done = told(stored, late, past(30));
    expect(done.ended).toEqual([]);
    expect(notificationDue(done, past(1e9), resendMs)).toBe(false);
  });

  it("of an end is given up after an hour: the alert has gone out by itself", () => {
    const ended = resumeTarget(stateOf(), { target: "product-api", by: "a", reason: "r" }, past(0)) as {
      state: VerificationState;
    };
    expect(forgetOldEnds(ended.state, past(60 * MINUTE - 1))).toBe(ended.state);
    expect(forgetOldEnds(ended.state, past(60 * MINUTE)).ended).toEqual([]);
  });
});
