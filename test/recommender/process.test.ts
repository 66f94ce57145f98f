import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { freePort } from "../setup/ports.ts";

// The recommender as a process of its own, killed without warning.

const program = fileURLToPath(new URL("../services/run-service.ts", import.meta.url));
let folder: ReturnType<typeof temporaryDirectory>;
let port: number;
let child: ChildProcess | undefined;

beforeEach(async () => {
  folder = temporaryDirectory();
  port = await freePort();
});

afterEach(async () => {
  await kill("SIGKILL");
  folder.remove();
});

async function launch(env: Record<string, string>): Promise<void> {
  child = spawn(process.execPath, [program, "recommender-service", `127.0.0.1:${port}`], {
    env: { PATH: process.env.PATH, HELIUS_DATA_DIR: folder.path, ADMIN_TOKEN: "t", ...env },
    stdio: "ignore",
  });
  await eventually(() => health().catch(() => undefined));
}

async function kill(signal: NodeJS.Signals): Promise<void> {
  const process = child;
  child = undefined;
  if (process === undefined || process.exitCode !== null) return;
  const gone = new Promise((resolve) => process.once("exit", resolve));
  process.kill(signal);
  await gone;
}

async function health(): Promise<Record<string, unknown>> {
  return (await (await fetch(`http://127.0.0.1:${port}/health`)).json()) as Record<string, unknown>;
}

test("a kill takes neither the model nor the forced fallback with it", async () => {
  await launch({ RECOMMENDER_TRAIN_ON_START: "1" });
  const version = await eventually(async () => {
    const { mode, model_version } = await health();
    return mode === "trained" ? model_version : undefined;
  });
  const forced = await fetch(`http://127.0.0.1:${port}/admin/mitigate?action=force-fallback&seconds=3600`, {
    method: "POST",
    headers: { "x-admin-token": "t" },
  });
  expect(forced.status).toBe(200);
  await kill("SIGKILL");

  await launch({});
  const after = await health();
  expect(after.mode).toBe("static");
  expect(after.forced_fallback_seconds).toBeGreaterThan(3_500);
  await fetch(`http://127.0.0.1:${port}/admin/mitigate?action=release-fallback`, {
    method: "POST",
    headers: { "x-admin-token": "t" },
  });
  await kill("SIGKILL");

  await launch({});
  expect(await health()).toMatchObject({ mode: "trained", model_version: version, model_problem: null });
});
