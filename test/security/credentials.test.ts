import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runHelius } from "../e2e/kit/process.ts";
import { injectAndHeal, settled } from "../e2e/kit/scenarios.ts";
import { createWorld, quickConfig, type World } from "../e2e/kit/world.ts";
import { waitFor } from "../setup/ports.ts";

// Tokens in files, against real processes that are never restarted.

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

/** 50 ms a second for 100 s, up to the cap. */
const LASTING = { name: "ramp", query: "mode=latency&inc=5000&over=100" } as const;

/** Replaces a token file in one step, as a secret store does. */
function replace(name: string, text: string): string {
  const path = join(world.dir, name);
  writeFileSync(`${path}.next`, text, { mode: 0o600 });
  renameSync(`${path}.next`, path);
  return path;
}

async function serviceWithFile(text: string, env: Readonly<Record<string, string>> = {}) {
  const file = replace("service.token", text);
  // An empty variable counts as absent: the file speaks.
  const service = await world.service({ env: { ADMIN_TOKEN: "", ADMIN_TOKEN_FILE: file, ...env } });
  const adminUrl = String((await service.process.line("service listening")).admin_url);
  const status = async (token: string, url = adminUrl) =>
    (await fetch(`${url}/admin/faults`, { headers: { "x-admin-token": token } })).status;
  const metric = async (name: string) => {
    const page = await (await fetch(`${service.url}/metrics`)).text();
    return new RegExp(`^${name} (\\d+)$`, "m").exec(page)?.[1];
  };
  return { service, adminUrl, file, status, metric };
}

test("a service rotates without a restart: old, both, new; what is unusable changes nothing and is told of", async () => {
  const { service, file, status, metric } = await serviceWithFile("old\n");
  const both = async () => [await status("old"), await status("new")];
  expect(await both()).toEqual([200, 401]);
  replace("service.token", "old\nnew\n");
  expect(await both()).toEqual([200, 200]);
  replace("service.token", "new\n");
  expect(await both()).toEqual([401, 200]);
  expect(await metric("admin_token_file_unusable")).toBe("0");

  rmSync(file);
  // Told of although nobody calls.
  expect(await service.process.line("admin token file is bad, keeping the last tokens")).toMatchObject({
    level: "error",
    reason: `${file} cannot be read: ENOENT`,
  });
  expect(await both()).toEqual([401, 200]);
  expect(await metric("admin_token_file_unusable")).toBe("1");
  replace("service.token", "old\nnew\nthird\n");
  expect(await both()).toEqual([401, 200]);
  replace("service.token", "later\n");
  expect([await status("later"), await status("new")]).toEqual([200, 401]);
  expect(await metric("admin_token_file_unusable")).toBe("0");
  expect(service.process.all("admin token file is open to others")).toEqual([]);
  chmodSync(file, 0o644);
  expect(await status("later")).toBe(200);
  await service.process.line("admin token file is open to others");
  expect(service.process.all("admin token file is open to others")).toHaveLength(1);
  for (const token of ["old", "new", "later", "third"])
    expect(service.process.stdout()).not.toMatch(new RegExp(`["=: ]${token}["&]`));
});

test("the monitor presents its first token, then its second, at an admin plane of its own, and heals", async () => {
  const { service, adminUrl, status } = await serviceWithFile("new\n", {
    ADMIN_LISTEN_ADDRESS: "127.0.0.1:0",
  });
  expect(await status("new", service.url)).toBe(404);
  world.load(service.url);
  const file = replace("monitor.token", "old\nnew\n");
  const monitor = await world.monitor({
    config: quickConfig({ targets: [{ name: "product-api", url: service.url, admin_url: adminUrl }] }),
    env: { ADMIN_TOKEN: "", ADMIN_TOKEN_FILE: file },
  });
  await settled(monitor);
  const inject = async (query: string) => {
    const headers = { "x-admin-token": "new" };
    const answer = await fetch(`${adminUrl}/admin/fault?${query}`, { method: "POST", headers });
    expect(answer.status).toBe(200);
  };
  const healed = await injectAndHeal({ service: { ...service, inject }, monitor }, LASTING);
  expect(healed.event).toMatchObject({ outcome: "applied" });
  expect(service.autoMitigations()).toHaveLength(1);
  // The first token once; never a third try.
  expect(service.process.all("admin call refused")).toMatchObject([
    { status: 401, call: "POST /admin/mitigate" },
  ]);
  expect(await status("new")).toBe(200);
  rmSync(file);
  await monitor.process.line("admin token file is bad, keeping the last tokens");
  await waitFor(async () => (await monitor.metrics()).value("admin_token_file_unusable") === 1, {
    what: "the metric",
  });
  await monitor.moreCycles(2);
});

describe("in production the development token is refused", () => {
  const production = { NODE_ENV: "production" };
  const cases: [string, string[], () => Record<string, string>, RegExp][] = [
    [
      "a service without a token",
      ["service", "product-api"],
      () => ({}),
      /ADMIN_TOKEN is not set or is the development default/,
    ],
    [
      "a service with it",
      ["service", "product-api"],
      () => ({ ADMIN_TOKEN: "secret" }),
      /development default/,
    ],
    [
      "a service with it in its file, as the second",
      ["service", "telemetry-gateway"],
      () => ({ ADMIN_TOKEN_FILE: replace("t", "one-of-its-own-for-it\nsecret\n") }),
      /ADMIN_TOKEN_FILE: .*the development token is refused in production/,
    ],
    ["the monitor without a token", ["monitor"], () => ({}), /admin\.token is the development default/],
    [
      "the monitor with it",
      ["monitor"],
      () => ({ ADMIN_TOKEN: "secret" }),
      /admin\.token is the development default/,
    ],
    [
      "the monitor with it in its file",
      ["monitor"],
      () => ({ ADMIN_TOKEN_FILE: replace("t", "secret\n") }),
      /admin\.token_file cannot be used: .*the development token is refused in production/,
    ],
  ];
  test.each(cases)("%s", async (_name, args, env, message) => {
    const { code, stdout, stderr } = await runHelius({
      args: [...args, "--web.listen-address=127.0.0.1:0"],
      env: { ...production, HELIUS_DATA_DIR: world.dir, GATEWAY_MQTT_PORT: "0", ...env() },
      cwd: world.dir,
      limitMs: 60_000,
    });
    expect(code).not.toBe(0);
    expect(stdout + stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
