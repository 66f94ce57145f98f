import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTokenSet } from "../../common/security/tokens.ts";
import { startTestService, type TestService, TOKEN, temporaryDirectory } from "./kit.testkit.ts";
import type { ServiceOptions } from "./service.ts";

let dir: ReturnType<typeof temporaryDirectory>;
const running: { close(): Promise<void> }[] = [];
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
  dir.remove();
});

async function start(options: Partial<ServiceOptions> = {}): Promise<TestService> {
  const service = await startTestService({
    dataDir: dir.path,
    routes: (app, ctx) => {
      app.get("/work", (_request, response) => void response.json({ done: true }));
      app.get("/private", ctx.requireAdmin, (_request, response) => void response.json({ seen: true }));
    },
    ...options,
  });
  running.push(service);
  return service;
}

const status = async (url: string, headers: Record<string, string> = {}) =>
  (await fetch(url, { headers: { "x-admin-token": TOKEN, ...headers } })).status;

/** Addresses of this machine that are not loopback: who calls one is not local to the one called. */
const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter((address) => !address.internal && address.family === "IPv4")
  .map((address) => address.address);

describe("by default", () => {
  test("a caller on this machine is let in, a proxy on it is not", async () => {
    const service = await start();
    expect(await status(`${service.url}/admin/faults`)).toBe(200);
    expect(await status(`${service.url}/private`)).toBe(200);
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "via"]) {
      expect(await status(`${service.url}/admin/faults`, { [name]: "127.0.0.1" })).toBe(403);
      expect(await status(`${service.url}/private`, { [name]: "" })).toBe(403);
    }
    const answer = await service.admin("POST", "/admin/mitigate", { via: "1.1 proxy" });
    expect(answer.json.error).toContain("ADMIN_LISTEN_ADDRESS");
    expect(await service.metrics()).toMatch(/^admin_calls_refused_total\{reason="not_local"\} 9$/m);
    expect(service.lines.filter((line) => line.message === "admin call refused")).toMatchObject([
      { status: 403 },
    ]);
    expect(await service.metrics()).toContain("last_mitigation_timestamp_seconds 0");
  });

  test.skipIf(outside.length === 0)("a caller from elsewhere is not let in, whatever its token", async () => {
    const service = await start({ host: "0.0.0.0" });
    const url = `http://${outside[0]}:${service.port}`;
    expect(await status(`${url}/admin/faults`)).toBe(403);
    expect(await status(`${url}/private`)).toBe(403);
    expect(await status(`${url}/work`)).toBe(200);
    expect(await status(`${url}/metrics`)).toBe(200);
  });
});

test("public: everyone who reaches the port and has the token", async () => {
  const service = await start({ host: "0.0.0.0", adminReach: { kind: "public" } });
  for (const host of ["127.0.0.1", ...outside])
    expect(await status(`http://${host}:${service.port}/admin/faults`, { via: "1.1 proxy" })).toBe(200);
  expect(await status(`${service.url}/admin/faults`, { "x-admin-token": "x" })).toBe(401);
});

describe("a listener of its own", () => {
  test("has the admin plane, and the public one has it no more", async () => {
    const service = await start({ adminReach: { kind: "own", host: "127.0.0.1", port: 0 } });
    expect(service.adminUrl).not.toBe(service.url);
    expect(await status(`${service.adminUrl}/admin/faults`)).toBe(200);
    expect(await status(`${service.adminUrl}/private`)).toBe(200);
    expect(await status(`${service.adminUrl}/admin/faults`, { "x-admin-token": "x" })).toBe(401);
    expect(await status(`${service.url}/admin/faults`)).toBe(404);
    expect(await status(`${service.url}/admin/mitigate`)).toBe(404);
    expect(await status(`${service.url}/private`)).toBe(404);
    expect(await status(`${service.url}/work`)).toBe(200);
    expect(service.lines).toContainEqual(
      expect.objectContaining({ message: "service listening", admin: "own", admin_url: service.adminUrl }),
    );
  });

  test("on a port that is taken is named, and nothing is left running", async () => {
    const first = await start();
    const own = start({ name: "second", adminReach: { kind: "own", host: "127.0.0.1", port: first.port } });
    await expect(own).rejects.toThrow(
      `port ${first.port} on 127.0.0.1 is already in use; choose another with ADMIN_LISTEN_ADDRESS`,
    );
  });

  test("stops with the service", async () => {
    const service = await start({ adminReach: { kind: "own", host: "127.0.0.1", port: 0 } });
    await status(`${service.adminUrl}/admin/faults`);
    await service.close();
    await expect(fetch(`${service.adminUrl}/health`)).rejects.toThrow();
  });
});

test("pages of other sites, and foreign names that lead here, have no effect, whatever the token", async () => {
  const service = await start({ adminHosts: ["admin.example"] });
  const call = (headers: Record<string, string>, method = "POST") =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = { method, headers: { "x-admin-token": TOKEN, ...headers }, agent: false } as const;
      const path = method === "POST" ? "/admin/fault?mode=latency&inc=5" : "/admin/faults";
      const asked = request(`${service.url}${path}`, options, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.once("error", reject).end();
    });
  const host = new URL(service.url).host;
  for (const headers of [
    { host: "rebound.example" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
  ] as Record<string, string>[])
    expect(await call(headers), JSON.stringify(headers)).toBe(403);
  expect(await call({ host: "rebound.example" }, "GET")).toBe(403);
  expect((await service.admin("GET", "/admin/faults")).json.faults).toEqual({});
  for (const headers of [{}, { host: "admin.example" }, { origin: `http://${host}` }] as Record<
    string,
    string
  >[])
    expect(await call(headers), JSON.stringify(headers)).toBe(200);
  expect(await service.metrics()).toMatch(/^admin_calls_refused_total\{reason="foreign_host"\} 2$/m);
  expect(await service.metrics()).toMatch(/^admin_calls_refused_total\{reason="foreign_origin"\} 3$/m);
});

test("tokens from a file rotate while it runs", async () => {
  const file = join(dir.path, "token");
  writeFileSync(file, "one\n");
  const service = await start({ adminTokens: createTokenSet({ file }) });
  const status = async (token: string) =>
    (await service.admin("POST", "/admin/mitigate", { "x-admin-token": token })).status;
  expect([await status("one"), await status("two")]).toEqual([200, 401]);
  writeFileSync(file, "one\ntwo\n");
  expect([await status("one"), await status("two")]).toEqual([200, 200]);
  writeFileSync(file, "two\n");
  expect([await status("one"), await status("two")]).toEqual([401, 200]);
});
