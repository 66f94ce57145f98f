import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import type { RefusalEvent } from "../../common/security/gate.ts";
import { createTokenSet, type TokenSet } from "../../common/security/tokens.ts";
import { createAuth } from "./auth.ts";
import type { ApiError } from "./errors.ts";
import { startMonitorServer } from "./server.ts";
import { quietApi, TOKEN } from "./web.testkit.ts";

const PATH = "/api/v1/alerts/webhook";
const running: { close(): Promise<void> }[] = [];
afterEach(async () => void (await Promise.all(running.splice(0).map((server) => server.close()))));

async function start(tokens: TokenSet = createTokenSet({ value: TOKEN }), hosts: readonly string[] = []) {
  let reloads = 0;
  const reload = async () => {
    reloads += 1;
    return undefined;
  };
  const api = { ...quietApi(), tokens, hosts: () => hosts, lifecycle: true, reload, reloads: () => reloads };
  const server = await startMonitorServer({ host: "127.0.0.1", port: 0, api });
  running.push(server);
  const call = async (headers: Record<string, string>, method = "POST") => {
    const init = {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: '{"version":"4","alerts":[]}',
    };
    const answer = await fetch(`${server.url}${PATH}`, init);
    return {
      status: answer.status,
      headers: answer.headers,
      json: (await answer.json()) as { error?: string },
    };
  };
  return { api, server, call };
}

describe("a caller without a valid token", () => {
  it.each<[string, Record<string, string>, "missing" | "wrong"]>([
    ["none", {}, "missing"],
    ["a wrong one", { authorization: "Bearer not it" }, "wrong"],
    ["a wrong one in our header", { "x-admin-token": "not it" }, "wrong"],
    ["a part of it", { authorization: `Bearer ${TOKEN.slice(0, -1)}` }, "wrong"],
    ["an empty one", { authorization: "Bearer " }, "wrong"],
    ["another scheme", { authorization: `Basic ${btoa(`admin:${TOKEN}`)}` }, "wrong"],
    ["no scheme", { authorization: "Bearer" }, "wrong"],
    ["a wrong one beside the right one", { authorization: "Bearer not it", "x-admin-token": TOKEN }, "wrong"],
    ["it twice", { "x-admin-token": `${TOKEN}, ${TOKEN}` }, "wrong"],
  ])("%s: 401, counted, told, and nothing taken", async (_name, headers, reason) => {
    const { api, server, call } = await start();
    const answer = await call(headers);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="predictive-monitor"');
    expect(answer.headers.get("connection")).toBe("close");
    expect(answer.json.error).toMatch(new RegExp(`^the token is ${reason}; send one`));
    expect(api.received).toEqual([]);
    expect(api.refusals).toEqual([{ kind: "refused", address: "127.0.0.1", reason, count: 1 }]);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
      `predict_api_calls_refused_total{reason="token_${reason}"} 1\n`,
    );
  });

  it("is answered before the body is sent", async () => {
    const { server } = await start();
    const socket = connect(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.write(
      `POST ${PATH} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{`,
    );
    const head = await new Promise<string>((resolve) => socket.once("data", (d) => resolve(d.toString())));
    expect(head).toMatch(/^HTTP\/1\.1 401 /);
  });

  it("who guesses is told to wait; the right token of the same address goes on, and so does what needs none", async () => {
    const { api, server, call } = await start();
    for (let n = 0; n < 10; n += 1) expect((await call({ authorization: `Bearer ${n}` })).status).toBe(401);
    const locked = await call({ authorization: "Bearer 10" });
    expect(locked.status).toBe(429);
    expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(25);
    expect(locked.json.error).toMatch(/^too many wrong tokens from this address; wait \d+ s$/);
    expect(api.received).toEqual([]);
    expect(api.refusals.map(({ kind }) => kind)).toEqual(["refused", "locked_out"]);
    const page = await (await fetch(`${server.url}/metrics`)).text();
    expect(page).toContain("predict_api_addresses_locked_out 1\n");
    expect(page).toContain('predict_api_calls_refused_total{reason="locked_out"} 1\n');
    expect((await call({ authorization: `Bearer ${TOKEN}` })).status).toBe(200);
    expect((await fetch(`${server.url}/api/v1/status`)).status).toBe(200);
  });

  it("bare calls, as many as there are, lock nobody out", async () => {
    const { server, call } = await start();
    for (let n = 0; n < 40; n += 1) expect((await call({})).status).toBe(401);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
      "predict_api_addresses_locked_out 0\n",
    );
    expect((await call({ authorization: "Bearer wrong" })).status).toBe(401);
  });
});

