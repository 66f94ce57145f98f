import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLATFORM } from "../../src/services/platform/platform.ts";
import { inRepository, readRepository } from "../containers/compose.ts";
import { descendantsOf } from "../e2e/kit/process.ts";
import { createWorld, TOKEN, type World } from "../e2e/kit/world.ts";
import { startAlertmanager } from "../setup/alertmanager.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../setup/prometheus.ts";
import type { Entry } from "./logql.ts";

/** The whole platform at work, and a real Prometheus that reads it with the shipped configuration. */
export interface Stage {
  readonly world: World;
  readonly prometheus: RunningPrometheus;
  url(service: string): string;
  /** `POST` of the admin plane. */
  admin(service: string, call: string, headers?: Readonly<Record<string, string>>): Promise<void>;
  /** Tells the monitor of an alert as Alertmanager does; answers the status. */
  tell(alert: {
    readonly name: string;
    readonly job: string;
    readonly status: "firing" | "resolved";
  }): Promise<number>;
  /** Every line that the programs have logged so far, as the shipper hands it to Loki. */
  logged(): Entry[];
}

/** An Alertmanager that takes alerts and tells nobody: the test tells the monitor itself. */
const NOBODY_HEARS = "route: { receiver: none }\nreceivers: [{ name: none }]\n";

/** Where no MLflow is: the recommender then says that its registry is away. */
const NOBODY = "http://127.0.0.1:9";

export async function setStage(binaries: {
  readonly prometheus: string;
  readonly alertmanager: string;
}): Promise<Stage> {
  const world = createWorld();
  const ports = new Map<string, number>();
  for (const { name } of PLATFORM) ports.set(name, await freePort());
  const [monitorPort, prometheusPort, mqttPort] = [await freePort(), await freePort(), await freePort()];
  const data = join(world.dir, "data");
  // A journal that cannot be read is set aside, which is one of the events to be shown, and a full cooldown is assumed.
  mkdirSync(join(data, "monitor"), { recursive: true });
  writeFileSync(join(data, "monitor", "monitor.db"), "this is no database".repeat(1000));
  const helius = world.spawn(
    [
      "up",
      ...[...ports].map(([name, port]) => `--${name}.listen-address=127.0.0.1:${port}`),
      `--web.listen-address=127.0.0.1:${monitorPort}`,
      `--mqtt.port=${mqttPort}`,
      `--data-dir=${data}`,
      "--log.format=json",
      "--load.rate=40",
      "--cycle-interval-seconds=1",
      "--predict.horizon-seconds=12",
      "--predict.cooldown-seconds=30",
      // After a damaged journal both budgets count as used up for one window, and the verdict on an action takes another.
      "--guards.target-cap.window-seconds=25",
      "--guards.fleet-cap.window-seconds=25",
      "--verification.window-seconds=15",
      // So that a ramp is foreseen before it passes the SLO, with so short a look ahead.
      "--signals.p95-latency.limit=600",
      "--sources.order=prometheus,scrape",
      `--sources.prometheus.url=http://127.0.0.1:${prometheusPort}`,
      "--sources.rate-window-seconds=5",
      "--sources.max-sample-age-seconds=10",
    ],
    { ADMIN_TOKEN: TOKEN, MLFLOW_TRACKING_URI: NOBODY },
  );
  world.onEnd(() => {
    for (const pid of descendantsOf(helius.pid)) process.kill(pid, "SIGKILL");
  });
  await waitFor(() => helius.stdout().includes("Ctrl-C stops everything"), {
    what: `the banner; ${helius.stderr().slice(-500)}`,
    timeoutMs: 60_000,
  });
  const alertmanager = await startAlertmanager({ binary: binaries.alertmanager, config: NOBODY_HEARS });
  world.onEnd(() => alertmanager.kill());
  const prometheus = await startPrometheus({
    binary: binaries.prometheus,
    port: prometheusPort,
    config: shippedConfig({ ports, monitorPort, prometheusPort }).replaceAll(
      "alertmanager:9093",
      new URL(alertmanager.url).host,
    ),
  });
  world.onEnd(() => prometheus.kill());
  const url = (service: string) => `http://127.0.0.1:${ports.get(service)}`;
  return {
    world,
    prometheus,
    url,
    async admin(service, call, headers = {}) {
      const answer = await fetch(`${url(service)}/admin/${call}`, {
        method: "POST",
        headers: { "x-admin-token": TOKEN, ...headers },
      });
      if (!answer.ok) throw new Error(`${service} ${call}: HTTP ${answer.status} ${await answer.text()}`);
    },
    tell: ({ name, job, status }) => tell(`http://127.0.0.1:${monitorPort}`, { name, job, status }),
    logged: () => entriesOf(join(data, "logs")),
  };
}

