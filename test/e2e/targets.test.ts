import { describe, expect, type TestContext, test } from "vitest";
import { hang, startFaultServer } from "../setup/fault-server.ts";
import { requireServer } from "../setup/require-server.ts";
import { injectAndHeal, STEP, settled } from "./kit/scenarios.ts";
import { createWorld, quickConfig, type ServiceHandle, type World } from "./kit/world.ts";

const RAMP = { name: "ramp", query: "mode=latency&inc=5000&over=100" } as const;

function freshWorld({ onTestFinished }: Pick<TestContext, "onTestFinished">): World {
  const world = createWorld();
  onTestFinished(() => world.end());
  return world;
}

/** Two instances under the same load, and one target made of them. */
async function pair(world: World, env: readonly [Record<string, string>, Record<string, string>] = [{}, {}]) {
  const instances: [ServiceHandle, ServiceHandle] = [
    await world.service({ env: env[0] }),
    await world.service({ env: env[1] }),
  ];
  for (const { url } of instances) world.load(url, 20);
  const targets = [{ name: "product-api", urls: instances.map(({ url }) => url) }];
  return { instances, targets };
}

describe.concurrent("targets of several instances", () => {
  test("the action goes to every instance, under one key, with an outcome each", async (context) => {
    const world = freshWorld(context);
    const { instances, targets } = await pair(world);
    const [a, b] = instances;
    const monitor = await world.monitor({ config: quickConfig({ targets }) });
    await settled(monitor);
    await b.inject(RAMP.query);
    const { event } = await injectAndHeal({ service: a, monitor }, RAMP);
    expect(event).toMatchObject({ outcome: "applied", target: "product-api" });
    expect(String(event.outcome_detail).split("; ")).toEqual([
      expect.stringContaining(`${a.name}: applied`),
      expect.stringContaining(`${b.name}: applied`),
    ]);
    await monitor.moreCycles(2);
    for (const instance of instances) {
      expect(instance.autoMitigations()).toMatchObject([{ idempotency_key: event.intent }]);
      expect(await instance.faults()).toEqual({});
    }
    expect((await monitor.metrics()).value("predict_mitigations_total")).toBe(1);
  });

  test("an instance that refuses: partial, said as such; the other is healed, and nothing is repeated", async (context) => {
    const world = freshWorld(context);
    const { instances, targets } = await pair(world, [{}, { ADMIN_TOKEN: "another one" }]);
    const [a, b] = instances;
    const monitor = await world.monitor({ config: quickConfig({ targets }) });
    await settled(monitor);
    await b.inject(RAMP.query);
    const { event } = await injectAndHeal({ service: a, monitor }, RAMP);
    expect(event).toMatchObject({ level: "warn", outcome: "partial" });
    expect(event.outcome_detail).toContain(`${a.name}: applied`);
    expect(event.outcome_detail).toContain(`${b.name}: refused`);
    await monitor.moreCycles(5);
    expect(await a.faults()).toEqual({});
    expect(await b.faults()).toHaveProperty("latency");
    expect(a.autoMitigations()).toHaveLength(1);
    expect(b.autoMitigations()).toEqual([]);
    expect(b.process.all("admin call refused")).toMatchObject([{ status: 401 }]);
    const metrics = await monitor.metrics();
    expect(metrics.value("predict_mitigations_total", { outcome: "partial" })).toBe(1);
  });

  test("one instance down: partial data are no data, so the target is held, and the instance is named", async (context) => {
    const world = freshWorld(context);
    const { instances, targets } = await pair(world);
    const [a, b] = instances;
    const monitor = await world.monitor({ config: quickConfig({ targets }) });
    await settled(monitor);
    await b.process.destroy();
    await a.inject(STEP.query);
    const held = await monitor.seriesWhere("p95_latency", (s) => s.decision === "data_invalid");
    expect(held.current).toBeNull();
    expect(held.decision_detail).toContain(`partial: 1 of 2 instances gave no page (${b.name}`);
    const from = monitor.cycles().length;
    await monitor.moreCycles(8);
    // Every signal, every cycle: nothing is decided on a half.
    const since = monitor
      .cycles()
      .slice(from)
      .flatMap((line) => line.signals as { decision: string }[]);
    expect(new Set(since.map((s) => s.decision))).toEqual(new Set(["data_invalid"]));
    expect(monitor.process.all("mitigation executed")).toEqual([]);
    expect(a.process.all("mitigation executed")).toEqual([]);
  });
});

describe.concurrent("targets and sources that do not answer", () => {
  test("a target that accepts and never answers: cycles stay bounded, and the other target is healed", async (context) => {
    const world = freshWorld(context);
    const silent = await startFaultServer(hang());
    world.onEnd(() => silent.close());
    const service = await world.service();
    world.load(service.url, 30);
    const targets = [
      { name: "silent", url: silent.url },
      { name: "product-api", url: service.url },
    ];
    const monitor = await world.monitor({ config: quickConfig({ targets }) });
    await settled(monitor);
    await injectAndHeal({ service, monitor }, STEP);
    expect(silent.requests()).toBeGreaterThan(5);
    expect(new Set(monitor.series("p95_latency", "silent").map((s) => s.decision))).toEqual(
      new Set(["data_unreachable"]),
    );
    // The deadline of a scrape is 80 % of the cycle; a busy machine may overrun it now and then, not as a rule.
    const quiet = monitor.cycles().filter((line) => line.action_taken === "none");
    const took = quiet.map((line) => Number(line.duration_ms)).sort((a, b) => a - b);
    expect(took[Math.floor(took.length / 2)]).toBeLessThan(1000);
    expect(took.at(-1)).toBeLessThan(10_000);
    expect((await monitor.metrics()).value("predict_mitigations_total", { target: "silent" })).toBe(0);
    const ended = await monitor.process.end("SIGTERM");
    expect(ended.code).toBe(0);
  });

  test("a PromQL that finds nothing: data_missing in every cycle, and no action on a degraded service", async (context) => {
    const world = freshWorld(context);
    const service = await world.service();
    world.load(service.url, 30);
    const binary = requireServer("prometheus", context);
    const prometheus = await world.prometheus({ binary, targets: [service.name] });
    const config = quickConfig({
      targets: [{ name: "product-api", url: service.url }],
      order: ["prometheus"],
      prometheusUrl: prometheus.url,
      extra: {
        signals: {
          memory: { limit: 1_000_000_000 },
          p95_latency: { query: 'max by ($by) (no_such_metric{job=~"$jobs"})' },
        },
      },
    });
    const monitor = await world.monitor({ config });
    // Prometheus itself answers: memory is seen.
    await monitor.seriesWhere("memory", (s) => s.current !== null);
    await service.inject(STEP.query);
    await monitor.moreCycles(10);
    const seen = monitor.series("p95_latency").slice(-10);
    expect(seen.map((s) => s.decision)).toEqual(Array(10).fill("data_missing"));
    expect(seen.every((s) => s.current === null && s.forecast === null)).toBe(true);
    const metrics = await monitor.metrics();
    expect(metrics.value("predict_decisions_total", { reason: "data_missing" })).toBeGreaterThanOrEqual(10);
    // Unknown is not zero: there is no such series.
    expect(metrics.value("predict_observed", { signal: "p95_latency" })).toBeUndefined();
    expect(metrics.value("predict_forecast", { signal: "p95_latency" })).toBeUndefined();
    expect(monitor.process.all("mitigation executed")).toEqual([]);
    expect(service.process.all("mitigation executed")).toEqual([]);
  });
});
