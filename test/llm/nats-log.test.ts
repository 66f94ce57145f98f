import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { capturedLog, eventually, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { NatsJobLog } from "../../src/services/llm-router/jobs/nats-log.ts";
import type { EventBody } from "../../src/services/llm-router/jobs/types.ts";
import { serverPath } from "../setup/require-server.ts";
import { type RunningNats, startNats } from "./nats.ts";

const dir = temporaryDirectory();
let nats: RunningNats | undefined;
const logs: NatsJobLog[] = [];

const RESULT: EventBody = {
  event: "result",
  decision: { action: "clear_cache", confidence: 0.8, rationale: "stale" },
  actionable: true,
  attempt: 1,
};

beforeAll(async () => {
  const binary = serverPath("nats-server");
  if (binary !== undefined) nats = await startNats({ binary, dataDir: dir.path });
});
beforeEach((context) => {
  if (nats !== undefined) return;
  if (process.env.CI === "true") throw new Error("nats-server is missing");
  context.skip("nats-server is missing: apt-get install nats-server");
});
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
});
afterAll(async () => {
  await nats?.stop();
  dir.remove();
});

async function open(): Promise<NatsJobLog> {
  const log = await NatsJobLog.open({ url: nats!.url, nowMs: Date.now, logger: capturedLog().logger });
  logs.push(log);
  return log;
}

test("a job begins once, keeps its events in order, and is known to every router", async () => {
  const [one, two] = await Promise.all([open(), open()]);
  const [first, second] = await Promise.all([one.begin("job-a", "digest"), two.begin("job-a", "other")]);
  expect(second).toEqual(first);
  await two.append("job-a", { event: "error", message: "m", attempt: 1, retryInSeconds: 2 }, 77);
  await one.append("job-a", RESULT, 77);
  expect((await two.events("job-a", 0)).map(({ seq, event }) => `${seq} ${event}`)).toEqual([
    "1 queued",
    "2 error",
    "3 result",
  ]);
  expect((await one.events("job-a", 2)).map(({ seq }) => seq)).toEqual([3]);
  expect(await two.find("job-a")).toMatchObject({ state: "succeeded", lastSeq: 3, acceptedMs: 77 });
  expect(await one.find("job-unknown")).toBeUndefined();
});

test("ten writers at the same moment: one end", async () => {
  const routers = await Promise.all([open(), open()]);
  await routers[0]?.begin("job-b", "d");
  const written = await Promise.all(
    Array.from({ length: 10 }, (_, index) => routers[index % 2]?.append("job-b", RESULT)),
  );
  expect(written.filter((event) => event !== undefined)).toHaveLength(1);
  expect(await routers[1]?.events("job-b", 0)).toHaveLength(2);
  expect(await routers[0]?.append("job-b", { event: "queued" })).toMatchObject({ seq: 3 });
});

test("listeners hear what any router writes, once, also after the server was away", async () => {
  const [one, two] = await Promise.all([open(), open()]);
  const heard: string[] = [];
  two.onEvent(({ jobId, seq }) => void heard.push(`${jobId} ${seq}`));
  await one.begin("job-c", "d");
  await eventually(() => heard.includes("job-c 1"));
  await nats!.kill();
  await expect(one.append("job-c", RESULT)).rejects.toMatchObject({ name: "QueueUnavailableError" });
  await nats!.restart();
  await eventually(() => one.append("job-c", RESULT).catch(() => undefined));
  await eventually(() => heard.includes("job-c 2"));
  expect(heard.filter((entry) => entry.startsWith("job-c"))).toEqual(["job-c 1", "job-c 2"]);
}, 90_000);

test("without a server it opens, refuses, and takes over when the server comes", async () => {
  await nats!.kill();
  const log = await NatsJobLog.open({ url: nats!.url, nowMs: Date.now, logger: capturedLog().logger });
  logs.push(log);
  await expect(log.begin("job-d", "d")).rejects.toMatchObject({ name: "QueueUnavailableError" });
  await nats!.restart();
  expect(await eventually(() => log.begin("job-d", "d").catch(() => undefined), 30_000)).toMatchObject({
    state: "queued",
  });
}, 90_000);
