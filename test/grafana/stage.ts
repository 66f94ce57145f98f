import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PLATFORM } from "../../src/app/platform.ts";
import { inRepository, readRepository } from "../containers/compose.ts";
import { descendantsOf } from "../e2e/kit/process.ts";
import { createWorld, TOKEN, type World } from "../e2e/kit/world.ts";
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
  /** Every line that the programs have logged so far, as the shipper hands it to Loki. */
  logged(): Entry[];
}

/** Where no MLflow is: the recommender then says that its registry is away. */
const NOBODY = "http://127.0.0.1:9";

export async function setStage(binary: string): Promise<Stage> {
  const world = createWorld();
  const ports = new Map<string, number>();
  for (const { name } of PLATFORM) ports.set(name, await freePort());
  const [monitorPort, prometheusPort, mqttPort] = [await freePort(), await freePort(), await freePort()];
  const data = join(world.dir, "data");
  // A journal that cannot be read is set aside with a notice, and a full cooldown is assumed.
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
  const prometheus = await startPrometheus({
    binary,
    port: prometheusPort,
    config: shippedConfig({ ports, monitorPort, prometheusPort }),
  });
  world.onEnd(() => prometheus.kill());
  await waitFor(() => helius.stdout().includes("Ctrl-C stops everything"), {
    what: `the banner; ${helius.stderr().slice(-500)}`,
    timeoutMs: 60_000,
  });
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
    logged: () => entriesOf(join(data, "logs")),
  };
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

/** Latency that climbs past the SLO in twelve seconds and past the limit in twenty-four. */
export async function rampUp(stage: Stage): Promise<void> {
  await stage.admin("product-api", "fault?mode=latency&inc=1500&over=60");
}

/**
 * What has to happen so that every series exists. The journal was damaged, so the first 30 s are a cooldown: the ramp is
 * foreseen, held, comes true, and is mitigated when the cooldown ends.
 */
export async function causeIncidents(stage: Stage): Promise<void> {
  const { admin, url } = stage;
  await admin("product-api", "mitigate");
  await rampUp(stage);
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
  // From here on its answers are of no use, and a page does without.
  await admin("recommender-service", "fault?mode=error&ratio=1");
  await admin("llm-assistant", "fault?mode=drift&ratio=1");
  await admin("telemetry-gateway", "fault?mode=downstream&region=sa-east-1&ratio=1");
  await admin("telemetry-gateway", "mitigate?action=isolate-region&region=us-west-2&seconds=60");
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