describe("what a browser asks for on behalf of another site", () => {
  /** With a `host` of one's own, which fetch does not allow. */
  const raw = (port: number, method: string, path: string, headers: Record<string, string>) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const call = request({ port, host: "127.0.0.1", method, path, headers, agent: false }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        answer.once("end", () => resolve({ status: answer.statusCode, text }));
      });
      call.once("error", reject).end();
    });

  it.each([
    ["POST", "/-/reload"],
    ["PUT", "/-/reload"],
    ["POST", "/api/v1/pause"],
    ["DELETE", "/api/v1/silences/x"],
    ["POST", "/api/v1/escalations/x/acknowledge"],
    ["POST", "/api/v1/actions"],
    ["POST", "/api/v1/replay"],
    ["POST", PATH],
    ["GET", "/api/v1/status"],
    ["GET", "/api/v1/events"],
    ["GET", "/"],
  ])("%s %s is refused under a foreign name, also with the right token", async (method, path) => {
    const { api, server } = await start();
    const { port } = server;
    const authorization = `Bearer ${TOKEN}`;
    const foreign = await raw(port, method, path, { host: `rebound.example:${port}`, authorization });
    expect(foreign).toEqual({ status: 403, text: expect.stringContaining("web.allowed_hosts") });
    expect(api.refusals).toMatchObject([{ reason: "called by a foreign name" }]);
    expect(api.reloads()).toBe(0);
  });

  it("a change that a page of another site asks for is refused; one of its own page, or of a program, is not", async () => {
    const { api, server } = await start();
    const { port } = server;
    const ask = (headers: Record<string, string>) => raw(port, "POST", "/-/reload", headers);
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null", "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ] as Record<string, string>[])
      expect((await ask(headers)).status).toBe(403);
    expect(api.reloads()).toBe(0);
    for (const headers of [
      {},
      { origin: `http://127.0.0.1:${port}`, "sec-fetch-site": "same-origin" },
    ] as Record<string, string>[])
      expect((await ask(headers)).status).toBe(200);
    expect(api.reloads()).toBe(2);
    const page = await (await fetch(`${server.url}/metrics`)).text();
    expect(page).toContain('predict_api_calls_refused_total{reason="foreign_origin"} 3\n');
  });

  it("names that are given are its own; probes and scrapes come under any", async () => {
    const { server } = await start(undefined, ["monitor.example"]);
    const { port } = server;
    for (const path of ["/api/v1/status", "/-/healthy", "/-/ready", "/metrics"])
      expect((await raw(port, "GET", path, { host: "monitor.example" })).status, path).toBe(200);
    for (const path of ["/-/healthy", "/-/ready", "/metrics"])
      expect((await raw(port, "GET", path, { host: "any.example" })).status, path).toBe(200);
  });
});

describe("the door by itself", () => {
  it("looks at an address's wrong tokens again when its lockout is over, and tells of its end", async () => {
    let nowMs = 0;
    const events: RefusalEvent[] = [];
    const registry = new Registry();
    const auth = createAuth({
      tokens: createTokenSet({ value: TOKEN }),
      registry,
      hosts: () => [],
      monoMs: () => nowMs,
      onRefusal: (event) => void events.push(event),
    });
    const app = express().get("/", auth.require, (_req, res) => void res.send("in"));
    app.use(((error, _req, res, _next) =>
      res.status((error as ApiError).status).end()) as express.ErrorRequestHandler);
    const server = app.listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const call = async (token: string) =>
      (await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-admin-token": token } })).status;
    for (let n = 0; n < 10; n += 1) await call("wrong");
    nowMs = 29_999;
    expect([await call("wrong"), await call(TOKEN)]).toEqual([429, 200]);
    nowMs = 60_000;
    expect([await call("wrong"), await call(TOKEN)]).toEqual([401, 200]);
    auth.stop();
    expect(events.at(-1)).toEqual({ kind: "lockout_ended", address: "127.0.0.1", count: 2 });
  });
});

describe("in a crowd", () => {
  it.each([
    ["idle", ""],
    ["slow with their headers", "GET / HTTP/1.1\r\nhost: a\r\nx-"],
    ["slow readers", "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".repeat(50)],
    ["readers of events", "GET /api/v1/events HTTP/1.1\r\nhost: a\r\n\r\n"],
  ])(
    "700 anonymous connections of the same address, %s, keep out no call with the token, webhook or probe",
    async (_name, text) => {
      const { server, call } = await start();
      const crowd = Array.from({ length: 700 }, () => {
        const socket = connect(server.port, "127.0.0.1").on("error", () => {});
        socket.pause();
        if (text !== "") socket.write(text);
        onTestFinished(() => void socket.destroy());
        return socket;
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      const headers = {
        authorization: `Bearer ${TOKEN}`,
        "content-type": "application/json",
        connection: "close",
      };
      for (let n = 0; n < 5; n += 1) {
        expect((await call({ ...headers })).status).toBe(200);
        const body = JSON.stringify({ author: "ana", reason: "test" });
        const paused = await fetch(`${server.url}/api/v1/pause`, { method: "POST", headers, body });
        expect(paused.status).toBe(200);
        expect((await fetch(`${server.url}/-/healthy`)).status).toBe(200);
      }
      expect(crowd).toHaveLength(700);
    },
  );
});

describe("rotation", () => {
  it("two tokens of the file are valid at once; it is read again when it changes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "helius-auth-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "token");
    let written = 0;
    const write = (text: string) => {
      writeFileSync(file, text, { mode: 0o600 });
      written += 1;
      utimesSync(file, 1_700_000_000 + written, 1_700_000_000 + written);
    };
    write("old\n");
    const { call } = await start(createTokenSet({ file }));
    const statuses = async () => {
      const found: number[] = [];
      for (const token of ["old", "new"])
        found.push((await call({ authorization: `Bearer ${token}` })).status);
      return found;
    };
    expect(await statuses()).toEqual([200, 401]);
    write("old\nnew\n");
    expect(await statuses()).toEqual([200, 200]);
    write("new\n");
    expect(await statuses()).toEqual([401, 200]);
    write("");
    expect(await statuses()).toEqual([401, 200]);
  });
});
