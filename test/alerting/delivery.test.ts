import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { startServiceFromEnv } from "../../src/services/registry.ts";
import { readRepository } from "../containers/compose.ts";
import { type RunningAlertmanager, startAlertmanager } from "../setup/alertmanager.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../setup/prometheus.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { metricsOf, prometheusAlerts } from "./rules.ts";
import { alertmanagerConfig, prometheusConfig, quickRules } from "./stand.ts";

// The gateway, Prometheus and Alertmanager as they are shipped, with other addresses and shorter times; only what
// hears of the alerts is a plain HTTP server.

const TOKEN = "token-of-the-monitor";
const WEBHOOK = "/api/v1/alerts/webhook";
const folder = temporaryDirectory();
let gateway: Awaited<ReturnType<typeof startServiceFromEnv>> | undefined;
let prometheus: RunningPrometheus | undefined;
let alertmanager: RunningAlertmanager | undefined;
let monitor: Receiver;
let people: Receiver;

beforeAll(async () => {
  const [binary, amBinary] = [serverPath("prometheus"), serverPath("alertmanager")];
  monitor = await startReceiver();
  people = await startReceiver();
  if (binary === undefined || amBinary === undefined) return;
  const files = {
    admin_token: `${TOKEN}\n`,
    "templates/helius.tmpl": readRepository("alertmanager/templates/helius.tmpl"),
  };
  const config = alertmanagerConfig({ monitor: monitor.url, people: people.url, tokenFile: "admin_token" });
  alertmanager = await startAlertmanager({ binary: amBinary, config, files });
  gateway = await startServiceFromEnv(
    "telemetry-gateway",
    { HELIUS_DATA_DIR: folder.path, ADMIN_TOKEN: "t", GATEWAY_MQTT_PORT: "0", GATEWAY_CONSUME_RATE: "1000" },
    { "web.listen-address": "127.0.0.1:0" },
    { write: () => {} },
  );
  const port = await freePort();
  prometheus = await startPrometheus({
    binary,
    port,
    config: prometheusConfig({
      "rules/*.yml": "rules-*.yml",
      "alertmanager:9093": new URL(alertmanager.url).host,
      "telemetry-gateway:8005": new URL(gateway.url).host,
      "127.0.0.1:9090": `127.0.0.1:${port}`,
    }),
    files: {
      "rules-signals.yml": quickRules("prometheus/rules/signals.yml"),
      "rules-services.yml": quickRules("prometheus/rules/services.yml"),
    },
  });
}, 60_000);

afterAll(async () => {
  await prometheus?.stop();
  await alertmanager?.stop();
  await gateway?.close();
  await monitor.close();
  await people.close();
  folder.remove();
});

function needBoth(context: TestContext): void {
  requireServer("prometheus", context);
  requireServer("alertmanager", context);
}

async function admin(call: string): Promise<void> {
  const answer = await fetch(`${gateway?.url}/admin/${call}`, {
    method: "POST",
    headers: { "x-admin-token": "t" },
  });
  expect(answer.status, await answer.text()).toBe(200);
}

async function publish(region: string, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, i) => ({
    id: `m-${i}`,
    ts: 1_700_000_000_000,
    metrics: { t: i },
  }));
  const answer = await fetch(`${gateway?.url}/telemetry`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ region, device: "pump-1", messages }),
  });
  expect(answer.status, await answer.text()).toBe(202);
}

