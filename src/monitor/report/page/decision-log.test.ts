import { describe, expect, it } from "vitest";
import type { Decision } from "../../kernel/decision.ts";
import type { PlaybookDecision } from "../../playbooks/decide.ts";
import { blindOf, decisionOf } from "../report.testkit.ts";
import { DecisionLog, stateOf } from "./decision-log.ts";

const T0 = Date.UTC(2026, 0, 1);
const iso = (cycle: number) => new Date(T0 + 30_000 * cycle).toISOString();

function feed(
  log: DecisionLog,
  cycle: number,
  decisions: readonly Decision[],
  playbooks: readonly PlaybookDecision[] = [],
) {
  log.record({ at: { wallMs: T0 + 30_000 * cycle, monoMs: 0 }, decisions, playbooks });
}

const calm = (over: Partial<Decision> = {}) =>
  decisionOf({ act: false, reason: "below_slo", trigger: undefined, inRisk: false, ...over });
const held = (over: Partial<Decision> = {}) =>
  decisionOf({
    act: false,
    reason: "cooldown_active",
    because: "the target is in cooldown",
    untilMs: T0 + 300_000,
    ...over,
  });

describe("the log of decisions", () => {
  it("has one entry for as long as a decision stays, with its newest words", () => {
    const log = new DecisionLog();
    feed(log, 0, [calm()]);
    feed(log, 1, [held({ current: 400 })]);
    feed(log, 2, [held({ current: 450 })]);
    feed(log, 3, [calm()]);
    const { decisions, more } = log.find({ limit: 10 });
    expect(more).toBe(false);
    expect(decisions).toMatchObject([
      { id: 3, state: "ok", at: iso(3), ended_at: null, cycles: 1 },
      {
        ...{
          id: 2,
          state: "blocked",
          at: iso(1),
          ended_at: iso(3),
          cycles: 2,
          target: "product-api",
          metric: "p95_latency",
        },
        ...{
          decision: "cooldown_active",
          trigger: "pre_timeout",
          current: 450,
          probability: 1,
          playbook: null,
        },
        decision_until: new Date(T0 + 300_000).toISOString(),
        decision_detail:
          "blocked: forecast to reach 6500, over the hard limit 5000, but the target is in cooldown until 00:05:00 UTC",
      },
      { id: 1, state: "ok", decision: "below_slo", ended_at: iso(1) },
    ]);
  });

  it("can be asked for by target, signal, reason and state, page by page", () => {
    const log = new DecisionLog();
    const all = ["a", "b", "c"].flatMap((target) => [
      calm({ target }),
      held({ target, signal: "memory" }),
      blindOf({ target }),
    ]);
    feed(log, 0, all);
    const ids = (query: Omit<Parameters<DecisionLog["find"]>[0], "limit">, limit = 100) =>
      log.find({ ...query, limit }).decisions.map((e) => e.id);
    expect(ids({})).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(ids({ target: "b" })).toEqual([6, 5, 4]);
    expect(ids({ signal: "memory" })).toEqual([8, 5, 2]);
    expect(ids({ reason: "data_missing" })).toEqual([9, 6, 3]);
    expect(ids({ states: ["blocked", "no_data"], target: "c" })).toEqual([9, 8]);
    expect(log.find({ states: ["blocked"], limit: 2 })).toMatchObject({
      more: true,
      decisions: [{ id: 8 }, { id: 5 }],
    });
    expect(log.find({ states: ["blocked"], before: 5, limit: 2 })).toMatchObject({
      more: false,
      decisions: [{ id: 2 }],
    });
  });

  it("ends what is not decided on any more", () => {
    const log = new DecisionLog();
    feed(log, 0, [calm(), held({ target: "gone" })]);
    feed(log, 1, [calm()]);
    expect(log.find({ limit: 1 }).decisions).toMatchObject([{ target: "gone", ended_at: iso(1) }]);
  });

  it("has what was decided on playbooks", () => {
    const log = new DecisionLog();
    const playbook: PlaybookDecision = {
      ...{ playbook: "contain-backlog", act: false, reason: "cooldown_active", alerts: [] },
      ...{ blockedBy: "telemetry-gateway", untilMs: T0 + 60_000, detail: "the gateway is in cooldown" },
    };
    feed(log, 0, [], [playbook]);
    feed(log, 1, [], [{ ...playbook, act: true, reason: "alert", detail: "starts" }]);
    feed(log, 2, []);
    expect(log.find({ limit: 5 }).decisions).toMatchObject([
      {
        state: "acting",
        playbook: "contain-backlog",
        decision: "alert",
        decision_detail: "starts",
        ended_at: iso(2),
      },
      {
        state: "blocked",
        target: "telemetry-gateway",
        metric: "",
        decision_detail: "the gateway is in cooldown",
      },
    ]);
  });

  it("is bounded, and what is calm does not push out what is not", () => {
    const log = new DecisionLog();
    feed(log, 0, [held()]);
    for (let i = 1; i < 5000; i++)
      feed(log, i, [calm({ reason: i % 2 === 0 ? "below_slo" : "r2_below_min" })]);
    const { decisions } = log.find({ limit: 10_000 });
    expect(decisions.length).toBeLessThanOrEqual(2201);
    expect(decisions.at(-1)).toMatchObject({ id: 1, state: "blocked" });
    for (let i = 0; i < 5000; i++) feed(log, 5000 + i, [i % 2 === 0 ? held() : decisionOf()]);
    expect(log.find({ limit: 20_000, states: ["blocked", "acting"] }).decisions.length).toBeLessThanOrEqual(
      4200,
    );
  });
});

describe("the state of a decision", () => {
  it.each<[string, Decision]>([
    ["acting", decisionOf()],
    ["blocked", held()],
    ["no_data", blindOf()],
    ["at_risk", decisionOf({ act: false, reason: "weak_probability", trigger: undefined })],
    ["ok", calm()],
  ])("%s", (state, decision) => expect(stateOf(decision)).toBe(state));
});