const SINCE = new Date().toISOString();

async function tell(
  monitor: string,
  alert: { readonly name: string; readonly job: string; readonly status: "firing" | "resolved" },
): Promise<number> {
  const { name, job, status } = alert;
  const labels = { alertname: name, job };
  const answer = await fetch(`${monitor}/api/v1/alerts/webhook`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({
      version: "4",
      groupKey: `{}:{alertname="${name}"}`,
      truncatedAlerts: 0,
      status,
      receiver: "predictive-monitor",
      groupLabels: labels,
      commonLabels: labels,
      commonAnnotations: {},
      externalURL: "http://127.0.0.1:9093",
      alerts: [
        {
          status,
          labels,
          annotations: {},
          startsAt: SINCE,
          endsAt: status === "firing" ? "0001-01-01T00:00:00Z" : new Date().toISOString(),
          generatorURL: "",
          fingerprint: "00000000000000f1",
        },
      ],
    }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** prometheus.yml with the addresses of this machine and a beat of a second; the rules are the shipped files. */
function shippedConfig(at: {
  readonly ports: ReadonlyMap<string, number>;
  readonly monitorPort: number;
  readonly prometheusPort: number;
}): string {
  let config = readRepository("prometheus/prometheus.yml")
    .replaceAll("15s", "1s")
    .replace("scrape_timeout: 10s", "scrape_timeout: 1s")
    .replace("rules/*.yml", inRepository("prometheus/rules/*.yml"))
    .replace(/predictive-monitor:\d+/, `127.0.0.1:${at.monitorPort}`)
    .replace("127.0.0.1:9090", `127.0.0.1:${at.prometheusPort}`);
  for (const [name, port] of at.ports)
    config = config.replace(new RegExp(`"${name}:\\d+"`), `"127.0.0.1:${port}"`);
  return config;
}

/** Latency that climbs by 1.5 s in so many seconds. */
async function rampUp(stage: Stage, seconds: number): Promise<void> {
  await stage.admin("product-api", `fault?mode=latency&inc=1500&over=${seconds}`);
}

/**
 * What has to happen so that every series exists, as far as one target is concerned: a ramp that is foreseen, held by the
 * cooldown, comes true, and is mitigated when the cooldown ends.
 */
export async function causeIncidents(stage: Stage): Promise<void> {
  const { admin, url } = stage;
  await admin("product-api", "mitigate");
  await rampUp(stage, 60);
  await admin("product-api", "fault?mode=leak&kb=1000");
  await admin("recommender-service", "mitigate?action=retrain");
  const health = async () =>
    (await (await fetch(`${url("recommender-service")}/health`)).json()) as { mode: string };
  await waitFor(async () => (await health()).mode === "trained", {
    what: "the new model",
    timeoutMs: 30_000,
  });
  // Enough answers of one model for their explanations to be compared.
  for (let k = 1; k <= 120; k++) {
    const answer = await fetch(`${url("recommender-service")}/predict`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ history: [k, k + 1] }),
    });
    if (!answer.ok) throw new Error(`/predict: HTTP ${answer.status}`);
    await answer.arrayBuffer();
  }
  await admin("telemetry-gateway", "mitigate?action=isolate-region&region=us-west-2&seconds=60");
}

/**
 * What else goes wrong once that ramp has been mitigated: another, which comes true because the target is in cooldown
 * again, and so much on other targets that the monitor holds its hand.
 */
export async function causeMore(stage: Stage): Promise<void> {
  const { admin } = stage;
  await rampUp(stage, 100);
  await admin("recommender-service", "fault?mode=error&ratio=1");
  await admin("llm-assistant", "fault?mode=drift&ratio=1");
  await admin("telemetry-gateway", "fault?mode=downstream&region=sa-east-1&ratio=1");
}

/** Labels as loki/config.alloy gives them: job and level of the line itself. */
function entriesOf(folder: string): Entry[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".log"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => {
      const { job, level, ts } = JSON.parse(line) as { job: string; level: string; ts: string };
      return { labels: { job, level }, line, atMs: Date.parse(ts) };
    });
}
