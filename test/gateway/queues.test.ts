import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startProcess, stopProcess } from "../../src/lab/bench/gateway/processes.ts";
import { type NatsProcess, startNats } from "../../src/lab/bench/gateway/servers.ts";
import { capturedLog, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { JetStreamQueue } from "../../src/services/queue/jetstream-queue.ts";
import { SqliteQueue } from "../../src/services/queue/sqlite-queue.ts";
import type { DurableQueue } from "../../src/services/queue/types.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { serverPath } from "../setup/require-server.ts";
import { queueBehaviour } from "./behaviour.ts";

let dir: ReturnType<typeof temporaryDirectory>;
const opened: DurableQueue[] = [];
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((queue) => queue.close()));
  dir.remove();
});
const common = { lanes: ["a", "b"], laneCapacity: 5, dedupWindowMs: 60_000 };

describe("the embedded engine", () => {
  queueBehaviour(async () => {
    const queue = new SqliteQueue({ ...common, file: join(dir.path, "queue.sqlite"), nowMs: Date.now });
    opened.push(queue);
    return queue;
  });
});

const program = serverPath("nats-server");
describe.runIf(program !== undefined || process.env.CI === "true")("JetStream", () => {
  const folder = temporaryDirectory();
  let server: NatsProcess;
  let test = 0;
  beforeAll(async () => {
    server = await startNats({ program: program ?? "nats-server", directory: folder.path });
  });
  afterAll(async () => {
    await stopProcess(server.process);
    folder.remove();
  });
  beforeEach(() => {
    test += 1;
  });
  const open = async () => {
    const { logger } = capturedLog();
    const queue = await JetStreamQueue.open({ ...common, name: `test-${test}`, url: server.url, logger });
    opened.push(queue);
    return queue;
  };

  queueBehaviour(open);

  it("is shared: two processes' worth of consumers get each message once, and know each other's duplicates", async () => {
    const [one, two] = [await open(), await open()];
    for (const key of ["1", "2", "3", "4", "5"]) {
      await (Number(key) % 2 === 0 ? one : two).offer({ lane: "a", key, payload: Buffer.from(key) });
    }
    expect(await one.offer({ lane: "a", key: "1", payload: Buffer.from("1") })).toBe("duplicate");
    const keys: string[] = [];
    await waitFor(
      async () => {
        for (const queue of [one, two]) {
          const taken = queue.take("a", 1);
          keys.push(...taken.map(({ key }) => key));
          await queue.settle(taken.map((delivery) => ({ delivery, verdict: "done" })));
        }
        return keys.length >= 5;
      },
      { what: "five deliveries", timeoutMs: 60_000 },
    );
    expect(keys.sort()).toEqual(["1", "2", "3", "4", "5"]);
    await waitFor(() => one.depth("a") === 0 && two.depth("a") === 0, { what: "both to see it empty" });
  });
});

describe.runIf(program !== undefined || process.env.CI === "true")("JetStream that is not there", () => {
  it("refuses every write until it comes, and again when it goes", async () => {
    const port = await freePort();
    const { logger, lines } = capturedLog();
    const queue = await JetStreamQueue.open({
      ...common,
      name: "late",
      url: `nats://127.0.0.1:${port}`,
      logger,
    });
    opened.push(queue);
    const offer = (key: string) => queue.offer({ lane: "a", key, payload: Buffer.from("x") });
    await expect(offer("1")).rejects.toThrow("not connected");
    expect(queue.take("a", 1)).toEqual([]);
    const server = startProcess({
      command: program ?? "nats-server",
      args: ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", dir.path],
    });
    try {
      await waitFor(async () => (await offer("1").catch(() => "")) === "accepted", {
        what: "the engine",
        timeoutMs: 60_000,
      });
      expect(lines.some((line) => line.message === "queue engine connected")).toBe(true);
    } finally {
      await stopProcess(server);
    }
    await expect(offer("2")).rejects.toThrow("did not take it");
  });
});
