import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createRegistry } from "../../../common/telemetry/registry.ts";
import { eventually } from "../../kit/kit.testkit.ts";
import { answersStatus, answersWell, GOOD_DECISION } from "../assistant.testkit.ts";
import type { JobLog } from "../jobs/types.ts";
import { type Client, useRouter } from "../router.testkit.ts";
import { SocketHub } from "./hub.ts";

const MAX_BAD_MESSAGES = 10;
const MAX_SUBSCRIPTIONS = 100;
const bench = useRouter();

/** Status of a refused upgrade. */
function refusal(url: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  const ws = new WebSocket(url, { headers });
  ws.on("error", () => undefined);
  return new Promise((resolve, reject) => {
    ws.once("open", () => reject(new Error("the upgrade was not refused")));
    ws.once("unexpected-response", (_request, response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
}

describe("the WebSocket", () => {
  test("is no socket for the pages of other sites, nor under a name that leads here from elsewhere", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const log = { onEvent: () => () => undefined } as unknown as JobLog;
    const hosts = ["shop.example"];
    const hub = new SocketHub({ server, log, registry: createRegistry(), pingMs: 1_000, hosts });
    const url = `ws://127.0.0.1:${port}/ws`;
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `http://evil.example:${port}`, host: `evil.example:${port}` },
      { origin: `http://127.0.0.1:${port}`, "sec-fetch-site": "cross-site" },
    ] as Record<string, string>[])
      expect(await refusal(url, headers), JSON.stringify(headers)).toBe(403);
    for (const headers of [{}, { origin: `http://127.0.0.1:${port}` }, { origin: "https://shop.example" }]) {
      const ws = new WebSocket(url, { headers });
      await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
      ws.terminate();
    }
    await hub.close();
    await new Promise((resolve) => server.close(resolve));
  });

  test("follows a job from its address or a message, resumes after a sequence number", async () => {
    bench.primary.behave(answersStatus(500));
    bench.secondary.behave(answersStatus(500));
    const { jobId } = (await bench.post("/jobs", { prompt: "x" })).json;
    const first = await bench.socket(`?jobId=${jobId}`);
    const failure = await first.next("error");
    expect(failure).toMatchObject({ jobId, seq: 2, attempt: 1, retryInSeconds: 2 });
    first.socket.terminate();
    bench.primary.behave(answersWell);
    await eventually(async () => (await bench.get(`/jobs/${jobId}`)).json.state === "succeeded");
    const second = await bench.socket();
    second.send({ type: "subscribe", jobId, after: failure.seq });
    expect(await second.next("result")).toMatchObject({ seq: 3, attempt: 2, decision: GOOD_DECISION });
    expect(second.messages.map(({ event }) => event)).toEqual(["subscribed", "result"]);
  });

  test("resumes after the router was restarted, without a gap or a repetition", async () => {
    bench.primary.behave(answersStatus(500));
    bench.secondary.behave(answersStatus(500));
    const { jobId } = (await bench.post("/jobs", { prompt: "x" })).json;
    const first = await bench.socket(`?jobId=${jobId}&after=0`);
    await first.next("error");
    bench.primary.behave(answersWell);
    await bench.restart();
    expect(await first.closed).toBe(1001);
    const last = first.messages.at(-1)?.seq ?? 0;
    const second = await bench.socket(`?jobId=${jobId}&after=${last}`);
    await eventually(() => second.messages.some(({ event }) => event === "result"));
    const seqs = [...first.messages, ...second.messages].flatMap(({ seq }) => seq ?? []);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
  });

  test("two clients each get every event once, while jobs run", async () => {
    const all = await Promise.all([bench.socket(), bench.socket()]);
    const ids: string[] = [];
    for (let count = 0; count < 30; count += 1) {
      const { jobId } = (await bench.post("/jobs", { prompt: `p${count}` })).json;
      ids.push(jobId);
      for (const client of all) client.send({ type: "subscribe", jobId });
    }
    const ended = (client: Client) => client.messages.filter(({ event }) => event === "result");
    await eventually(() => all.every((client) => ended(client).length === 30));
    for (const client of all) {
      const seen = client.messages.filter(({ seq }) => seq !== undefined);
      expect(new Set(seen.map(({ jobId, seq }) => `${jobId} ${seq}`)).size).toBe(seen.length);
      expect(seen).toHaveLength(60);
    }
    all[0]?.send({ type: "unsubscribe", jobId: ids[0] });
    expect(await all[0]?.next("unsubscribed")).toMatchObject({ jobId: ids[0] });
  });

  test("a client that no longer answers pings is dropped; one that does stays", async () => {
    await bench.restart({ LLM_ROUTER_WS_PING_MS: "1000" });
    const alive = await bench.socket();
    const { port } = new URL(bench.url);
    const raw = connect(Number(port), "127.0.0.1");
    const gone = new Promise<void>((resolve) => raw.once("close", () => resolve()));
    raw.on("error", () => undefined).resume();
    raw.write(
      `GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    );
    const connections = async () => /llm_router_websocket_connections (\d+)/.exec(await bench.metrics())?.[1];
    await eventually(async () => (await connections()) === "2");
    await gone;
    await eventually(async () => (await connections()) === "1");
    alive.send({ type: "ping" });
    await alive.next("pong");
  });

  test.each<[string, string | Buffer, string]>([
    ["no JSON", "hello", "(message)"],
    ["binary", Buffer.from("{}"), "(message)"],
    ["null", "null", "(message)"],
    ["no type", "{}", "type"],
    ["an unknown type", '{"type":"delete"}', "type"],
    ["no job", '{"type":"subscribe"}', "jobId"],
    ["an invalid job", '{"type":"subscribe","jobId":"../x"}', "jobId"],
    ["a negative after", `{"type":"subscribe","jobId":"job-${"0".repeat(32)}","after":-1}`, "after"],
    ["after as text", `{"type":"subscribe","jobId":"job-${"0".repeat(32)}","after":"1"}`, "after"],
    ["a further field", '{"type":"ping","x":1}', "x"],
  ])("%s is answered with what would be right, and the connection stays", async (_name, data, field) => {
    const client = await bench.socket();
    client.socket.send(data);
    expect(await client.next("error")).toMatchObject({ field, expected: expect.any(String) });
    client.send({ type: "ping" });
    await client.next("pong");
  });

  test("an unknown job is an error, not a wait", async () => {
    const jobId = `job-${"a".repeat(32)}`;
    const client = await bench.socket(`?jobId=${jobId}`);
    expect(await client.next("error")).toEqual({
      event: "error",
      jobId,
      message: "there is no such job",
      final: true,
    });
  });

  test("too many bad messages, a huge one, too many jobs: bounded", async () => {
    const rude = await bench.socket();
    for (let count = 0; count < MAX_BAD_MESSAGES; count += 1) rude.send("{}");
    expect(await rude.closed).toBe(1008);
    const huge = await bench.socket();
    huge.send("x".repeat(5_000));
    expect(await huge.closed).toBe(1009);
    const { jobId } = (await bench.post("/jobs", { prompt: "x" })).json;
    const many = await bench.socket(`?jobId=${jobId}`);
    const ids: string[] = [];
    for (let count = 0; count < MAX_SUBSCRIPTIONS; count += 1) {
      const made = (await bench.post("/jobs", { prompt: `p${count}` })).json.jobId;
      ids.push(made);
      many.send({ type: "subscribe", jobId: made });
    }
    expect(await many.next("error")).toMatchObject({
      field: "jobId",
      expected: "at most 100 at the same time",
    });
  });

  test.each([
    ["/ws?jobId=x", 400],
    ["/ws?after=1", 400],
    [`/ws?jobId=job-${"0".repeat(32)}&after=-1`, 400],
    ["/ws?jobId=a&jobId=b", 400],
    ["/ws?token=x", 400],
    ["/other", 404],
  ])("the upgrade of %s is refused with %i", async (path, status) => {
    expect(await refusal(`${bench.url.replace("http", "ws")}${path}`)).toBe(status);
  });

  test("more connections than it takes are refused with 503", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const log = { onEvent: () => () => undefined } as unknown as JobLog;
    const registry = createRegistry({ processMetrics: false });
    const hub = new SocketHub({ server, log, registry, pingMs: 1_000, maxConnections: 1 });
    const { port } = server.address() as { port: number };
    const first = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    await new Promise((resolve) => first.once("open", resolve));
    const closed = new Promise((resolve) => first.once("close", resolve));
    expect(await refusal(`ws://127.0.0.1:${port}/ws`)).toBe(503);
    await hub.close();
    expect(await closed).toBe(1001);
    await new Promise((resolve) => server.close(resolve));
  });
});
