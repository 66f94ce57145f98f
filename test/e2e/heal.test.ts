import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requireServer } from "../setup/require-server.ts";
import { figure, HARD_LIMIT_MS, injectAndHeal, RAMP, STEP, setStage } from "./kit/scenarios.ts";
import { createWorld, type World } from "./kit/world.ts";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

const tell = (line: string) => void process.stdout.write(`${line}\n`);

describe("the loop with real processes", () => {
  test("a latency ramp is foreseen and healed, on what a real Prometheus scraped", async (context) => {
    const stage = await setStage(world, { prometheus: requireServer("prometheus", context) });
    const { service, monitor } = stage;
    const healed = await injectAndHeal(stage, RAMP);
    tell(figure(healed));

    expect(healed.event).toMatchObject({
      job: "predictive-monitor",
      mode: "auto",
      target: "product-api",
      metric: "p95_latency",
      outcome: "applied",
      source: "prometheus",
      unix_ts: expect.any(Number),
      threshold: expect.any(Number),
    });
    expect(Number.isInteger(healed.event.unix_ts)).toBe(true);
    expect(Number(healed.event.forecast)).toBeGreaterThan(0);
    // Foreseen: what was seen is far from the hard limit, and the ramp itself had not got there either.
    expect(healed.p95Ms).toBeLessThan(HARD_LIMIT_MS / 5);
    expect(Math.max(...monitor.series("p95_latency").map((s) => s.current ?? 0))).toBeLessThan(HARD_LIMIT_MS);

    expect(healed.served).toMatchObject({
      job: "product-api",
      mode: "auto",
      reset_latency: true,
      freed_chunks: 0,
    });
    expect(Number.isInteger(healed.served.unix_ts)).toBe(true);
    expect(service.process.all("manual mitigation executed")).toEqual([]);
    expect(await service.faults()).toEqual({});

    // It really helped: the customers' latency is back within its SLO, on samples from after the action.
    await monitor.seriesWhere("p95_latency", (s) => s.decision === "below_slo" && (s.current ?? 300) < 300);
    const metrics = await monitor.metrics();
    const applied = { target: "product-api", signal: "p95_latency", outcome: "applied" };
    expect(metrics.value("predict_mitigations_total", applied)).toBe(1);
    expect(metrics.value("predict_mitigations_total")).toBe(1);
    expect(metrics.value("predict_cycles_total")).toBeGreaterThanOrEqual(10);
    expect(metrics.value("predict_cooldown_active", { target: "product-api" })).toBe(1);
    expect(metrics.value("predict_since_last_mitigation_seconds")).toBeLessThan(60);
    expect(metrics.value("predict_source_up", { source: "prometheus" })).toBe(1);
    expect(metrics.value("predict_build_info")).toBe(1);
    expect(metrics.value("predict_decisions_total", { reason: String(healed.event.decision) })).toBe(1);
    const told = monitor.cycles().filter((line) => line.action_taken === "mitigation");
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ breach_any: true, decision: healed.event.decision });
  });

  test("a step of two seconds is healed, on what the monitor scraped itself", async () => {
    const stage = await setStage(world);
    const healed = await injectAndHeal(stage, STEP);
    tell(figure(healed));

    expect(healed.event).toMatchObject({ mode: "auto", outcome: "applied", source: "scrape" });
    expect(healed.secondsToMitigation).toBeLessThan(20);
    expect(await stage.service.faults()).toEqual({});
    await stage.monitor.seriesWhere("p95_latency", (s) => s.current !== null && s.current < 300);
    // One action was enough, and the cooldown would have allowed no second.
    expect(stage.service.autoMitigations()).toHaveLength(1);
    expect(stage.monitor.process.all("mitigation executed")).toHaveLength(1);
  });

  test("when Prometheus is killed the decisions go on from the scrape, and a ramp is still healed", async (context) => {
    const stage = await setStage(world, { prometheus: requireServer("prometheus", context) });
    const { monitor, prometheus } = stage;
    expect(monitor.series("p95_latency").at(-1)?.source).toBe("prometheus");

    await prometheus?.kill();
    const after = await monitor.seriesWhere("p95_latency", (s) => s.source === "scrape");
    // The fall-back was warm: there is a forecast at once, not after a window of samples.
    expect(after).toMatchObject({ decision: "below_slo", forecast: expect.any(Number) });
    expect((await monitor.metrics()).value("predict_source_up", { source: "prometheus" })).toBe(0);

    const healed = await injectAndHeal(stage, RAMP);
    tell(`${figure(healed)} (Prometheus killed)`);
    expect(healed.event).toMatchObject({ source: "scrape", metric: "p95_latency", outcome: "applied" });
    expect(healed.p95Ms).toBeLessThan(HARD_LIMIT_MS / 5);
    const blind = monitor.series("p95_latency").filter((s) => s.decision.startsWith("data_"));
    // Before the first two scrapes there is no rate; after that no cycle was without data.
    expect(blind.length).toBeLessThanOrEqual(4);
  });
});
