import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { GuardReport } from "../guards/guard.ts";
import { GUARD_NAMES } from "../guards/index.ts";
import { createGuardMetrics } from "./guard-metrics.ts";

const budgets = (...left: readonly (readonly [string, number])[]) =>
  left.map(([scope, value]) => ({ name: "predict_budget_left", labels: { scope }, value }));
const escalated = (value: number) => ({ name: "predict_escalated", labels: { target: "shop" }, value });
const paused = (value: number) => ({ name: "predict_paused", labels: {}, value });
const storm = (value: number) => ({ name: "predict_storm", labels: {}, value });

const CALM: GuardReport = {
  holding: [],
  blocked: [],
  measured: [...budgets(["fleet", 10], ["target:shop", 4]), escalated(0), paused(0), storm(0)],
  verifications: [],
};

function setup() {
  const registry = new Registry();
  const metrics = createGuardMetrics(registry);
  const series = async (name: string) =>
    (await registry.metrics())
      .split("\n")
      .filter((l) => l.startsWith(`${name}{`) || l.startsWith(`${name} `));
  return { metrics, series };
}

describe("metrics of the guards", () => {
  it("show what holds now, and count what was blocked", async () => {
    const { metrics, series } = setup();
    const stormy: GuardReport = {
      ...CALM,
      holding: ["storm_hold", "escalated"],
      blocked: [
        { guard: "storm_hold", target: "shop", signal: "memory" },
        { guard: "storm_hold", target: "other", signal: "memory" },
      ],
      measured: [...budgets(["fleet", 0]), escalated(1), paused(1), storm(1)],
      verifications: [{ target: "shop", outcome: "ineffective" }],
    };
    metrics.record(stormy);
    metrics.record(stormy);
    expect(await series("predict_guard_holding")).toHaveLength(GUARD_NAMES.length);
    expect(await series("predict_guard_holding")).toContain('predict_guard_holding{guard="storm_hold"} 1');
    expect(await series("predict_guard_holding")).toContain('predict_guard_holding{guard="paused"} 0');
    expect(await series("predict_guard_holds_total")).toContain(
      'predict_guard_holds_total{guard="storm_hold"} 4',
    );
    expect(await series("predict_budget_left")).toEqual(['predict_budget_left{scope="fleet"} 0']);
    expect(await series("predict_verifications_total")).toEqual([
      'predict_verifications_total{target="shop",outcome="ineffective"} 2',
    ]);
    expect(await series("predict_escalated")).toEqual(['predict_escalated{target="shop"} 1']);
    expect(await series("predict_paused")).toEqual(["predict_paused 1"]);
    expect(await series("predict_storm")).toEqual(["predict_storm 1"]);
  });

  it("follow the newest cycle: what is over is 0, what is gone has no series", async () => {
    const { metrics, series } = setup();
    metrics.record({ ...CALM, holding: ["paused"], measured: [escalated(1), paused(1), storm(1)] });
    metrics.record({ ...CALM, measured: [...budgets(["fleet", 9]), paused(0), storm(0)] });
    expect(await series("predict_guard_holding")).toContain('predict_guard_holding{guard="paused"} 0');
    expect(await series("predict_budget_left")).toEqual(['predict_budget_left{scope="fleet"} 9']);
    expect(await series("predict_escalated")).toEqual([]);
    expect([await series("predict_paused"), await series("predict_storm")]).toEqual([
      ["predict_paused 0"],
      ["predict_storm 0"],
    ]);
  });

  it("have the counters of every guard from the start", async () => {
    const { series } = setup();
    expect(await series("predict_guard_holds_total")).toEqual(
      GUARD_NAMES.map((guard) => `predict_guard_holds_total{guard="${guard}"} 0`),
    );
    expect(await series("predict_verifications_total")).toEqual([]);
  });
});
