import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { actionKinds } from "../../src/monitor/actions/index.ts";
import type { ActionPlugin } from "../../src/monitor/actions/shared/context.ts";
import { createServiceAction } from "../../src/monitor/actions/shared/service.ts";
import type { Intent } from "../../src/monitor/kernel/action.ts";
import type { Parameters } from "../../src/monitor/kernel/plugin.ts";
import type { Instance } from "../../src/monitor/kernel/target.ts";
import { TOKEN, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { startServiceFromEnv } from "../../src/services/registry.ts";
import { reading, startGateway, type TestGateway } from "../gateway/start.ts";
import { startRecommender, type TestRecommender } from "../recommender/start.ts";

// Each kind of action of a service, carried out on the real service by the monitor's own code.

const dispatcher = new Agent();
const limits = {
  dispatcher,
  tokens: () => [TOKEN],
  attemptTimeoutMs: 5_000,
  totalTimeoutMs: 10_000,
  retry: { maxAttempts: 2, baseMs: 10, maxMs: 100 },
  maxResponseBytes: 65_536,
  random: Math.random,
  sleep: async (ms: number) => void (await sleep(ms)),
};
const rulesOf = (kind: string) => actionKinds.get(kind) as ActionPlugin;
afterAll(() => dispatcher.destroy());

let dir: ReturnType<typeof temporaryDirectory>;
let count = 0;
beforeEach(() => {
  dir = temporaryDirectory();
});

function intentOf(kind: string, parameters: Parameters): Intent {
  count += 1;
  return {
    id: `intent-${count}`,
    kind,
    target: "service",
    signal: "backlog",
    trigger: "strong",
    predictor: "linear",
    parameters,
    epoch: 7,
    at: { wallMs: 1, monoMs: 1 },
    bootId: "boot",
  };
}

/** Carries an action out; then the same intent again, and asks what became of it: neither has a second effect. */
async function carryOut(kind: string, url: string, parameters: Parameters = {}) {
  const intent = intentOf(kind, parameters);
  const instance: Instance = { name: "service:1", url, adminUrl: url };
  const action = createServiceAction(rulesOf(kind), limits);
  const signal = AbortSignal.timeout(10_000);
  const first = await action.execute(intent, instance, signal);
  expect(first, first.detail).toMatchObject({ status: "applied", httpStatus: 200 });
  const again = await action.execute(intent, instance, signal);
  expect(again).toMatchObject({ status: "already_applied", answer: first.answer });
  const known = await action.reconcile(intent, instance, signal);
  expect(known).toMatchObject({ status: "already_applied", answer: first.answer });
  const stranger = await action.reconcile(intentOf(kind, parameters), instance, signal);
  expect(stranger.status).toBe("failed");
  return first.answer;
}

/** Carries out what takes the action back by default. */
function rollback(kind: string, url: string, parameters: Parameters) {
  const undo = rulesOf(kind).undo?.(parameters);
  if (undo === undefined) throw new Error(`${kind} has no undo`);
  return carryOut(undo.kind as string, url, undo.parameters);
}

describe("on a telemetry-gateway", () => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await startGateway({ dataDir: dir.path });
  });
  afterEach(async () => {
    await gateway.close();
    dir.remove();
  });
  const send = async (id: string, region: string) =>
    (await gateway.post({ region, device: "pump-7", messages: [reading(id)] })).status;

  it("a region is isolated, and released by what takes it back", async () => {
    const parameters = { region: "us-east-1", seconds: "600" };
    await carryOut("isolate-region", gateway.url, parameters);
    expect([await send("1", "us-east-1"), await send("1", "sa-east-1")]).toEqual([503, 202]);
    expect(await rollback("isolate-region", gateway.url, parameters)).toMatchObject({ was_isolated: true });
    expect(await send("1", "us-east-1")).toBe(202);
  });

  it("a limit without a region holds every region, and is taken back before its time", async () => {
    const parameters = { per_second: "1", seconds: "600" };
    await carryOut("set-rate-limit", gateway.url, parameters);
    const statuses = async (id: string) =>
      Promise.all(["us-east-1", "sa-east-1"].map((region) => send(id, region)));
    expect(await statuses("1")).toEqual([202, 202]);
    expect(await statuses("2")).toEqual([429, 429]);
    expect(await rollback("set-rate-limit", gateway.url, parameters)).toEqual({
      action: "reset-rate-limit",
      region: "all",
      reset: ["us-east-1", "eu-central-1", "sa-east-1", "us-west-2"],
    });
    expect(await gateway.metric("telemetry_rate_limit", "us-east-1")).toBe(10_000);
    // A bucket that was empty fills at the default rate: one token in 0.1 ms.
    expect(await statuses("3")).toEqual([202, 202]);
  });

  it("a limit of one region, too, and it outlasts a restart as its end does", async () => {
    const parameters = { region: "us-east-1", per_second: "1", seconds: "600" };
    await carryOut("set-rate-limit", gateway.url, parameters);
    await carryOut("set-rate-limit", gateway.url, { ...parameters, region: "sa-east-1" });
    expect(await rollback("set-rate-limit", gateway.url, parameters)).toMatchObject({
      region: "us-east-1",
      reset: ["us-east-1"],
    });
    await gateway.close();
    gateway = await startGateway({ dataDir: dir.path });
    expect(await gateway.metric("telemetry_rate_limit", "us-east-1")).toBe(10_000);
    expect(await gateway.metric("telemetry_rate_limit", "sa-east-1")).toBe(1);
  });

  it("dead letters are put back once", async () => {
    expect(
      (await gateway.post({ region: "us-east-1", device: "pump-7", messages: [{ id: 7 }] })).status,
    ).toBe(400);
    expect(await carryOut("replay-dead-letters", gateway.url, { limit: "10" })).toMatchObject({
      action: "replay-dead-letters",
    });
  });

  it("a region that it does not know is refused by the gateway, naming the ones it has", async () => {
    const intent = intentOf("isolate-region", { region: "mars", seconds: "60" });
    const signal = AbortSignal.timeout(10_000);
    const instance = { name: "service:1", url: gateway.url, adminUrl: gateway.url };
    const outcome = await createServiceAction(rulesOf("isolate-region"), limits).execute(
      intent,
      instance,
      signal,
    );
    expect(outcome).toMatchObject({ status: "refused", httpStatus: 400 });
    expect(outcome.answer).toMatchObject({ parameter: "region" });
  });
});

