import { describe, expect, type TestContext, test } from "vitest";
import { waitFor } from "../setup/ports.ts";
import { type MitigateFate, startProxy } from "./kit/proxy.ts";
import { injectAndHeal, settled } from "./kit/scenarios.ts";
import { createWorld, quickConfig, TOKEN, type World } from "./kit/world.ts";

/** 50 ms a second for 100 s: decided within seconds, and risk that goes on when nobody acts. */
const LASTING = { name: "ramp", query: "mode=latency&inc=5000&over=100" } as const;
const TRIGGERS = ["pre_timeout", "strong", "confirmed"];

/** Tests that run at once must register their end with their own context. */
function freshWorld({ onTestFinished }: Pick<TestContext, "onTestFinished">): World {
  const world = createWorld();
  onTestFinished(() => world.end());
  return world;
}

async function quietService(world: World) {
  const service = await world.service();
  world.load(service.url, 30);
  const targets = [{ name: "product-api", url: service.url }];
  return { service, targets };
}

// Each test has its own processes, and most of its time passes waiting: they share the machine.
describe.concurrent("what holds the monitor back", () => {
  test("a token that is not accepted: nothing changes, it is said once, and there is no retry storm", async (context) => {
    const world = freshWorld(context);
    const { service, targets } = await quietService(world);
    const monitor = await world.monitor({ config: quickConfig({ targets }), env: { ADMIN_TOKEN: "not it" } });
    await settled(monitor);
    await service.inject(LASTING.query);
    const refused = await monitor.process.line("mitigation refused", { timeoutMs: 40_000 });
    expect(refused).toMatchObject({
      level: "error",
      mode: "auto",
      metric: "p95_latency",
      outcome: "refused",
    });
    expect(refused.outcome_detail).toMatch(/401/);

    await monitor.seriesWhere("p95_latency", (s) => s.decision === "cooldown_active");
    await monitor.moreCycles(5);
    const metrics = await monitor.metrics();
    expect(metrics.value("predict_mitigations_total", { outcome: "refused" })).toBe(1);
    expect(metrics.value("predict_mitigations_total")).toBe(1);
    expect(monitor.process.all("mitigation refused")).toHaveLength(1);
    expect(monitor.process.all("mitigation executed")).toEqual([]);
    expect(monitor.cycles().every((line) => line.action_taken === "none")).toBe(true);
    // The service: one refusal, no effect, still degraded.
    expect(service.process.all("admin call refused")).toMatchObject([{ status: 401 }]);
    expect(service.process.all("mitigation executed")).toEqual([]);
    expect(await service.faults()).toHaveProperty("latency");
    expect(service.process.stdout() + monitor.process.stdout()).not.toContain(TOKEN);
  });

  test("a restart within the cooldown: no second action until its end, which is named, then one", async (context) => {
    const world = freshWorld(context);
    const { service, targets } = await quietService(world);
    // The fault comes again at once, as if the action had not helped: here the pause must not grow by that.
    const extra = { guards: { backoff: { factor: 1 } } };
    const options = { config: quickConfig({ targets, cooldownS: 35, extra }) };
    const first = await world.monitor(options);
    await settled(first);
    const healed = await injectAndHeal({ service, monitor: first }, LASTING);
    const actedMs = Date.parse(String(healed.event.ts));
    await service.inject(LASTING.query);
    const held = await first.seriesWhere("p95_latency", (s) => s.decision === "cooldown_active");
    expect((await first.process.end("SIGTERM")).code).toBe(0);

    const second = await world.monitor(options);
    const again = await second.seriesWhere("p95_latency", (s) => s.decision === "cooldown_active");
    expect(TRIGGERS).toContain(again.trigger);
    expect(again.cooldown_active).toBe(true);
    // The same end, in both runs, in the machine's words and in the people's.
    const untilMs = Date.parse(String(again.decision_until));
    expect(Math.abs(untilMs - Date.parse(String(held.decision_until)))).toBeLessThan(5000);
    expect(Math.abs(untilMs - (actedMs + 35_000))).toBeLessThan(5000);
    expect(again.decision_detail).toMatch(/in cooldown until \d\d:\d\d:\d\d UTC/);
    expect(service.autoMitigations()).toHaveLength(1);

    const next = await second.process.line("mitigation executed", { timeoutMs: 45_000 });
    expect(Date.parse(String(next.ts)) - actedMs).toBeGreaterThan(30_000);
    expect(service.autoMitigations()).toHaveLength(2);
  });

  test("AUTO_HEAL=0: the same decision and the same words as shadow, and not one call", async (context) => {
    const world = freshWorld(context);
    const { service, targets } = await quietService(world);
    const monitor = await world.monitor({ config: quickConfig({ targets }), env: { AUTO_HEAL: "0" } });
    await settled(monitor);
    await service.inject(LASTING.query);
    const event = await monitor.process.line("mitigation executed", { timeoutMs: 40_000 });
    expect(event).toMatchObject({ mode: "shadow", target: "product-api", metric: "p95_latency" });
    expect(TRIGGERS).toContain(event.decision);
    expect(event).not.toHaveProperty("outcome");
    expect(Number(event.forecast)).toBeGreaterThan(300);

    await monitor.seriesWhere("p95_latency", (s) => s.decision === "cooldown_active");
    await monitor.moreCycles(3);
    expect(monitor.process.all("mitigation executed")).toHaveLength(1);
    expect((await monitor.metrics()).value("predict_mitigations_total", { outcome: "shadow" })).toBe(1);
    expect((await monitor.metrics()).value("predict_mitigations_total")).toBe(1);
    expect(monitor.cycles().every((line) => line.mode === "shadow" && line.action_taken === "none")).toBe(
      true,
    );
    await noCallReached(service.url);
    expect(service.process.all("mitigation executed")).toEqual([]);
    expect(await service.faults()).toHaveProperty("latency");
  });

  test("the kill switch by reload: from then on not one call", async (context) => {
    const world = freshWorld(context);
    const { service, targets } = await quietService(world);
    const config = quickConfig({ targets });
    const monitor = await world.monitor({ config });
    await settled(monitor);
    monitor.rewrite({ ...config, auto_heal: false });
    monitor.process.signal("SIGHUP");
    expect(await monitor.process.line("configuration reloaded")).toMatchObject({ mode: "shadow" });
    await service.inject(LASTING.query);
    const event = await monitor.process.line("mitigation executed", { timeoutMs: 40_000 });
    expect(event.mode).toBe("shadow");
    await monitor.moreCycles(3);
    await noCallReached(service.url);
    expect(await service.faults()).toHaveProperty("latency");

    // And back: the next lasting risk is acted on by a call.
    monitor.rewrite(config);
    monitor.process.signal("SIGHUP");
    await waitFor(() => monitor.process.all("configuration reloaded").length === 2, {
      what: "the second reload",
    });
    await monitor.process.line("mitigation executed", { also: (l) => l.mode === "auto", timeoutMs: 40_000 });
    expect(service.autoMitigations()).toHaveLength(1);
  });
});

