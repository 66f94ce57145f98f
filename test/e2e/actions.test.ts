import { expect, type TestContext, test } from "vitest";
import { kubeconfigText, startApi } from "../../src/monitor/actions/rollout-restart/cluster.testkit.ts";
import { answering, startService } from "../../src/monitor/actions/shared/service.testkit.ts";
import { startAlertmanager } from "../setup/alertmanager.ts";
import { waitFor } from "../setup/ports.ts";
import { requireServer } from "../setup/require-server.ts";
import { createWorld, type MonitorHandle, quickConfig, TOKEN, type World } from "./kit/world.ts";

/** A real Alertmanager that tells the monitor of every alert at once. */
async function alertmanager(world: World, context: TestContext, monitor: MonitorHandle) {
  const running = await startAlertmanager({
    binary: requireServer("alertmanager", context),
    config: `
route: { receiver: monitor, group_by: [alertname], group_wait: 100ms, group_interval: 1s, repeat_interval: 5m }
receivers:
  - name: monitor
    webhook_configs:
      - url: ${monitor.url}/api/v1/alerts/webhook
        http_config: { authorization: { credentials: ${TOKEN} } }
`,
  });
  world.onEnd(() => running.kill());
  return async (alert: { startsAt: Date; endsAt?: Date }): Promise<void> => {
    const answer = await fetch(`${running.url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([{ labels: { alertname: "RegistryIsSick", job: "mlflow" }, ...alert }]),
    });
    expect(answer.status, await answer.text()).toBe(200);
  };
}

test("an alert restarts a workload and calls an address outside, once; a reload sends the next one elsewhere", async (context) => {
  const world = createWorld();
  context.onTestFinished(() => world.end());
  const [cluster, before, after] = await Promise.all([
    startApi(),
    startService(answering(202)),
    startService(answering(200)),
  ]);
  const service = await world.service();
  const config = (outside: string, cooldownS: number) =>
    quickConfig({
      targets: [{ name: "shop", url: service.url }],
      cooldownS,
      extra: {
        actions: {
          kubernetes: { kubeconfig: world.file("kubeconfig", kubeconfigText(cluster.url)) },
          http: [
            {
              name: "ticket",
              url: `${outside}/tickets?about={{parameters.about}}`,
              headers_from_files: { authorization: world.file("ticket-token", "Bearer of-the-desk\n") },
              body: '{"alert":"{{alert}}","intent":"{{intent.id}}"}',
            },
          ],
        },
        playbooks: [
          {
            name: "registry",
            alert: { name: "RegistryIsSick" },
            steps: [
              { action: "rollout-restart", workload: "helius/deployment/mlflow-tracker" },
              { action: "http", on: "ticket", parameters: { about: 'mlflow & "friends"' } },
            ],
          },
        ],
      },
    });
  const monitor = await world.monitor({ config: config(before.url, 600) });
  const tell = await alertmanager(world, context, monitor);

  const startsAt = new Date(Date.now() - 2_000);
  await tell({ startsAt });
  await waitFor(() => before.arrived.length > 0, { what: "the call outside", timeoutMs: 30_000 });
  expect(cluster.rollouts).toHaveLength(1);
  await monitor.moreCycles(3);
  expect([cluster.rollouts.length, before.arrived.length]).toEqual([1, 1]);
  const [call] = before.arrived;
  expect(new URL(call?.url ?? "", before.url).searchParams.get("about")).toBe('mlflow & "friends"');
  const body = JSON.parse(call?.body ?? "") as { alert: string; intent: string };
  expect(body.alert).toMatch(/^[0-9a-f]{16}$/);
  expect(call?.headers).toMatchObject({
    "idempotency-key": body.intent,
    authorization: "Bearer of-the-desk",
  });
  expect(JSON.stringify(call)).not.toContain(TOKEN);

  await tell({ startsAt, endsAt: new Date() });
  await monitor.process.line("alert resolved", { timeoutMs: 30_000 });
  // The cooldown of the first one would hold the second one back.
  monitor.rewrite(config(after.url, 10));
  monitor.process.signal("SIGHUP");
  await monitor.process.line("configuration reloaded");
  await tell({ startsAt: new Date() });
  await waitFor(() => after.arrived.length > 0, { what: "the call to the new address", timeoutMs: 60_000 });
  expect([cluster.rollouts.length, before.arrived.length, after.arrived.length]).toEqual([2, 1, 1]);
  // The journal has each action with what came of it, and nobody's secret.
  const status = await (await fetch(`${monitor.url}/api/v1/status`)).text();
  const { actions } = (JSON.parse(status) as { data: { actions: Record<string, unknown>[] } }).data;
  expect(actions.length).toBeGreaterThanOrEqual(4);
  expect(status + monitor.process.stdout()).not.toMatch(/of-the-desk|service-account-token/);
});
