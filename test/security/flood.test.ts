import { get } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWorld, quickConfig, TOKEN, type World } from "../e2e/kit/world.ts";
import { waitFor } from "../setup/ports.ts";
import { print, startFlood, timed } from "./kit.ts";

// As many requests as this machine can make, against real processes. Figures are printed; what is asserted holds on a
// busy machine too.

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

const FLOOD_MS = 10_000;
const CYCLE_MS = 1_000;

/** Calls `probe` every 100 ms for a while; answers its times in order of length, milliseconds. */
async function probeFor(durationMs: number, probe: () => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    times.push(await probe());
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return times.sort((a, b) => a - b);
}

/** Whether a connection of its own, none kept alive from before, comes to its end without an answer. */
function isRefused(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get(`${url}/health`, { agent: false, timeout: 3_000 }, (answer) => {
      answer.resume();
      resolve(false);
    });
    asked.once("timeout", () => asked.destroy(new Error("no answer")));
    asked.once("error", () => resolve(true));
  });
}

const shown = (times: readonly number[]) =>
  `median ${times[Math.floor(times.length / 2)]?.toFixed(0)} ms, longest ${times.at(-1)?.toFixed(0)} ms`;

test("a flood of /metrics and status: pages are shared, the monitor keeps its beat, and SIGTERM ends it", async () => {
  const service = await world.service();
  const config = quickConfig({ targets: [{ name: "product-api", url: service.url }] });
  const monitor = await world.monitor({ config });
  await monitor.moreCycles(3);
  const calm = await probeFor(2_000, () => timed(`${monitor.url}/-/healthy`));

  const from = monitor.cycles().length;
  const flood = startFlood({ url: monitor.url, paths: ["/metrics", "/api/v1/status"], connections: 64 });
  const times = await probeFor(FLOOD_MS, () => timed(`${monitor.url}/-/healthy`));
  const beats = monitor
    .cycles()
    .slice(from)
    .map((line) => Date.parse(String(line.ts)));
  const result = await flood.stop();

  const gaps = beats.slice(1).map((at, n) => at - Number(beats[n]));
  print(
    `figure flood of the monitor: ${(result.answered / result.seconds).toFixed(0)} pages/s over 64 connections; ${beats.length} cycles in ${FLOOD_MS / 1000} s, longest gap ${Math.max(...gaps)} ms; a probe: ${shown(times)} (calm: ${shown(calm)})`,
  );
  expect(result.answered).toBeGreaterThan(300);
  expect(Object.keys(result.byStatus)).toEqual(["200"]);
  // Ten renderings of the metrics and five of the status a second, and as many once for the calm before.
  expect(result.bodies).toBeLessThanOrEqual(15 * (result.seconds + 1) + 2);
  expect(beats.length).toBeGreaterThanOrEqual((0.7 * FLOOD_MS) / CYCLE_MS);
  expect(Math.max(...gaps)).toBeLessThan(3 * CYCLE_MS);
  expect(times.at(-1)).toBeLessThan(3_000);

  const again = startFlood({ url: monitor.url, paths: ["/metrics"], connections: 64 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { code, tookMs } = await monitor.process.end("SIGTERM", 15_000);
  await again.stop();
  expect(code).toBe(0);
  print(`figure SIGTERM of the monitor under the flood: ended after ${(tookMs / 1000).toFixed(1)} s`);
});

test("a flood of guesses: few log lines, all of them counted, and who comes from elsewhere is let in", async () => {
  const service = await world.service();
  const linesBefore = service.process.lines.length;
  const flood = startFlood({
    url: service.url,
    paths: ["/admin/mitigate", "/admin/fault?mode=latency&inc=5000"],
    connections: 32,
    method: "POST",
    headers: { "x-admin-token": "a guess" },
    from: "127.0.0.9",
  });
  const admin = { headers: { "x-admin-token": TOKEN } };
  const times = await probeFor(6_000, () => timed(`${service.url}/admin/faults`, admin));
  const result = await flood.stop();
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  const count = (reason: string) =>
    Number(new RegExp(`^admin_calls_refused_total\\{reason="${reason}"\\} (\\d+)$`, "m").exec(metrics)?.[1]);
  expect(result.byStatus[429]).toBeGreaterThan(100);
  expect(result.byStatus[401]).toBe(10);
  expect(Object.keys(result.byStatus)).toEqual(["401", "429"]);
  expect(count("token_wrong")).toBe(10);
  expect(count("locked_out")).toBeGreaterThanOrEqual(result.byStatus[429] ?? 0);
  expect(await service.faults()).toEqual({});
  expect((await service.process.end("SIGTERM", 15_000)).code).toBe(0);

  const lines = service.process.lines.slice(linesBefore).filter((line) => line.remote === "127.0.0.9");
  expect(lines.map((line) => line.message)).toEqual([
    "admin call refused",
    "admin address locked out",
    "admin lockout ended",
  ]);
  const told = lines.reduce((sum, line) => sum + Number(line.refusals ?? 1), 0);
  expect(told).toBe(count("token_wrong") + count("locked_out"));
  expect(service.process.stdout()).not.toContain("a guess");
  print(
    `figure flood of guesses: ${result.answered} attempts in ${result.seconds.toFixed(0)} s, 10 looked at, 3 log lines; an admin call from elsewhere: ${shown(times)}`,
  );
});

test("SIGTERM under a flood of customers: who was let in is answered, and the end comes in time", async () => {
  const service = await world.service();
  const flood = startFlood({
    url: service.url,
    paths: ["/products/7", "/search?q=a", "/metrics"],
    connections: 64,
  });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const { code, tookMs } = await service.process.end("SIGTERM", 15_000);
  const result = await flood.stop();
  expect(code).toBe(0);
  expect(service.process.lines.at(-1)).toMatchObject({ message: "service stopped", cut_off_requests: 0 });
  expect(Object.keys(result.byStatus)).toEqual(["200"]);
  print(
    `figure SIGTERM of a service under ${(result.answered / 2).toFixed(0)} requests/s: ended after ${(tookMs / 1000).toFixed(1)} s, cut off 0`,
  );
});

test("every connection of the public port taken: the admin plane with a listener of its own lets the monitor in", async () => {
  const service = await world.service({ env: { ADMIN_LISTEN_ADDRESS: "127.0.0.1:0" } });
  const adminUrl = String((await service.process.line("service listening")).admin_url);
  const { hostname, port } = new URL(service.url);
  // The service lets 4,096 in and cuts off who says nothing for 5 s. So more than that ask, each again soon after it is
  // turned away; they come by the hundred, because the system forgets some of those that come all at once for seconds.
  const taken = new Set<Socket>();
  const take = () => {
    const socket = connect(Number(port), hostname);
    socket.resume().on("error", () => undefined);
    socket.on("close", () => {
      if (taken.delete(socket)) setTimeout(take, 100);
    });
    taken.add(socket);
  };
  for (let batch = 0; batch < 46; batch++) {
    for (let n = 0; n < 100; n++) take();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await waitFor(() => isRefused(service.url), {
    what: "no connection left on the public port",
    timeoutMs: 30_000,
  });
  const times = await probeFor(1_000, () =>
    timed(`${adminUrl}/admin/faults`, { headers: { "x-admin-token": TOKEN } }),
  );
  print(`figure every connection held on the public port: an admin call on its own listener ${shown(times)}`);
  const held = [...taken];
  taken.clear();
  for (const socket of held) socket.destroy();
  await waitFor(() => timed(`${service.url}/health`).catch(() => false), { what: "the public port again" });
});