describe("on a recommender", () => {
  let recommender: TestRecommender;
  beforeEach(async () => {
    recommender = await startRecommender({ dataDir: dir.path });
  });
  afterEach(async () => {
    await recommender.close();
    dir.remove();
  });

  it("the fallback is forced, and released by what takes it back", async () => {
    const parameters = { seconds: "600" };
    expect(await carryOut("force-fallback", recommender.url, parameters)).toMatchObject({
      forced_fallback: true,
      seconds: 600,
    });
    expect(await rollback("force-fallback", recommender.url, parameters)).toMatchObject({
      forced_fallback: false,
      was_forced: true,
    });
  });

  it("the stream is paused and resumed, and a training starts", async () => {
    const parameters = { seconds: "600" };
    expect(await carryOut("pause-stream", recommender.url, parameters)).toMatchObject({
      stream_paused: true,
    });
    await carryOut("retrain", recommender.url);
    expect(await rollback("pause-stream", recommender.url, parameters)).toMatchObject({
      stream_paused: false,
      was_paused: true,
    });
  });
});

describe("on other services", () => {
  const running: Awaited<ReturnType<typeof startServiceFromEnv>>[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.close()));
    dir.remove();
  });
  const start = async (name: string) => {
    const service = await startServiceFromEnv(
      name,
      { HELIUS_DATA_DIR: dir.path, ADMIN_TOKEN: TOKEN },
      { "web.listen-address": "127.0.0.1:0" },
      { write: () => {} },
    );
    running.push(service);
    return service;
  };

  it("the plain mitigation resets a product-api", async () => {
    const api = await start("product-api");
    await fetch(`${api.url}/admin/fault?mode=leak&kb=50`, {
      method: "POST",
      headers: { "x-admin-token": TOKEN },
    });
    expect(await carryOut("mitigate", api.url)).toEqual({ reset_latency: true, freed_chunks: 1 });
  });

  it("an llm-router takes its dead letters back, and knows no regions", async () => {
    const router = await start("llm-router");
    expect(await carryOut("replay-dead-letters", router.url, { limit: "5" })).toEqual({ replayed: 0 });
    const intent = intentOf("isolate-region", { region: "us-east-1", seconds: "60" });
    const outcome = await createServiceAction(rulesOf("isolate-region"), limits).execute(
      intent,
      { name: "service:1", url: router.url, adminUrl: router.url },
      AbortSignal.timeout(10_000),
    );
    expect(outcome).toMatchObject({ status: "refused", httpStatus: 400 });
    expect(outcome.detail).toContain('unknown action "isolate-region"');
  });
});
