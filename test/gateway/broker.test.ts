import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import mqtt, { type MqttClient } from "mqtt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startGateway as spawnGateway, stopProcess, sumOf } from "../../src/lab/bench/gateway/processes.ts";
import { type MosquittoProcess, startMosquitto } from "../../src/lab/bench/gateway/servers.ts";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { serverPath } from "../setup/require-server.ts";
import { reading, startGateway, type TestGateway } from "./start.ts";

const program = serverPath("mosquitto");
const topicOf = (region: string) => `helius/${region}/dev1/telemetry`;

describe.runIf(program !== undefined || process.env.CI === "true")("with mosquitto as the broker", () => {
  let dir: ReturnType<typeof temporaryDirectory>;
  let broker: MosquittoProcess;
  const gateways: TestGateway[] = [];
  const clients: MqttClient[] = [];

  async function startBroker(port?: number): Promise<MosquittoProcess> {
    const directory = join(dir.path, "broker");
    mkdirSync(directory, { recursive: true });
    return startMosquitto({
      program: program ?? "mosquitto",
      directory,
      ...(port === undefined ? {} : { port }),
    });
  }
  beforeEach(async () => {
    dir = temporaryDirectory();
    broker = await startBroker();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
    await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
    await stopProcess(broker.process);
    dir.remove();
  });

  async function gateway(env: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
    const started = await startGateway({
      dataDir: dir.path,
      env: { MQTT_URL: `mqtt://127.0.0.1:${broker.port}`, ...env },
    });
    gateways.push(started);
    await subscribed(started);
    return started;
  }
  const subscribed = (started: TestGateway) =>
    waitFor(
      async () => {
        const health = (await (await fetch(`${started.url}/health`)).json()) as Record<string, unknown>;
        return health.mqtt_regions_subscribed === 4;
      },
      { what: "four subscriptions", timeoutMs: 60_000 },
    );
  async function device(version: 4 | 5 = 4): Promise<MqttClient> {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: version });
    client.on("error", () => {});
    clients.push(client);
    return client;
  }
  const send = (client: MqttClient, id: string, region = "us-east-1") =>
    client.publishAsync(topicOf(region), JSON.stringify(reading(id)), { qos: 1 });
  const reaches = (started: TestGateway, count: number, ...labels: string[]) =>
    waitFor(async () => (await started.metric("telemetry_delivered_total", ...labels)) === count, {
      what: `${count} deliveries`,
      timeoutMs: 60_000,
    });

  it("devices of both versions publish through it; repetitions have one effect", async () => {
    const started = await gateway();
    for (const version of [4, 5] as const) {
      const client = await device(version);
      await Promise.all(Array.from({ length: 300 }, (_, index) => send(client, `m${index}`)));
      await client.publishAsync(topicOf("sa-east-1"), "junk", { qos: 1 });
    }
    await reaches(started, 300);
    await waitFor(async () => (await started.metric("telemetry_duplicates_total")) === 300, {
      what: "duplicates",
    });
    expect((await started.admin("GET", "/dead-letters")).json.total).toBe(2);
    expect(await started.metric("telemetry_mqtt_connections")).toBe(4);
  });

  it("an isolated region waits at the broker and loses nothing, while the others go on", async () => {
    const started = await gateway();
    await started.admin("POST", "/admin/mitigate?action=isolate-region&region=us-east-1&seconds=600");
    const client = await device();
    for (let id = 0; id < 50; id += 1) {
      await send(client, String(id));
      await send(client, String(id), "sa-east-1");
    }
    await reaches(started, 50, "sa-east-1");
    expect(await started.metric("telemetry_received_total", "us-east-1", 'result="accepted"')).toBe(0);
    await started.admin("POST", "/admin/mitigate?action=release-region&region=us-east-1");
    await reaches(started, 50, "us-east-1");
  });

  it("a full region is not acknowledged; what waits comes in as room is made", async () => {
    const started = await gateway({ GATEWAY_BUFFER_CAPACITY: "10" });
    await started.admin("POST", "/admin/fault?mode=downstream&region=us-east-1&ratio=1");
    await started.admin("POST", "/admin/fault?mode=backlog&factor=1000");
    const client = await device();
    for (let id = 0; id < 60; id += 1) await send(client, String(id));
    await waitFor(async () => (await started.metric("telemetry_received_total", 'result="full"')) > 0, {
      what: "a refusal",
    });
    expect(await started.metric("queue_depth", "us-east-1")).toBe(10);
    await started.admin("POST", "/admin/mitigate");
    await reaches(started, 60);
    expect(await started.metric("telemetry_dead_lettered_total")).toBe(0);
  });

  it("a broker that goes and comes back is found again", async () => {
    const started = await gateway();
    await send(await device(), "1");
    await reaches(started, 1);
    await stopProcess(broker.process);
    await waitFor(async () => (await started.metric("telemetry_mqtt_connections")) === 0, {
      what: "the loss to show",
    });
    const answer = await started.post({ region: "us-east-1", device: "d", messages: [reading("over-http")] });
    expect(answer.status).toBe(202);
    broker = await startBroker(broker.port);
    await subscribed(started);
    await send(await device(), "2");
    await reaches(started, 3);
  });

  it("what the gateway had not made durable when it was killed comes again from the broker", async () => {
    const [httpPort, mqttPort] = [await freePort(), await freePort()];
    const env = { MQTT_URL: `mqtt://127.0.0.1:${broker.port}`, GATEWAY_REGION_RATE_LIMIT: "100000" };
    const launch = () => spawnGateway({ httpPort, mqttPort, dataDir: dir.path, env });
    const page = () => fetch(`http://127.0.0.1:${httpPort}/metrics`).then((response) => response.text());
    const count = (text: string, name: string) => sumOf(text, name);
    let running = launch();
    const total = 4_000;
    try {
      await waitFor(async () => count(await page().catch(() => ""), "telemetry_mqtt_connections") === 4, {
        what: "the gateway",
        timeoutMs: 60_000,
      });
      const client = await device();
      const sending = Promise.all(Array.from({ length: total }, (_, index) => send(client, String(index))));
      await waitFor(async () => count(await page(), "telemetry_received_total") > 100, {
        what: "some to arrive",
        everyMs: 5,
      });
      running.child.kill("SIGKILL");
      await running.exited;
      running = launch();
      await sending;
      // What the first process delivered is in the store; this one delivers the rest, each once.
      const file = join(dir.path, `telemetry-gateway-${httpPort}`, "telemetry-us-east-1.sqlite");
      let still = 0;
      let last = -1;
      await waitFor(
        async () => {
          const text = await page().catch(() => "");
          const now = count(text, "telemetry_delivered_total");
          still = text !== "" && now === last && count(text, "queue_depth") === 0 ? still + 1 : 0;
          last = now;
          return now > 0 && still > 20;
        },
        { what: "the flow to end", timeoutMs: 60_000, everyMs: 50 },
      );
      await stopProcess(running);
      const db = new DatabaseSync(file, { readOnly: true });
      const row = db.prepare("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM telemetry").get();
      db.close();
      expect(row).toEqual({ n: total, ids: total });
    } finally {
      await stopProcess(running);
    }
  });
});
