import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { GuardReport } from "../guards/guard.ts";
import { GUARD_NAMES } from "../guards/index.ts";
import { createGuardMetrics } from "./guard-metrics.ts";

const CALM: GuardReport = {
  holding: [],
  blocked: [],
  budgets: [
    { scope: "fleet", left: 10 },
    { scope: "target:shop", left: 4 },
  ],
  verifications: [],
  escalated: [{ target: "shop", escalated: false }],
  paused: false,
  storm: false,
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
    const storm: GuardReport = {
      ...CALM,
      holding: ["storm_hold", "escalated"],
      blocked: [
        { guard: "storm_hold", target: "shop", signal: "memory" },
        { guard: "storm_hold", target: "other", signal: "memory" },
      ],
      budgets: [{ scope: "fleet", left: 0 }],
      verifications: [{ target: "shop", outcome: "ineffective" }],
      escalated: [{ target: "shop", escalated: true }],
      paused: true,
      storm: true,
    };
    metrics.record(storm);
    metrics.record(storm);
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
    metrics.record({ ...CALM, holding: ["paused"], paused: true, storm: true });
    metrics.record({ ...CALM, budgets: [{ scope: "fleet", left: 9 }], escalated: [] });
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
