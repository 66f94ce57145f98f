import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import express from "express";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import type { Frame } from "../report/wire.ts";
import type { ApiError } from "./errors.ts";
import { type EventLimits, eventStream } from "./events.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setup(limits: Partial<EventLimits> = {}) {
  const listeners = new Set<(frame: Frame) => void>();
  const kept: Frame[] = [];
  const registry = new Registry();
  const stream = eventStream({
    registry,
    limits: { perAddress: 50, clients: 3, backlogBytes: 100_000, heartbeatMs: 60_000, ...limits },
    source: {
      since: (id) => {
        const at = kept.findIndex((frame) => frame.id === id);
        return at < 0 ? undefined : kept.slice(at + 1);
      },
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  });
  const app = express();
  app.get("/events", stream.handle);
  app.use((error: ApiError, _q: unknown, response: express.Response, _n: unknown) => {
    response.status(error.status).set(error.headers).json({ error: error.message });
  });
  const server: Server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  closers.push(() => server.closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const send = (id: string, data = "{}") => {
    const frame: Frame = { id, event: "delta", data };
    kept.push(frame);
    for (const listener of listeners) listener(frame);
  };
  const count = async (name: string) =>
    Number(
      new RegExp(`^${name.replaceAll(/[{}"]/g, "\\$&")} (\\S+)$`, "m").exec(await registry.metrics())?.[1],
    );
  return { port, send, listeners, stream, count };
}

/** A reader of the stream: what it has read so far. */
async function reader(port: number, query = "", headers: Record<string, string> = {}) {
  const call = request({ port, host: "127.0.0.1", path: `/events${query}`, headers });
  call.end();
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    call.once("response", resolve);
    call.once("error", reject);
  });
  const got = { text: "", ended: false, status: answer.statusCode, headers: answer.headers };
  answer.setEncoding("utf8").on("data", (chunk: string) => {
    got.text += chunk;
  });
  answer.on("close", () => {
    got.ended = true;
  });
  answer.on("error", () => {});
  closers.push(() => call.destroy());
  return { got, leave: () => call.destroy() };
}

/** Looks again and again, for as long as a busy machine may need. */
const eventually = <T>(look: () => T | Promise<T>, timeout = 30_000) => expect.poll(look, { timeout });

describe("the stream of events", () => {
  it("tells everyone every frame, and nobody when nobody listens", async () => {
    const { port, send, listeners, count } = await setup();
    expect(listeners.size).toBe(0);
    const [a, b] = [await reader(port), await reader(port)];
    expect(a.got.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    expect(listeners.size).toBe(1);
    send("1", '{"x":1}');
    const text = 'retry: 2000\n\nid: 1\nevent: delta\ndata: {"x":1}\n\n';
    await eventually(() => [a.got.text, b.got.text]).toEqual([text, text]);
    expect(await count("predict_event_clients")).toBe(2);
    a.leave();
    b.leave();
    await eventually(() => listeners.size).toBe(0);
    expect(await count("predict_event_clients")).toBe(0);
  });

  it("goes on where a reader was, by header or parameter; where that is gone it says so", async () => {
    const { port, send } = await setup();
    for (const id of ["1", "2", "3"]) send(id);
    const known = await reader(port, "", { "last-event-id": "1" });
    await eventually(() => known.got.text.match(/^id: .*$/gm)).toEqual(["id: 2", "id: 3"]);
    // What the browser says itself is newer than the address it was given.
    const both = await reader(port, "?after=1", { "last-event-id": "2" });
    await eventually(() => both.got.text.match(/^id: .*$/gm)).toEqual(["id: 3"]);
    const lost = await reader(port, "?after=0");
    await eventually(() => lost.got.text).toContain("event: reset\ndata: {}\n\n");
  });

  it("takes so many readers and no more", async () => {
    const { port, count } = await setup({ clients: 2 });
    const first = await reader(port);
    await reader(port);
    const third = await reader(port);
    expect(third.got.status).toBe(503);
    await eventually(() => third.got.text).toContain("2 readers follow already");
    expect(third.got.headers["retry-after"]).toBe("10");
    expect(await count('predict_event_clients_dropped_total{reason="full"}')).toBe(1);
    first.leave();
    await eventually(() => count("predict_event_clients")).toBe(1);
    expect((await reader(port)).got.status).toBe(200);
  });

  it("drops a reader that does not read, and keeps nothing for it", async () => {
    const { port, send, count } = await setup({ backlogBytes: 50_000 });
    const good = await reader(port);
    const slow = connect(port, "127.0.0.1");
    closers.push(() => slow.destroy());
    slow.on("error", () => {});
    await new Promise<void>((resolve) => slow.once("connect", resolve));
    slow.pause();
    slow.write("GET /events HTTP/1.1\r\nhost: x\r\n\r\n");
    await eventually(() => count("predict_event_clients")).toBe(2);
    // More than the buffers of a connection hold.
    const data = `"${"x".repeat(100_000)}"`;
    for (let i = 0; i < 400 && (await count("predict_event_clients")) === 2; i++) {
      send(String(i), data);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await count("predict_event_clients")).toBe(1);
    expect(await count('predict_event_clients_dropped_total{reason="slow"}')).toBe(1);
    send("last", '"here"');
    await eventually(() => good.got.text.endsWith('data: "here"\n\n'), 10_000).toBe(true);
  });

  it("shows that it lives when nothing happens, and ends with the server", async () => {
    const { port, stream, listeners } = await setup({ heartbeatMs: 20 });
    const { got } = await reader(port);
    await eventually(() => got.text.split(":\n\n").length).toBeGreaterThan(3);
    stream.close();
    await eventually(() => got.ended).toBe(true);
    expect(listeners.size).toBe(0);
  });
});
