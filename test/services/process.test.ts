import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";

const RUNNER = fileURLToPath(new URL("./run-service.ts", import.meta.url));
const children: ChildProcess[] = [];
let dir: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(async () => {
  for (const child of children.splice(0)) await stop(child, "SIGKILL");
  dir.remove();
});

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
}

async function start(address = "127.0.0.1:0"): Promise<Started> {
  const child = spawn(process.execPath, [RUNNER, "product-api", address], {
    env: { ...process.env, HELIUS_DATA_DIR: dir.path, LOG_FILE: join(dir.path, "app.log"), ADMIN_TOKEN: "t" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const port = await eventually(() => {
    if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}: ${output}`);
    return /"port":(\d+),.*"message":"service listening"/.exec(output)?.[1];
  });
  return { child, url: `http://127.0.0.1:${port}` };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
  return child.exitCode;
}

async function mitigate(url: string, key: string, epoch: string) {
  const response = await fetch(`${url}/admin/mitigate`, {
    method: "POST",
    headers: {
      "x-admin-token": "t",
      "x-predictive-automated": "1",
      "idempotency-key": key,
      "x-predictive-epoch": epoch,
    },
  });
  const body = (await response.json()) as Record<string, unknown>;
  return { status: response.status, replay: response.headers.get("idempotent-replay"), body };
}

describe("a service as a process", () => {
  test("what was answered survives kill -9: keys, answers and the epoch", async () => {
    let service = await start();
    for (let round = 0; round < 3; round += 1) {
      const done = await mitigate(service.url, `intent-${round}`, String(10 + round));
      expect(done).toEqual({ status: 200, replay: null, body: { reset_latency: true, freed_chunks: 0 } });
      await stop(service.child, "SIGKILL");
      service = await start();
      for (let known = 0; known <= round; known += 1) {
        expect(await mitigate(service.url, `intent-${known}`, String(10 + round))).toEqual({
          ...done,
          replay: "true",
        });
      }
      expect((await mitigate(service.url, "late", String(9 + round))).status).toBe(409);
    }
  }, 60_000);

  test("SIGTERM loses no log line and ends with 0", async () => {
    const { child, url } = await start();
    await Promise.all(Array.from({ length: 50 }, (_, index) => mitigate(url, `k${index}`, "1")));
    expect(await stop(child, "SIGTERM")).toBe(0);
    const lines = readFileSync(join(dir.path, "app.log"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const keys = lines
      .filter((line) => line.message === "mitigation executed")
      .map((line) => line.idempotency_key);
    expect(new Set(keys).size).toBe(50);
    expect(lines.at(-1)).toMatchObject({ message: "service stopped", cut_off_requests: 0 });
  });

  test("a second process on the same port is refused with host and port", async () => {
    const { url } = await start();
    const { port } = new URL(url);
    await expect(start(`127.0.0.1:${port}`)).rejects.toThrow(
      `ListenError: port ${port} on 127.0.0.1 is already in use`,
    );
  });

  test("a second process on the same data directory is refused by name", async () => {
    await start();
    await expect(start()).rejects.toThrow(/LedgerInUseError.*HELIUS_DATA_DIR/);
  });
});
