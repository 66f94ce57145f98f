import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../../../test/gateway/start.ts";
import { eventually, temporaryDirectory } from "../../services/kit/kit.testkit.ts";
import { type MqttFleet, type MqttFleetOptions, startMqttFleet } from "./mqtt-fleet.ts";

// Against the gateway itself, in this process.

const folder = temporaryDirectory();
let gateway: TestGateway;
const fleets: MqttFleet[] = [];

beforeEach(async () => {
  gateway = await startGateway({ dataDir: `${folder.path}/${fleets.length}-${Date.now()}` });
});
afterEach(async () => {
  await Promise.all(fleets.splice(0).map((fleet) => fleet.stop()));
  await gateway.close();
});

function fleetOf(options: Partial<MqttFleetOptions> = {}): MqttFleet {
  const fleet = startMqttFleet({
    url: `mqtt://127.0.0.1:${gateway.mqttPort}`,
    region: "us-east-1",
    devices: 4,
    messagesPerSecond: 200,
    retryMs: 50,
    ...options,
  });
  fleets.push(fleet);
  return fleet;
}

const accepted = (region: string) =>
  gateway.metric("telemetry_received_total", `region="${region}"`, 'result="accepted"');
const steer = (query: string) => gateway.admin("POST", `/admin/mitigate?${query}`);

describe("a fleet", () => {
  test("publishes at its rate, evenly over its devices, and remembers what was acknowledged", async () => {
    const fleet = fleetOf();
    await eventually(() => fleet.acked().length >= 200);
    const { acked, produced, refused } = await fleet.stop();
    expect(refused).toBe(0);
    expect(acked).toBeLessThanOrEqual(produced);
    expect(await accepted("us-east-1")).toBeGreaterThanOrEqual(acked);
    const byDevice = Map.groupBy(fleet.acked(), ({ device }) => device);
    expect(byDevice.size).toBe(4);
    for (const own of byDevice.values()) expect(own.length).toBeGreaterThan(40);
    expect(new Set(fleet.acked().map(({ device, id }) => `${device} ${id}`)).size).toBe(acked);
  });

  test("keeps what is refused, asks ever more rarely, and delivers it once it may", async () => {
    await steer("action=isolate-region&region=us-east-1&seconds=600");
    const fleet = fleetOf();
    await eventually(() => fleet.stats().refused >= 8);
    const first = fleet.stats();
    await eventually(() => fleet.stats().produced >= first.produced + 300);
    // Four devices asked some times each meanwhile, ever more rarely, and not for each message anew.
    expect(fleet.stats().refused - first.refused).toBeLessThan(100);
    expect(fleet.stats()).toMatchObject({ acked: 0, shed: 0 });
    await steer("action=release-region&region=us-east-1");
    await eventually(() => fleet.stats().waiting < 50 && fleet.stats().acked > 100);
  });

  test("turns to the other region where its own is isolated, if it knows one", async () => {
    await steer("action=isolate-region&region=us-east-1&seconds=600");
    const fleet = fleetOf({ failoverRegion: "us-west-2" });
    await eventually(() => fleet.stats().acked >= 100);
    expect(new Set(fleet.acked().map(({ region }) => region))).toEqual(new Set(["us-west-2"]));
    expect(await accepted("us-east-1")).toBe(0);
  });

  test("changes its rate, and a rate of 0 is silence", async () => {
    const fleet = fleetOf({ messagesPerSecond: 0 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(fleet.stats().produced).toBe(0);
    fleet.setRate(500);
    await eventually(() => fleet.stats().acked >= 200);
  });

  test("comes back after its gateway was away, and loses nothing of what it has", async () => {
    const fleet = fleetOf();
    await eventually(() => fleet.stats().acked >= 50);
    const { mqttPort } = gateway;
    await gateway.close();
    const before = fleet.stats();
    await eventually(() => fleet.stats().waiting > 20);
    gateway = await startGateway({
      dataDir: `${folder.path}/again`,
      env: { GATEWAY_MQTT_PORT: String(mqttPort) },
    });
    await eventually(() => fleet.stats().acked > before.acked + 100);
    expect(fleet.stats()).toMatchObject({ shed: 0, refused: 0 });
  });

  test.each([
    [{ devices: 0 }, "devices is 0: expected a whole number, 1 to 1000"],
    [{ messagesPerSecond: -1 }, "messagesPerSecond is -1: expected 0 <= messages a second <= 10000"],
  ])("refuses %o", (options, message) => {
    expect(() => fleetOf(options)).toThrow(message);
  });
});
