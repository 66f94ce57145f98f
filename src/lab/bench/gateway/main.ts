import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import mqtt from "mqtt";
import { median } from "simple-statistics";
import { freePort, waitFor } from "../../../../test/setup/ports.ts";
import { cpuSeconds, type Started, startGateway, stopProcess, sumOf } from "./processes.ts";
import { Publisher } from "./publisher.ts";
import { programOf, startMosquitto, startNats } from "./servers.ts";

// `node src/lab/bench/gateway/main.ts [--messages 100000] [--runs 3]`: the same QoS 1 load through the gateway, mosquitto and
// NATS' MQTT listener, each server alone on core 0 and the devices on the other cores.
const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "100000" },
    runs: { type: "string", default: "3" },
  },
});
const MESSAGES = positive("--messages", values.messages);
const RUNS = positive("--runs", values.runs);
const REGIONS = ["us-east-1", "eu-central-1", "sa-east-1", "us-west-2"];
const DEVICES_PER_REGION = 4;
const DEVICES = REGIONS.length * DEVICES_PER_REGION;
const WINDOW = 200;
const CORE = 0;

interface Figures {
  /** Acknowledged to the devices, messages a second. */
  readonly acked: number;
  /** At the far end: in the store, at the subscriber, in the stream. */
  readonly endToEnd: number;
  /** Messages a second of the server's processor time. */
  readonly perCpuSecond: number;
}

/** Sends the load and waits for the far end; `arrived` answers how many messages are there. */
async function measure(
  port: number,
  server: Started,
  arrived: () => Promise<number> | number,
): Promise<Figures> {
  const total = Math.floor(MESSAGES / DEVICES);
  const all = total * DEVICES;
  const cpu = cpuSeconds(server.child.pid ?? 0);
  const start = performance.now();
  const devices = REGIONS.flatMap((region) =>
    Array.from(
      { length: DEVICES_PER_REGION },
      (_, index) => new Publisher({ port, region, device: `dev${index}`, window: WINDOW, total }),
    ),
  );
  await Promise.all(devices.map((device) => device.done));
  const ackedS = (performance.now() - start) / 1_000;
  await waitFor(async () => (await arrived()) >= all, {
    what: "the far end",
    timeoutMs: 120_000,
    everyMs: 50,
  });
  const endS = (performance.now() - start) / 1_000;
  const used = cpuSeconds(server.child.pid ?? 0) - cpu;
  for (const device of devices) device.stop();
  return { acked: all / ackedS, endToEnd: all / endS, perCpuSecond: all / used };
}

async function gateway(folder: string, extra: Readonly<Record<string, string>> = {}): Promise<Figures> {
  const [httpPort, mqttPort] = [await freePort(), await freePort()];
  const server = startGateway({
    httpPort,
    mqttPort,
    dataDir: folder,
    env: { GATEWAY_CONSUME_RATE: "200000", GATEWAY_REGION_RATE_LIMIT: "1000000", ...extra },
    core: CORE,
  });
  const page = () => fetch(`http://127.0.0.1:${httpPort}/metrics`).then((response) => response.text());
  try {
    await waitFor(() => page().catch(() => undefined), { what: "the gateway", timeoutMs: 30_000 });
    return await measure(mqttPort, server, async () => sumOf(await page(), "telemetry_delivered_total"));
  } finally {
    await stopProcess(server);
  }
}

async function mosquitto(folder: string): Promise<Figures> {
  const { process: server, port } = await startMosquitto({
    program: programOf("mosquitto"),
    directory: folder,
    core: CORE,
  });
  let received = 0;
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: "far-end", clean: false });
  try {
    client.on("message", () => {
      received += 1;
    });
    await client.subscribeAsync("helius/+/+/telemetry", { qos: 1 });
    return await measure(port, server, () => received);
  } finally {
    await client.endAsync(true);
    await stopProcess(server);
  }
}

async function nats(folder: string): Promise<Figures> {
  const server = await startNats({ program: programOf("nats-server"), directory: folder, core: CORE });
  const connection = await connect({ servers: server.url.replace("nats://", "") });
  try {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "TELEMETRY", subjects: ["helius.*.*.telemetry"] });
    return await measure(
      server.mqttPort,
      server.process,
      async () => (await manager.streams.info("TELEMETRY")).state.messages,
    );
  } finally {
    await connection.close();
    await stopProcess(server.process);
  }
}

/** The gateway with JetStream as its buffer, the engine on another core. */
async function gatewayOnNats(folder: string): Promise<Figures> {
  const engine = await startNats({ program: programOf("nats-server"), directory: join(folder, "nats") });
  try {
    return await gateway(folder, { NATS_URL: engine.url });
  } finally {
    await stopProcess(engine.process);
  }
}

function positive(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Error(`${name} is ${text}: expected a whole number, at least 1`);
  return Number(text);
}

const contestants: [string, (folder: string) => Promise<Figures>][] = [
  ["gateway (SQLite, fsync before PUBACK)", gateway],
  ["mosquitto 2 (no fsync), to a subscriber", mosquitto],
  ["NATS MQTT listener, into a stream (fsync every 2 min)", nats],
  ["gateway (JetStream buffer)", gatewayOnNats],
];
const results: { name: string; runs: Figures[] }[] = contestants.map(([name]) => ({ name, runs: [] }));
for (let run = 0; run < RUNS; run += 1) {
  for (const [index, [, contestant]] of contestants.entries()) {
    const folder = mkdtempSync(join(tmpdir(), "helius-bench-"));
    try {
      results[index]?.runs.push(await contestant(folder));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
const summary = results.map(({ name, runs }) => ({
  name,
  acked: median(runs.map((run) => run.acked)),
  endToEnd: median(runs.map((run) => run.endToEnd)),
  perCpuSecond: median(runs.map((run) => run.perCpuSecond)),
}));
const own = summary[0];
console.log(
  `${MESSAGES} messages, QoS 1, ${DEVICES} devices, window ${WINDOW}; server on one core; median of ${RUNS}\n`,
);
console.log(
  "| through | acknowledged/s | end to end/s | per CPU second | gateway ÷ this, end to end | per CPU second |",
);
console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
for (const { name, acked, endToEnd, perCpuSecond } of summary) {
  const ratio = (value: number | undefined, other: number) => ((value ?? Number.NaN) / other).toFixed(2);
  const cells = [acked, endToEnd, perCpuSecond].map((value) => String(Math.round(value)));
  console.log(
    `| ${name} | ${cells.join(" | ")} | ${ratio(own?.endToEnd, endToEnd)} | ${ratio(own?.perCpuSecond, perCpuSecond)} |`,
  );
}