test("a backlog of the gateway reaches the monitor's webhook with its token, again while it lasts, and so does its end", async (context) => {
  needBoth(context);
  await admin("fault?mode=backlog&factor=1000");
  await publish("sa-east-1", 150);
  await publish("us-east-1", 400);
  const alert = await waitFor(() => monitor.told("PipelineBacklogHigh")[0], {
    what: "the webhook of a firing alert",
    timeoutMs: 60_000,
  });
  expect(alert).toMatchObject({
    status: "firing",
    endsAt: "0001-01-01T00:00:00Z",
    labels: {
      alertname: "PipelineBacklogHigh",
      job: "telemetry-gateway",
      queue: "telemetry",
      severity: "critical",
      containment: "true",
    },
  });
  expect(alert.labels.region).toBeUndefined();
  expect(alert.annotations.description).toMatch(/there are \d+ now\. Most of them wait in us-east-1\.$/);
  await waitFor(() => monitor.told("PipelineBacklogHigh").length > 1, { what: "the same again" });
  expect(monitor.told("PipelineBacklogHigh")[1]).toMatchObject({
    status: "firing",
    fingerprint: alert.fingerprint,
    startsAt: alert.startsAt,
  });

  await admin("mitigate");
  const end = await waitFor(() => monitor.told("PipelineBacklogHigh").find((a) => a.status === "resolved"), {
    what: "the webhook of its end",
    timeoutMs: 60_000,
  });
  expect([end.fingerprint, end.startsAt]).toEqual([alert.fingerprint, alert.startsAt]);
  expect(Date.parse(end.endsAt)).toBeGreaterThan(Date.parse(end.startsAt));
  for (const { path, authorization, body } of monitor.webhooks) {
    expect([path, authorization]).toEqual([WEBHOOK, `Bearer ${TOKEN}`]);
    expect([body.version, body.receiver]).toEqual(["4", "predictive-monitor"]);
    // Each alert is told alone.
    expect(body.alerts.length).toBe(1);
  }
  // People hear of it as well, and of no token.
  await waitFor(() => people.told("PipelineBacklogHigh").some((a) => a.status === "resolved"), {
    what: "people to hear of it",
  });
  for (const { path, authorization } of people.webhooks)
    expect([path, authorization]).toEqual(["/people", undefined]);
});

test("one cause is one notification, the monitor hears of containment alone, and its call for help goes to people", async (context) => {
  needBoth(context);
  const before = monitor.webhooks.length;
  await post([
    { alertname: "ServiceDown", job: "shop", instance: "a" },
    { alertname: "HighErrorRatio", job: "other" },
  ]);
  await waitFor(() => people.told("ServiceDown").some((a) => a.labels.job === "shop"), {
    what: "people to hear of the cause",
  });
  await post([
    { alertname: "HighLatency", job: "shop" },
    { alertname: "HighErrorRatio", job: "shop" },
    { alertname: "HighLatency", job: "other" },
    { alertname: "XaiDivergenceHigh", job: "shop", containment: "true" },
    { alertname: "SelfHealEscalation", target: "shop" },
  ]);
  await waitFor(
    () =>
      people.told("HighLatency").length > 0 &&
      people.told("SelfHealEscalation").length > 0 &&
      monitor.told("XaiDivergenceHigh").length > 0,
    { what: "the others to be told" },
  );
  // A later round of the same groups: what is held back stays held back.
  const rounds = people.told("HighLatency").length;
  await waitFor(() => people.told("HighLatency").length > rounds, { what: "another round" });
  const jobs = (name: string) =>
    [...new Set(people.told(name).map((a) => a.labels.job))].filter((job) => job !== "telemetry-gateway");
  expect(jobs("HighLatency")).toEqual(["other"]);
  expect(jobs("HighErrorRatio")).toEqual(["other"]);
  expect(new Set(monitor.webhooks.slice(before).map((w) => w.body.alerts[0]?.labels.alertname))).toEqual(
    new Set(["XaiDivergenceHigh"]),
  );
});

test("a monitor that is away is told again, and a redirect is not followed with the token", async (context) => {
  needBoth(context);
  const before = monitor.webhooks.length;
  const seen = people.webhooks.length;
  const attempts = () => monitor.webhooks.length - before;
  monitor.answer(302, `${people.url}/elsewhere`);
  await waitFor(() => attempts() > 1, { what: "a second attempt", timeoutMs: 60_000 });
  monitor.answer(503);
  const failed = attempts();
  await waitFor(() => attempts() > failed, { what: "an attempt after a refusal", timeoutMs: 60_000 });
  expect(people.webhooks.slice(seen).filter((w) => w.path !== "/people")).toEqual([]);
  monitor.answer(200);
});

test("every series of Alertmanager's own that an alert names is there", async (context) => {
  needBoth(context);
  const page = await (await fetch(`${alertmanager?.url}/metrics`)).text();
  const exported = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1]));
  const named = prometheusAlerts
    .flatMap((a) => metricsOf(a.expr))
    .filter((m) => m.startsWith("alertmanager_"));
  expect(new Set(named).size).toBe(3);
  for (const name of named) expect([...exported]).toContain(name);
});

/** Posts alerts as a rule engine would. */
async function post(labels: readonly Readonly<Record<string, string>>[]): Promise<void> {
  const alerts = labels.map((l) => ({ labels: { severity: "critical", ...l }, annotations: {} }));
  const answer = await fetch(`${alertmanager?.url}/api/v2/alerts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(alerts),
  });
  expect(answer.status).toBe(200);
}
