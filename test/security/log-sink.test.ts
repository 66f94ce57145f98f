import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { injectAndHeal, RAMP, settled } from "../e2e/kit/scenarios.ts";
import { createWorld, quickConfig, TOKEN, type World } from "../e2e/kit/world.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { requireServer } from "../setup/require-server.ts";
import { print, timed } from "./kit.ts";

// The log has nowhere to go: a full disk, a disk that errs, a reader that does not read. What the process is for goes on.

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

let world: World;
const children: ChildProcess[] = [];
beforeEach(() => {
  world = createWorld();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await world.end();
});

test("a full disk under the monitor's log: it heals as ever, the losses are counted, the journal is whole", async () => {
  const service = await world.service();
  world.load(service.url);
  const targets = [{ name: "product-api", url: service.url }];
  const monitor = await world.monitor({ config: quickConfig({ targets }), env: { LOG_FILE: "/dev/full" } });
  await settled(monitor);
  const healed = await injectAndHeal({ service, monitor }, RAMP);
  expect(healed.event.outcome).toBe("applied");
  const metrics = await monitor.metrics();
  // Standard output got every line; the file got none, and each of its losses is counted.
  expect(metrics.value("log_lines_dropped_total")).toBeGreaterThanOrEqual(monitor.process.lines.length - 1);
  expect((await monitor.process.end("SIGTERM", 15_000)).code).toBe(0);
  const db = new DatabaseSync(join(world.dir, "monitor", "monitor.db"), { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  expect(db.prepare("SELECT count(*) AS n FROM outcomes").get()).toEqual({ n: 1 });
  db.close();
});

test("a disk that errs under a service's log and recovers: calls are answered, the lines after it are whole", async (context) => {
  const strace = requireServer("strace", context);
  try {
    execFileSync(strace, ["-o", "/dev/null", "true"]);
  } catch {
    context.skip("this machine does not allow tracing");
  }
  const log = join(world.dir, "app.log");
  const port = await freePort();
  const inject = ["-P", log, "-e", "trace=write", "-e", "inject=write:error=ENOSPC:when=5..14"];
  const child = spawn(
    strace,
    [
      "-D",
      "-f",
      "-o",
      "/dev/null",
      ...inject,
      process.execPath,
      MAIN,
      "service",
      "product-api",
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    {
      env: { PATH: process.env.PATH, ADMIN_TOKEN: TOKEN, HELIUS_DATA_DIR: world.dir, LOG_FILE: log },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  children.push(child);
  const url = `http://127.0.0.1:${port}`;
  await waitFor(() => timed(`${url}/health`).catch(() => false), { what: "the service", timeoutMs: 60_000 });
  // Three lines a call: one before it, two after.
  for (let n = 0; n < 20; n += 1) {
    const answer = await fetch(`${url}/admin/mitigate`, {
      method: "POST",
      headers: { "x-admin-token": TOKEN, "idempotency-key": `key-${n}` },
    });
    expect(answer.status).toBe(200);
  }
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toMatch(/^log_lines_dropped_total 10$/m);
  const lines = readFileSync(log, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(1 + 3 * 20 - 10);
  const known = await fetch(`${url}/admin/actions/key-3`, { headers: { "x-admin-token": TOKEN } });
  expect(await known.json()).toMatchObject({ applied: true });
});

test("a reader that does not read standard output stalls one line, not the service, and is caught up with later", async () => {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [MAIN, "service", "product-api", `--web.listen-address=127.0.0.1:${port}`],
    {
      env: { PATH: process.env.PATH, ADMIN_TOKEN: TOKEN, HELIUS_DATA_DIR: world.dir },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  const url = `http://127.0.0.1:${port}`;
  await waitFor(() => timed(`${url}/health`).catch(() => false), { what: "the service", timeoutMs: 60_000 });
  const call = { method: "POST", headers: { "x-admin-token": TOKEN } };
  const dropped = async () => {
    const page = await (await fetch(`${url}/metrics`)).text();
    return Number(/^log_lines_dropped_total (\d+)$/m.exec(page)?.[1]);
  };
  const times: number[] = [];
  // Far more than any pipe holds.
  for (let n = 0; n < 1_500; n += 1) times.push(await timed(`${url}/admin/mitigate`, call));
  const lost = await dropped();
  expect(lost).toBeGreaterThan(500);
  times.sort((a, b) => b - a);
  expect(times[0]).toBeLessThan(15_000);
  // One line waits, not each of them: a busy machine may be slow a few times of its own.
  expect(times[15]).toBeLessThan(900);
  print(
    `figure a reader that does not read: ${lost} lines dropped, one call took ${times[0]?.toFixed(0)} ms, the next longest ${times[1]?.toFixed(0)} ms`,
  );

  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await waitFor(() => text.length > 10_000, { what: "what the pipe held" });
  await timed(`${url}/admin/mitigate`, { ...call, headers: { ...call.headers, "idempotency-key": "after" } });
  await waitFor(() => text.includes('"idempotency_key":"after"'), { what: "a line after it" });
  expect(await dropped()).toBe(lost);
  const whole = text
    .trimEnd()
    .split("\n")
    .filter((line) => {
      try {
        return JSON.parse(line) !== undefined;
      } catch {
        return false;
      }
    });
  // The line that was cut short where the pipe was full is the only one that is not whole.
  expect(text.trimEnd().split("\n").length - whole.length).toBeLessThanOrEqual(1);
});
