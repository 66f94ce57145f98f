import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createBoundedServer, drainServer } from "./bounded-server.ts";

async function start(maxConnections = 10) {
  let handled = 0;
  const server = createBoundedServer({
    patience: { headersMs: 300, requestMs: 900, keepAliveMs: 300, silenceMs: 6_000 },
    maxConnections,
    handler: (request, response) => {
      handled += 1;
      if (request.url === "/never") return;
      request.resume().on("end", () => response.end("ok"));
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => drainServer(server, 0));
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}`, port, handled: () => handled };
}

/** Sends a text; answers the first line that came back and after how many milliseconds the connection was closed. */
async function raw(port: number, text: string): Promise<{ line: string; afterMs: number }> {
  const startMs = performance.now();
  const socket = connect(port, "127.0.0.1");
  let got = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    got += chunk;
  });
  socket.on("error", () => {});
  socket.write(text);
  await once(socket, "close");
  return { line: got.split("\r\n", 1)[0] ?? "", afterMs: performance.now() - startMs };
}

test("who is slow is answered 408 within about a second of the limit", async () => {
  const { port, handled } = await start();
  const [headers, body, silent] = await Promise.all([
    raw(port, "GET / HTTP/1.1\r\nhost: x\r\n"),
    raw(port, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx"),
    raw(port, "GET /never HTTP/1.1\r\nhost: x\r\n\r\n"),
  ]);
  expect(headers.line).toBe("HTTP/1.1 408 Request Timeout");
  expect(body.line).toBe("HTTP/1.1 408 Request Timeout");
  // An answer that never comes ends by the silence.
  expect(silent.line).toBe("");
  for (const { afterMs } of [headers, body, silent]) expect(afterMs).toBeLessThan(30_000);
  expect(handled()).toBe(2);
});

test("a URL that is too long and headers that are too large never reach the handler", async () => {
  const { url, handled } = await start();
  const long = await fetch(`${url}/${"x".repeat(4_096)}`);
  expect([long.status, await long.json()]).toEqual([
    414,
    { error: "the URL is too long", expected: "at most 4096 characters" },
  ]);
  expect((await fetch(`${url}/`, { headers: { cookie: "x".repeat(16_384) } })).status).toBe(431);
  expect(handled()).toBe(0);
  expect((await fetch(`${url}/${"x".repeat(4_095)}`)).status).toBe(200);
});

test("connections beyond the limit are closed, those within it are served", async () => {
  const { port, url } = await start(3);
  const held = Array.from({ length: 3 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  await Promise.all(held.map((socket) => once(socket, "connect")));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await expect(fetch(url)).rejects.toThrow();
  for (const socket of held) socket.destroy();
  await expect
    .poll(async () => (await fetch(url).catch(() => undefined))?.status, { timeout: 30_000 })
    .toBe(200);
});

test("a stop is over as soon as what is in flight is answered, however busy the connections are", async () => {
  const { server, url } = await start(50);
  let asking = true;
  const busy = Array.from({ length: 20 }, async () => {
    while (asking) await fetch(url).then((answer) => answer.text());
  }).map((worker) => worker.catch(() => undefined));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startMs = performance.now();
  await drainServer(server, 60_000);
  expect(performance.now() - startMs).toBeLessThan(30_000);
  asking = false;
  await Promise.all(busy);
});

test("a stop cuts off what does not end in time", async () => {
  const { server, url } = await start();
  const never = fetch(`${url}/never`).catch((error: unknown) => error);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startMs = performance.now();
  await drainServer(server, 300);
  expect(performance.now() - startMs).toBeGreaterThan(250);
  expect(await never).toBeInstanceOf(Error);
});
