import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { listen } from "../net/listen.ts";
import { createBoundedServer, drainServer } from "./bounded-server.ts";
import { vouchFor } from "./crowd.ts";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const PATIENCE = { headersMs: 20_000, requestMs: 20_000, keepAliveMs: 20_000, silenceMs: 20_000 };

async function start() {
  const server = createBoundedServer({
    patience: PATIENCE,
    maxConnections: 20,
    maxPerAddress: 10,
    handler: (request, response) => {
      if (request.url === "/slow") vouchFor(request, response);
      else response.end("in");
      if (request.url === "/slow") setTimeout(() => response.end("in"), 1_500);
    },
  });
  const port = await listen(server, { host: "127.0.0.1", port: 0 });
  undo.push(() => drainServer(server, 100));
  /** A connection from an address of this machine that sends a text. */
  const open = (localAddress: string, text = ""): Socket => {
    const socket = connect({ port, host: "127.0.0.1", localAddress }).on("error", () => {});
    socket.resume().write(text);
    undo.push(() => socket.destroy());
    return socket;
  };
  const call = (localAddress: string, path = "/") =>
    new Promise<string>((resolve) => {
      let got = "";
      const socket = open(localAddress, `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
      socket.on("data", (chunk) => {
        got += chunk;
      });
      socket.once("close", () => resolve(got));
    });
  return { open, call };
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test.each([
  ["its own address", ["127.0.0.1"], "127.0.0.1"],
  ["one other", ["127.0.0.9"], "127.0.0.1"],
  ["many others", Array.from({ length: 40 }, (_, n) => `127.0.1.${n + 1}`), "127.0.0.1"],
])("however many hold connections from %s, who comes is served", async (_name, crowd, from) => {
  const { open, call } = await start();
  for (let n = 0; n < 29; n += 1) open(crowd[n % crowd.length] as string, n % 2 === 0 ? "" : "GET / HT");
  await later(400);
  for (let n = 0; n < 5; n += 1) expect(await call(from)).toMatch(/^HTTP\/1\.1 200 /);
});

test("the connection of a right token is closed for nobody while it is answered", async () => {
  const { open, call } = await start();
  const answer = call("127.0.0.1", "/slow");
  await later(400);
  for (let n = 0; n < 60; n += 1) {
    open("127.0.0.1");
    await later(10);
  }
  expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
});
