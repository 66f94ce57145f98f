import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createWorld, quickConfig, TOKEN, type World } from "../e2e/kit/world.ts";
import { openRaw, print, timed } from "./kit.ts";

// Clients that are slow on purpose, against real processes.

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

/** What a limit may be overrun by: one look a second, and a busy machine. */
const SLACK_MS = 6_000;

interface Slow {
  readonly url: string;
  readonly path: string;
  readonly headersMs: number;
  readonly requestMs: number;
  /** What a body that never comes to its end is answered. */
  readonly body: RegExp;
}

async function slowClients({ url, path, headersMs, requestMs, body }: Slow) {
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nx-admin-token: ${TOKEN}\r\n`;
  const slowHeaders = Array.from({ length: 100 }, () => openRaw(url, head));
  const slowBodies = Array.from({ length: 100 }, () => openRaw(url, `${head}content-length: 1000\r\n\r\nx`));
  const drip = setInterval(() => {
    for (const { socket } of slowHeaders) if (socket.writable) socket.write("x-drip: 1\r\n");
    for (const { socket } of slowBodies) if (socket.writable) socket.write("x");
  }, 500);
  // Meanwhile everybody else is served.
  let slowest = 0;
  const probe = async () => {
    slowest = Math.max(slowest, await timed(`${url}/metrics`));
  };
  for (let n = 0; n < 5; n += 1) await probe();
  const headers = await Promise.all(slowHeaders.map(({ closed }) => closed));
  const bodies = await Promise.all(slowBodies.map(({ closed }) => closed));
  clearInterval(drip);
  for (const { got, afterMs } of headers) {
    expect(got).toMatch(/^HTTP\/1\.1 408 /);
    expect(afterMs).toBeGreaterThan(headersMs - 100);
    expect(afterMs).toBeLessThan(headersMs + SLACK_MS);
  }
  for (const { got, afterMs } of bodies) {
    expect(got).toMatch(body);
    expect(afterMs).toBeLessThan(requestMs + SLACK_MS);
  }
  await probe();
  const longest = (closed: { afterMs: number }[]) => Math.max(...closed.map((c) => c.afterMs)) / 1000;
  print(
    `figure slow clients ${path}: headers cut off after ${longest(headers).toFixed(1)} s, bodies after ${longest(bodies).toFixed(1)} s; /metrics meanwhile in at most ${slowest.toFixed(0)} ms`,
  );
}

describe("clients that drip", () => {
  test("a service cuts them off in time, serves the others, and is not changed by them", async () => {
    const service = await world.service();
    await service.inject("mode=latency&inc=1");
    await slowClients({
      url: service.url,
      path: "/admin/mitigate",
      headersMs: 10_000,
      requestMs: 30_000,
      body: /^HTTP\/1\.1 408 /,
    });
    expect(await service.faults()).toHaveProperty("latency");
    expect((await service.process.end("SIGTERM", 15_000)).code).toBe(0);
  });

  test("the monitor cuts them off in time and keeps its beat", async () => {
    const service = await world.service();
    const config = quickConfig({ targets: [{ name: "product-api", url: service.url }] });
    const monitor = await world.monitor({ config, flags: ["--web.enable-lifecycle"] });
    await slowClients({
      url: monitor.url,
      path: "/-/reload",
      headersMs: 5_000,
      requestMs: 10_000,
      // It needs no body, and answers without one; the connection is closed all the same.
      body: /^HTTP\/1\.1 (?:200|429) .*HTTP\/1\.1 408 /s,
    });
    await monitor.moreCycles(2);
    expect((await monitor.process.end("SIGTERM", 15_000)).code).toBe(0);
  });
});

test("a client that does not read its answers does not hold up a stop", async () => {
  const service = await world.service();
  const ask = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
  const lazy = openRaw(service.url, ask.repeat(3_000));
  lazy.socket.pause();
  await timed(`${service.url}/metrics`);
  const { code, tookMs } = await service.process.end("SIGTERM", 15_000);
  expect(code).toBe(0);
  expect(tookMs).toBeLessThan(15_000);
  lazy.socket.destroy();
});

test("what is too large, too long or malformed is refused by name, before any handler", async () => {
  const service = await world.service();
  const said = async (text: string) => {
    const { socket, closed } = openRaw(service.url, text);
    const { got } = await closed.finally(() => socket.destroy());
    return got.split("\r\n", 1)[0];
  };
  const close = "connection: close\r\n\r\n";
  expect(await said(`GET /${"x".repeat(5_000)} HTTP/1.1\r\nhost: x\r\n${close}`)).toContain(" 414 ");
  expect(await said(`GET / HTTP/1.1\r\nhost: x\r\ncookie: ${"x".repeat(20_000)}\r\n${close}`)).toContain(
    " 431 ",
  );
  expect(await said(`GET / HTTP/1.1\r\n${close}`)).toContain(" 400 ");
  expect(await said(`BREW / HTTP/1.1\r\nhost: x\r\n${close}`)).toContain(" 400 ");
  expect(
    await said(`TRACE /admin/mitigate HTTP/1.1\r\nhost: x\r\nx-admin-token: ${TOKEN}\r\n${close}`),
  ).toContain(" 405 ");
  const twice = "content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
  expect(
    await said(`POST /admin/mitigate HTTP/1.1\r\nhost: x\r\nx-admin-token: ${TOKEN}\r\n${twice}`),
  ).toContain(" 400 ");
  expect(await service.process.all("mitigation executed")).toEqual([]);
});