describe.concurrent("the monitor killed between intent and outcome", () => {
  const cases: { title: string; fate: MitigateFate; effectsAtKill: number }[] = [
    { title: "the call had reached the service", fate: "lose", effectsAtKill: 1 },
    { title: "the call had not reached the service", fate: "swallow", effectsAtKill: 0 },
  ];
  test.for(cases)(
    "$title: after the restart it is settled, with one effect in all",
    async (given, { onTestFinished }) => {
      const world = createWorld();
      onTestFinished(() => world.end());
      const service = await world.service();
      world.load(service.url, 30);
      const proxy = await startProxy(service.url, given.fate);
      world.onEnd(() => proxy.close());
      const options = { config: quickConfig({ targets: [{ name: "product-api", url: proxy.url }] }) };
      const first = await world.monitor(options);
      await settled(first);
      await service.inject(LASTING.query);
      await waitFor(() => proxy.mitigateCalls() > 0, { what: "the call of the monitor", timeoutMs: 40_000 });
      await waitFor(() => service.autoMitigations().length === given.effectsAtKill, { what: "the effect" });
      await first.process.end("SIGKILL");
      expect(first.process.all("mitigation executed")).toEqual([]);
      proxy.setFate("pass");

      const second = await world.monitor(options);
      const line = await second.process.line("mitigation reconciled");
      expect(line).toMatchObject({ target: "product-api", metric: "p95_latency", outcome: "applied" });
      expect((await second.metrics()).value("predict_mitigations_total", { outcome: "applied" })).toBe(1);
      await waitFor(() => service.autoMitigations().length > 0, { what: "the effect at the service" });
      await second.moreCycles(5);
      // One effect, under the key of the intent that the first run had written down.
      expect(service.autoMitigations()).toMatchObject([{ idempotency_key: line.intent }]);
      expect(await service.faults()).toEqual({});
      expect(second.process.all("mitigation reconciled")).toHaveLength(1);
      expect(second.process.all("mitigation executed")).toEqual([]);

      // Settled for good: a third run finds nothing left to do.
      expect((await second.process.end("SIGTERM")).code).toBe(0);
      const third = await world.monitor(options);
      await third.moreCycles(3);
      expect(third.process.all("mitigation reconciled")).toEqual([]);
      expect(service.autoMitigations()).toHaveLength(1);
    },
  );
});

/** Every call of the monitor carries its epoch, also one that is refused for its key: a service that has seen none was never called. */
async function noCallReached(url: string): Promise<void> {
  const answer = await fetch(`${url}/admin/faults`, { headers: { "x-admin-token": TOKEN } });
  expect(await answer.json()).toMatchObject({ highest_epoch: null });
}
