import { describe, expect, type TestContext, test } from "vitest";
import { readRepository } from "../containers/compose.ts";
import { type RunningAlertmanager, startAlertmanager } from "../setup/alertmanager.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { requireServer } from "../setup/require-server.ts";
import { createWorld, type MonitorHandle, quickConfig, TOKEN, type World } from "./kit/world.ts";

/** Whom the monitor listens to here; the services know another token. */
const WEB_TOKEN = "what Alertmanager says";
const LABELS = {
  alertname: "PipelineBacklogHigh",
  job: "telemetry-gateway",
  queue: "telemetry",
  severity: "critical",
  containment: "true",
};

function freshWorld({ onTestFinished }: Pick<TestContext, "onTestFinished">): World {
  const world = createWorld();
  onTestFinished(() => world.end());
  return world;
}

/** A real Alertmanager on the configuration that is shipped, but for the address and the token's file. */
async function alertmanager(
  world: World,
  context: TestContext,
  to: { monitorUrl: string; token: string },
): Promise<RunningAlertmanager> {
  const shipped = readRepository("alertmanager/alertmanager.yml");
  const config = shipped
    .replace("http://predictive-monitor:9105", to.monitorUrl)
    .replace("credentials_file: /run/secrets/web_token", "credentials_file: token");
  expect(config).toContain(to.monitorUrl);
  expect(config).toContain("credentials_file: token");
  const running = await startAlertmanager({
    binary: requireServer("alertmanager", context),
    config,
    files: {
      token: `${to.token}\n`,
      "templates/helius.tmpl": readRepository("alertmanager/templates/helius.tmpl"),
    },
  });
  world.onEnd(() => running.kill());
  return running;
}

async function tell({ url }: RunningAlertmanager, alert: { startsAt: Date; endsAt?: Date }): Promise<void> {
  const answer = await fetch(`${url}/api/v2/alerts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify([{ labels: LABELS, ...alert }]),
  });
  expect(answer.status, await answer.text()).toBe(200);
}

async function gateway(world: World) {
  const process = world.spawn(["service", "telemetry-gateway", "--web.listen-address=127.0.0.1:0"], {
    ADMIN_TOKEN: TOKEN,
    HELIUS_DATA_DIR: world.dir,
    GATEWAY_MQTT_PORT: "0",
  });
  const { port } = await process.line("service listening");
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    process,
    /** Messages a second that each region may send. */
    limits: async () => {
      const page = await (await fetch(`${url}/metrics`)).text();
      return [...page.matchAll(/^telemetry_rate_limit\{[^}]*\} (\S+)$/gm)].map((m) => Number(m[1]));
    },
  };
}

const firing = async (monitor: MonitorHandle) => (await monitor.metrics()).value("predict_alerts_firing");

describe("alerts of a real Alertmanager", () => {
  test("run the playbook, outlive a kill -9, and take it back when they resolve", async (context) => {
    const world = freshWorld(context);
    const service = await gateway(world);
    const port = await freePort();
    const start = () =>
      world.monitor({
        config: quickConfig({
          targets: [{ name: "telemetry-gateway", url: service.url }],
          extra: { web: { token_file: world.file("web-token", `${WEB_TOKEN}\n`) } },
        }),
        port,
      });
    const first = await start();
    const manager = await alertmanager(world, context, { monitorUrl: first.url, token: WEB_TOKEN });
    expect(await service.limits()).toEqual([10_000, 10_000, 10_000, 10_000]);

    const startsAt = new Date(Date.now() - 5000);
    await tell(manager, { startsAt });
    const told = await first.process.line("alert firing", { timeoutMs: 60_000 });
    expect(told).toMatchObject({ alert: "PipelineBacklogHigh", starts_at: startsAt.toISOString() });
    expect(told.labels).toContain('job="telemetry-gateway"');
    await waitFor(async () => (await service.limits()).every((limit) => limit === 20), {
      what: "the gateway's rate limit to be cut",
      timeoutMs: 60_000,
    });
    expect(await firing(first)).toBe(1);

    await first.process.destroy();
    const second = await start();
    // Known from the disk: nothing was told to this process yet, or only the same again.
    expect(await firing(second)).toBe(1);
    expect(second.process.all("alert firing")).toEqual([]);
    await second.moreCycles(3);
    // Of its regions nothing is known here: the rate is cut, and the gateway itself healed.
    expect(service.process.all("mitigation executed").map((line) => line.action ?? "mitigate")).toEqual([
      "set-rate-limit",
      "mitigate",
    ]);

    await tell(manager, { startsAt, endsAt: new Date() });
    await second.process.line("alert resolved", { timeoutMs: 30_000 });
    await waitFor(async () => (await service.limits()).every((limit) => limit === 10_000), {
      what: "the gateway's rate limit to be taken back",
      timeoutMs: 60_000,
    });
    expect(await firing(second)).toBe(0);
    const metrics = await second.metrics();
    expect(metrics.value("predict_alerts_received_total", { status: "resolved" })).toBeGreaterThanOrEqual(1);
    expect(metrics.value("predict_alerts_rejected_total")).toBe(0);
    const logs = second.process.stdout() + first.process.stdout();
    expect(logs).not.toContain(WEB_TOKEN);
  });

  test("with another token tell nothing: it is counted, and Alertmanager knows", async (context) => {
    const world = freshWorld(context);
    const service = await gateway(world);
    const monitor = await world.monitor({
      config: quickConfig({ targets: [{ name: "telemetry-gateway", url: service.url }] }),
    });
    const manager = await alertmanager(world, context, { monitorUrl: monitor.url, token: "not it" });
    await tell(manager, { startsAt: new Date() });
    const refused = await monitor.process.line("api call refused", { timeoutMs: 60_000 });
    expect(refused).toMatchObject({ level: "warn", remote: "127.0.0.1", reason: "wrong" });
    await monitor.moreCycles(3);
    expect(await firing(monitor)).toBe(0);
    expect((await monitor.metrics()).value("predict_api_calls_refused_total")).toBeGreaterThanOrEqual(1);
    expect(monitor.process.all("alert firing")).toEqual([]);
    expect(await service.limits()).toEqual([10_000, 10_000, 10_000, 10_000]);
    const own = await (await fetch(`${manager.url}/metrics`)).text();
    const failed = /^alertmanager_notifications_failed_total\{[^}]*integration="webhook"[^}]*\} (\d+)$/m.exec(
      own,
    );
    expect(Number(failed?.[1])).toBeGreaterThanOrEqual(1);
  });
});
