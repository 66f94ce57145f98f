import { connect as connectTcp } from "node:net";
import mqtt, { type MqttClient } from "mqtt";
import { generate } from "mqtt-packet";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManualClock, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { waitFor } from "../setup/ports.ts";
import { reading, startGateway, type TestGateway } from "./start.ts";

let dir: ReturnType<typeof temporaryDirectory>;
const running: TestGateway[] = [];
const clients: MqttClient[] = [];
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  await Promise.all(running.splice(0).map((gateway) => gateway.close()));
  dir.remove();
});

async function start(options: Partial<Parameters<typeof startGateway>[0]> = {}): Promise<TestGateway> {
  const gateway = await startGateway({ dataDir: dir.path, ...options });
  running.push(gateway);
  return gateway;
}
async function device(
  gateway: TestGateway,
  version: 4 | 5 = 4,
  clientId = `c${Math.random()}`,
): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${gateway.mqttPort}`, {
    protocolVersion: version,
    clientId,
    reconnectPeriod: 0,
  });
  client.on("error", () => {});
  clients.push(client);
  return client;
}
const topicOf = (region = "us-east-1", name = "dev1") => `helius/${region}/${name}/telemetry`;
const publish = (client: MqttClient, id: string, region?: string) =>
  client.publishAsync(topicOf(region), JSON.stringify(reading(id)), { qos: 1 });
const delivered = (gateway: TestGateway, count: number) =>
  waitFor(async () => (await gateway.metric("telemetry_delivered_total")) >= count, {
    what: `${count} deliveries`,
  });

describe.each([4, 5] as const)("MQTT protocol level %i", (version) => {
  it("QoS 1 and 0 arrive; a repeated id has one effect; another region's same id is another message", async () => {
    const gateway = await start();
    const client = await device(gateway, version);
    await publish(client, "1");
    await publish(client, "1");
    await publish(client, "1", "sa-east-1");
    await client.publishAsync(topicOf(), JSON.stringify(reading("0")), { qos: 0 });
    await delivered(gateway, 3);
    expect(await gateway.metric("telemetry_duplicates_total", "us-east-1")).toBe(1);
    expect(await gateway.metric("telemetry_received_total", 'result="accepted"')).toBe(3);
    expect(await gateway.metric("queue_depth")).toBe(0);
  });

  it("malformed payloads and topics outside the scheme are acknowledged and kept as dead letters", async () => {
    const gateway = await start();
    const client = await device(gateway, version);
    await client.publishAsync(topicOf(), "not json", { qos: 1 });
    await client.publishAsync("helius/atlantis/dev1/telemetry", "{}", { qos: 1 });
    await client.publishAsync("some/where/else", "x", { qos: 1 });
    const { json } = await gateway.admin("GET", "/dead-letters?limit=10");
    const letters = json.dead_letters as { region: string; reason: string; payload: string }[];
    expect(letters.map(({ region }) => region)).toEqual(["us-east-1", "unrouted", "unrouted"]);
    expect(letters[0]).toMatchObject({
      reason: "malformed: payload: expected JSON in UTF-8",
      payload: "not json",
    });
    expect(letters[1]?.reason).toContain('region "atlantis"');
    expect(await gateway.metric("telemetry_dead_lettered_total", "malformed")).toBe(3);
    expect(await gateway.metric("telemetry_dead_letters")).toBe(3);
  });

  it("a message of a megabyte ends the connection and stores nothing; others are served", async () => {
    const gateway = await start();
    const client = await device(gateway, version);
    const gone = new Promise<void>((resolve) => void client.once("close", () => resolve()));
    client.publish(topicOf(), Buffer.alloc(1_048_576, 0x20), { qos: 1 }, () => {});
    await gone;
    await publish(await device(gateway, version), "1");
    await delivered(gateway, 1);
    expect(await gateway.metric("telemetry_received_total")).toBe(1);
  });

  it("a full buffer refuses before it acknowledges, and takes the message when there is room again", async () => {
    const gateway = await start({ env: { GATEWAY_BUFFER_CAPACITY: "2" } });
    await gateway.admin("POST", "/admin/fault?mode=backlog&factor=1000");
    await gateway.admin("POST", "/admin/fault?mode=downstream&region=us-east-1&ratio=1");
    const client = await device(gateway, version);
    const outcomes = await Promise.allSettled(
      ["1", "2", "3", "4"].map((id) =>
        Promise.race([
          publish(client, id),
          new Promise((_, fail) => client.once("close", () => fail(new Error("closed")))),
        ]),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
    expect(await gateway.metric("telemetry_received_total", 'result="accepted"')).toBe(2);
    expect(await gateway.metric("telemetry_buffer_fill_ratio", "us-east-1")).toBe(1);
    await publish(await device(gateway, version), "1", "sa-east-1");
    await gateway.admin("POST", "/admin/mitigate");
    await delivered(gateway, 3);
    await publish(await device(gateway, version), "3");
    await delivered(gateway, 4);
  });

  it("an isolated region is refused, the others are served, and it is served again when the isolation expires", async () => {
    const clock = new ManualClock();
    const gateway = await start({ clock });
    const path = "/admin/mitigate?action=isolate-region&region=us-east-1&seconds=60";
    expect(await gateway.admin("POST", path)).toEqual({
      status: 200,
      json: { action: "isolate-region", region: "us-east-1", seconds: 60 },
    });
    expect(await gateway.metric("telemetry_region_isolated_seconds", "us-east-1")).toBe(60);
    const client = await device(gateway, version);
    const closed = new Promise((_, fail) => client.once("close", () => fail(new Error("closed"))));
    await expect(Promise.race([publish(client, "1"), closed])).rejects.toThrow();
    await publish(await device(gateway, version), "1", "sa-east-1");
    clock.advance(60_000);
    await publish(await device(gateway, version), "1");
    expect(await gateway.metric("telemetry_received_total", 'result="accepted"')).toBe(2);
    expect(await gateway.metric("telemetry_received_total", 'result="isolated"')).toBe(1);
  });
});

describe("the MQTT listener", () => {
  it("tells MQTT 5 devices why: quota exceeded when limited, and what it does not offer", async () => {
    const gateway = await start();
    await gateway.admin(
      "POST",
      "/admin/mitigate?action=set-rate-limit&region=us-east-1&per_second=1&seconds=60",
    );
    const client = await device(gateway, 5);
    await publish(client, "1");
    await expect(publish(client, "2")).rejects.toMatchObject({ code: 0x97 });
    expect(client.connected).toBe(true);
    await expect(client.subscribeAsync("helius/#")).rejects.toThrow();
    expect(await gateway.metric("telemetry_rate_limit", "us-east-1")).toBe(1);
    expect(await gateway.metric("telemetry_received_total", 'result="limited"')).toBe(1);
  });

  it("one connection a client id; the count of connections is shown", async () => {
    const gateway = await start();
    const first = await device(gateway, 4, "same");
    const gone = new Promise<void>((resolve) => void first.once("close", () => resolve()));
    const second = await device(gateway, 5, "same");
    await gone;
    await publish(second, "1");
    await waitFor(async () => (await gateway.metric("telemetry_mqtt_connections")) === 1, {
      what: "one connection",
    });
  });

  it("ends what is not MQTT, what does not begin with CONNECT, and QoS 2", async () => {
    const gateway = await start();
    const publishFirst = generate({
      cmd: "publish",
      topic: "t",
      payload: "x",
      qos: 0,
      dup: false,
      retain: false,
    });
    for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(64, 0xff), publishFirst]) {
      const socket = connectTcp(gateway.mqttPort, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(bytes);
      await new Promise<void>((resolve) => void socket.once("close", () => resolve()));
    }
    const client = await device(gateway, 4);
    const gone = new Promise<void>((resolve) => void client.once("close", () => resolve()));
    client.publish(topicOf(), JSON.stringify(reading("1")), { qos: 2 }, () => {});
    await gone;
    expect(await gateway.metric("telemetry_received_total")).toBe(0);
  });

  it("acknowledges in the order of arrival, thousands in flight, whatever each message is", async () => {
    const gateway = await start({ env: { GATEWAY_REGION_RATE_LIMIT: "1000000" } });
    const socket = connectTcp(gateway.mqttPort, "127.0.0.1");
    const acked: number[] = [];
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= 4; rest = rest.subarray(4))
        if (rest[0] === 0x40) acked.push(rest.readUInt16BE(2));
    });
    socket.write(
      generate({
        cmd: "connect",
        clientId: "raw",
        clean: true,
        keepalive: 0,
        protocolId: "MQTT",
        protocolVersion: 4,
      }),
    );
    const count = 3_000;
    for (let id = 1; id <= count; id += 1) {
      const payload = id % 7 === 0 ? "malformed" : JSON.stringify(reading(String(id % 11 === 0 ? 11 : id)));
      socket.write(
        generate({
          cmd: "publish",
          topic: topicOf(),
          payload,
          qos: 1,
          messageId: id,
          dup: false,
          retain: false,
        }),
      );
    }
    await waitFor(() => acked.length === count, { what: "all acknowledgements" });
    expect(acked).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    socket.destroy();
  });

  it("survives a restart: what was acknowledged is delivered by the next process, limits and dead letters stay", async () => {
    const first = await start();
    await first.admin("POST", "/admin/fault?mode=downstream&region=us-east-1&ratio=1");
    await first.admin("POST", "/admin/mitigate?action=isolate-region&region=us-west-2&seconds=600");
    const client = await device(first);
    for (let id = 0; id < 20; id += 1) await publish(client, String(id));
    await client.publishAsync(topicOf(), "junk", { qos: 1 });
    await first.close();
    const second = await start();
    await delivered(second, 20);
    await publish(await device(second), "3");
    expect(await second.metric("telemetry_duplicates_total")).toBe(1);
    expect(await second.metric("telemetry_region_isolated_seconds", "us-west-2")).toBeGreaterThan(590);
    expect((await second.admin("GET", "/dead-letters")).json.total).toBe(1);
  });
});

describe("POST /telemetry", () => {
  const batch = (messages: unknown[], region = "us-east-1") => ({ region, device: "dev1", messages });

  it("answers 202 with the counts after the commit", async () => {
    const gateway = await start();
    const answer = await gateway.post(batch([reading("1"), reading("1"), reading("2"), { id: "3" }]));
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ accepted: 2, duplicates: 1, malformed: 1, refused: 0 });
    expect(answer.json.problems).toEqual([{ index: 3, problem: expect.stringContaining("ts (missing)") }]);
    await delivered(gateway, 2);
  });

  it("429 when limited and 503 when isolated or full, with Retry-After; in part, 202 with the refused counted", async () => {
    const gateway = await start({ env: { GATEWAY_BUFFER_CAPACITY: "3", GATEWAY_REGION_RATE_LIMIT: "50" } });
    await gateway.admin("POST", "/admin/fault?mode=downstream&region=us-east-1&ratio=1");
    await gateway.admin("POST", "/admin/fault?mode=backlog&factor=1000");
    const part = await gateway.post(batch(["1", "2", "3", "4"].map((id) => reading(id))));
    expect([part.status, part.json.accepted, part.json.refused]).toEqual([202, 3, 1]);
    expect(part.headers.get("retry-after")).toBe("5");
    const full = await gateway.post(batch([reading("5")]));
    expect([full.status, full.json.reason, full.headers.get("retry-after")]).toEqual([503, "full", "5"]);
    await gateway.admin(
      "POST",
      "/admin/mitigate?action=set-rate-limit&region=sa-east-1&per_second=0.1&seconds=60",
    );
    expect((await gateway.post(batch([reading("1")], "sa-east-1"))).status).toBe(202);
    const limited = await gateway.post(batch([reading("2")], "sa-east-1"));
    expect([limited.status, limited.json.reason, limited.headers.get("retry-after")]).toEqual([
      429,
      "limited",
      "10",
    ]);
    await gateway.admin("POST", "/admin/mitigate?action=isolate-region&region=sa-east-1&seconds=30");
    const isolated = await gateway.post(batch([reading("3")], "sa-east-1"));
    expect([isolated.status, isolated.json.reason]).toEqual([503, "isolated"]);
    await gateway.admin("POST", "/admin/mitigate?action=release-region&region=sa-east-1");
    expect((await gateway.post(batch([reading("3")], "sa-east-1"))).status).toBe(429);
  });

  it.each([
    [{}, "region"],
    [{ region: "mars", device: "d", messages: [reading("1")] }, "region"],
    [{ region: "us-east-1", device: "a b", messages: [reading("1")] }, "device"],
    [{ region: "us-east-1", messages: [reading("1")] }, "device"],
    [{ region: "us-east-1", device: "d", messages: [] }, "messages"],
    [{ region: "us-east-1", device: "d", messages: Array.from({ length: 1_001 }, () => 1) }, "messages"],
    [[], "(body)"],
  ])("400 for %j names the field", async (body, field) => {
    const gateway = await start();
    expect(await gateway.post(body)).toMatchObject({ status: 400, json: { field } });
  });

  it("400 for no good message and for no JSON, 413 for more than a megabyte", async () => {
    const gateway = await start();
    expect((await gateway.post(batch([{ id: "x" }]))).status).toBe(400);
    expect((await gateway.post("{")).status).toBe(400);
    expect((await gateway.post(" ".repeat(1_048_577))).status).toBe(413);
  });
});

describe("the admin plane", () => {
  it("a failing downstream opens the region's breaker, and closes it when it works again; nothing is lost", async () => {
    const gateway = await start({ env: { GATEWAY_BREAKER_PAUSE_MS: "50", GATEWAY_RETRY_BASE_MS: "10" } });
    await gateway.admin("POST", "/admin/fault?mode=downstream&region=us-east-1&ratio=1");
    for (let id = 0; id < 10; id += 1) {
      await gateway.post({ region: "us-east-1", device: "d", messages: [reading(String(id))] });
    }
    const state = (name: string) =>
      waitFor(
        async () =>
          (await gateway.metric("telemetry_circuit_breaker_state", "us-east-1", `state="${name}"`)) === 1,
        { what: `the breaker to be ${name}` },
      );
    await state("open");
    expect(await gateway.metric("telemetry_circuit_breaker_state", "sa-east-1", 'state="closed"')).toBe(1);
    expect(await gateway.metric("queue_depth", "us-east-1")).toBe(10);
    await gateway.admin("POST", "/admin/mitigate");
    await state("closed");
    await delivered(gateway, 10);
    expect(await gateway.metric("telemetry_dead_lettered_total")).toBe(0);
  });

  it("dead letters need the token, and are listed with bounds", async () => {
    const gateway = await start();
    const client = await device(gateway);
    for (const body of ["a", "b", "c"]) await client.publishAsync(topicOf(), body, { qos: 1 });
    expect((await fetch(`${gateway.url}/dead-letters`)).status).toBe(401);
    expect((await gateway.admin("GET", "/dead-letters?limit=0")).json.parameter).toBe("limit");
    expect((await gateway.admin("GET", "/dead-letters?region=mars")).json.parameter).toBe("region");
    const two = await gateway.admin("GET", "/dead-letters?limit=2&region=us-east-1");
    expect((two.json.dead_letters as { payload: string }[]).map(({ payload }) => payload)).toEqual([
      "a",
      "b",
    ]);
    expect((await gateway.admin("GET", "/dead-letters?region=sa-east-1")).json.dead_letters).toEqual([]);
  });

  it("dead letters are replayed by an action; what is still malformed comes back, what has no region stays", async () => {
    const gateway = await start();
    const client = await device(gateway);
    await client.publishAsync(topicOf(), "junk", { qos: 1 });
    await client.publishAsync("no/region", "junk", { qos: 1 });
    const replay = "/admin/mitigate?action=replay-dead-letters";
    expect((await gateway.admin("POST", replay)).json).toEqual({
      action: "replay-dead-letters",
      replayed: 1,
    });
    await waitFor(async () => (await gateway.admin("GET", "/dead-letters")).json.total === 2, {
      what: "the letter to be dead again",
    });
    const { json } = await gateway.admin("GET", "/dead-letters?region=us-east-1");
    expect(json.dead_letters).toMatchObject([
      { reason: "malformed: payload: expected JSON in UTF-8", failures: 1 },
    ]);
    expect(await gateway.metric("telemetry_delivered_total")).toBe(0);
    expect(await gateway.metric("queue_depth")).toBe(0);
  });

  it("refuses bad parameters, naming them, without effect", async () => {
    const gateway = await start();
    for (const [query, parameter] of [
      ["action=isolate-region&region=us-east-1", "seconds"],
      ["action=isolate-region&region=mars&seconds=5", "region"],
      ["action=isolate-region&region=us-east-1&seconds=86401", "seconds"],
      ["action=set-rate-limit&region=us-east-1&per_second=0&seconds=5", "per_second"],
      ["action=set-rate-limit&region=us-east-1&per_second=5", "seconds"],
      ["action=set-rate-limit&region=mars&per_second=5&seconds=5", "region"],
      ["action=reset-rate-limit&region=mars", "region"],
      ["action=reset-rate-limit&seconds=5", "seconds"],
      ["action=isolate-region&region=all&seconds=5", "region"],
      ["action=replay-dead-letters&limit=0", "limit"],
      ["action=sampleProblem", "action"],
    ]) {
      const answer = await gateway.admin("POST", `/admin/mitigate?${query}`);
      expect([answer.status, answer.json.parameter], query).toEqual([400, parameter]);
    }
    for (const [query, parameter] of [
      ["mode=downstream&ratio=0.5", "region"],
      ["mode=downstream&region=us-east-1&ratio=2", "ratio"],
    ]) {
      const answer = await gateway.admin("POST", `/admin/fault?${query}`);
      expect([answer.status, answer.json.parameter], query).toEqual([400, parameter]);
    }
    expect(await gateway.metric("telemetry_region_isolated_seconds")).toBe(0);
    expect(await gateway.metric("telemetry_rate_limit", "us-east-1")).toBe(10_000);
  });
});
