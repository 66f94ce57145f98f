import { request as rawRequest } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HttpError } from "./errors.ts";
import { ManualClock, startTestService, type TestService, TOKEN, temporaryDirectory } from "./kit.testkit.ts";
import type { Mitigation } from "./mitigation.ts";
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
  const service = await startTestService({ dataDir: dir.path, ...options });
  running.push(service);
  return service;
}

const faultsOf = async (service: TestService) => (await service.admin("GET", "/admin/faults")).json.faults;
const events = (service: TestService) =>
  service.lines.filter((line) => line.message !== "service listening").map((line) => line.message);

describe("the contract's table", () => {
  test("latency adds up and is capped at 5000", async () => {
    const service = await start();
    const inject = async (inc: string) =>
      (await service.admin("POST", `/admin/fault?mode=latency&inc=${inc}`)).json;
    expect(await inject("300")).toEqual({ mode: "latency", artificial_latency_ms: 300 });
    expect(await inject("300")).toEqual({ mode: "latency", artificial_latency_ms: 600 });
    expect(await inject("4500")).toEqual({ mode: "latency", artificial_latency_ms: 5_000 });
  });

  test("leak counts chunks and answers the size of this call", async () => {
    const service = await start();
    const leak = async (kb: number) => (await service.admin("POST", `/admin/fault?mode=leak&kb=${kb}`)).json;
    expect(await leak(50)).toEqual({ mode: "leak", leak_chunks: 1, allocated_kb: 50 });
    expect(await leak(70)).toEqual({ mode: "leak", leak_chunks: 2, allocated_kb: 70 });
  });

  test("mitigate answers exactly two fields, whatever was on", async () => {
    const service = await start();
    expect((await service.admin("POST", "/admin/mitigate")).json).toEqual({
      reset_latency: true,
      freed_chunks: 0,
    });
    for (const query of ["mode=latency&inc=5", "mode=leak&kb=50", "mode=error&ratio=0.5", "mode=blackout"]) {
      expect((await service.admin("POST", `/admin/fault?${query}`)).status).toBe(200);
    }
    const answer = await service.admin("POST", "/admin/mitigate");
    expect(answer.json).toEqual({ reset_latency: true, freed_chunks: 1 });
    expect(await faultsOf(service)).toEqual({});
    expect(service.lines.at(-1)).toMatchObject({ cleared: "latency,leak,error,blackout" });
  });

  test("over= grows as a pure function of time, and the answer says so", async () => {
    const clock = new ManualClock();
    const service = await start({ clock });
    const answer = await service.admin("POST", "/admin/fault?mode=latency&inc=1000&over=100");
    expect(answer.json).toEqual({ mode: "latency", artificial_latency_ms: 1_000, over_seconds: 100 });
    const injected = async () => /^artificial_latency_injected_ms (\S+)/m.exec(await service.metrics())?.[1];
    expect(await injected()).toBe("0");
    clock.advance(25_000);
    expect(await injected()).toBe("250");
    clock.advance(75_000);
    expect(await injected()).toBe("1000");
    clock.advance(500_000);
    expect(await injected()).toBe("1000");
    expect(await faultsOf(service)).toEqual({
      latency: { artificial_latency_ms: 1_000, final_latency_ms: 1_000 },
    });
  });

  test("a mitigation sets its timestamp", async () => {
    const clock = new ManualClock();
    const service = await start({ clock });
    await service.admin("POST", "/admin/mitigate");
    expect(await service.metrics()).toContain("last_mitigation_timestamp_seconds 1700000000");
  });
});

describe("refusals have no effect and are audited", () => {
  test.each([
    ["mode=latency&inc=abc", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=-1", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=0", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=1e309", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=5001", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=NaN", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=Infinity", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=0x10", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=%205", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency", "inc", "a number of milliseconds, 0 < inc <= 5000"],
    ["mode=latency&inc=5&inc=6", "inc", "one value"],
    ["mode=latency&mode=latency&inc=5", "mode", "one value"],
    ["mode=latency&inc=5&kb=6", "kb", "only mode, inc, over"],
    ["mode=latency&inc[]=5", "inc[]", "only mode, inc, over"],
    ["mode=latency&inc=5&over=0", "over", "a number of seconds, 0 < over <= 86400"],
    ["mode=latency&inc=5&over=86401", "over", "a number of seconds, 0 < over <= 86400"],
    ["mode=leak&kb=0", "kb", "a number of kilobytes (1,024 bytes), 1 <= kb <= 1048576"],
    ["mode=leak&kb=1048577", "kb", "a number of kilobytes (1,024 bytes), 1 <= kb <= 1048576"],
    ["mode=error&ratio=1.01", "ratio", "a number, 0 < ratio <= 1"],
    ["mode=blackout&seconds=-5", "seconds", "a number of seconds, 0 < seconds <= 86400"],
    ["mode=backlog&factor=10", "mode", "one of latency, leak, error, blackout"],
    ["mode=nonsense", "mode", "one of latency, leak, error, blackout"],
    ["inc=5", "mode", "one of latency, leak, error, blackout"],
    ["", "mode", "one of latency, leak, error, blackout"],
    [`mode=latency&inc=5&${"x".repeat(3_000)}=1`, "(query)", "at most 2048 characters"],
  ])("400 for ?%s", async (query, parameter, expected) => {
    const service = await start();
    const answer = await service.admin("POST", `/admin/fault?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({ error: expect.any(String), parameter, expected });
    expect(await faultsOf(service)).toEqual({});
    expect(service.lines.at(-1)).toMatchObject({ message: "admin call refused", status: 400 });
  });

  test("a parameter of a mitigation is refused too", async () => {
    const service = await start();
    await service.admin("POST", "/admin/fault?mode=latency&inc=5");
    for (const query of ["mode=latency", "action=restart", "a=1&a=2"]) {
      expect((await service.admin("POST", `/admin/mitigate?${query}`)).status).toBe(400);
    }
    expect(await faultsOf(service)).toHaveProperty("latency");
  });

  test("401 without the token, with a wrong one, an empty one, or two, and never 429 for a few of each", async () => {
    const clock = new ManualClock();
    const service = await start({ clock });
    await service.admin("POST", "/admin/fault?mode=latency&inc=5");
    for (const token of [null, "wrong", "", `${TOKEN}, ${TOKEN}`]) {
      for (const [method, path] of [
        ["POST", "/admin/mitigate"],
        ["POST", "/admin/fault?mode=latency&inc=5"],
        ["GET", "/admin/faults"],
        ["GET", "/admin/actions/k"],
        ["GET", "/admin/nowhere"],
      ] as const) {
        const answer = await service.admin(method, path, { "x-admin-token": token });
        expect(answer.status).toBe(401);
        expect(answer.json).toMatchObject({ parameter: "x-admin-token" });
        expect(answer.headers.get("connection")).toBe("close");
        expect(answer.headers.get("cache-control")).toBe("no-store");
      }
    }
    clock.advance(30_000);
    expect(await faultsOf(service)).toEqual({ latency: { artificial_latency_ms: 5, final_latency_ms: 5 } });
    // The first by itself, the others when the service stops.
    await service.close();
    const audits = service.lines.filter((line) => line.remote !== undefined).slice(2);
    expect(audits).toMatchObject([
      { message: "admin call refused", status: 401, call: "POST /admin/mitigate" },
      { message: "admin calls refused", refusals: 19 },
    ]);
    expect(JSON.stringify(service.lines)).not.toContain("wrong,");
    expect(JSON.stringify(service.lines)).not.toContain(TOKEN);
  });

  test("guessing is answered 429 after a while, for longer each time, and counted; the right token is let in", async () => {
    const clock = new ManualClock();
    const service = await start({ clock });
    const guess = async () =>
      (await service.admin("POST", "/admin/mitigate", { "x-admin-token": "a guess" })).status;
    for (const wait of [30, 60, 120]) {
      for (let count = 0; count < 10; count += 1) expect(await guess()).toBe(401);
      const blocked = await service.admin("POST", "/admin/mitigate", { "x-admin-token": "a guess" });
      expect([blocked.status, blocked.headers.get("retry-after")]).toEqual([429, String(wait)]);
      expect(blocked.json.error).toContain(`wait ${wait} s`);
      expect(await service.metrics()).toMatch(/^admin_addresses_locked_out 1$/m);
      expect((await service.admin("POST", "/admin/mitigate")).status).toBe(200);
      clock.advance(wait * 1_000);
    }
    const metrics = await service.metrics();
    expect(metrics).toMatch(/^admin_addresses_locked_out 0$/m);
    expect(metrics).toMatch(/^admin_calls_refused_total\{reason="token_wrong"\} 30$/m);
    expect(metrics).toMatch(/^admin_calls_refused_total\{reason="locked_out"\} 3$/m);
  });

  test("a parameter of a call that only reads is refused too", async () => {
    const service = await start();
    for (const path of ["/admin/faults?verbose=1", "/admin/actions/k?verbose=1"]) {
      const answer = await service.admin("GET", path);
      expect([answer.status, answer.json.parameter, answer.json.expected]).toEqual([
        400,
        "verbose",
        "no parameter at all",
      ]);
    }
  });

  test("a log line can neither be ended nor filled with a token that stands in the wrong place", async () => {
    const service = await start();
    await service.admin("POST", `/admin/mitigate?token=${TOKEN}&action=%0A%1b[2J%c2%9b%e2%80%ae{}`);
    await service.admin("POST", `/admin/mitigate?x-admin-token=${TOKEN}`, { "x-admin-token": null });
    const refused = service.lines.filter((line) => line.message === "admin call refused");
    expect(refused.map((line) => line.call)).toEqual([
      "POST /admin/mitigate?token=…&action=\\u{a}\\u{1b}[2J\\u{9b}\\u{202e}{}",
      "POST /admin/mitigate?x-admin-token=…",
    ]);
    expect(JSON.stringify(service.lines)).not.toContain(TOKEN);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(JSON.stringify(service.lines)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]|\\n|\\u001b/);
  });

  test("405 with the right method", async () => {
    const service = await start();
    for (const [method, path, allow] of [
      ["GET", "/admin/fault?mode=latency&inc=5", "POST"],
      ["PUT", "/admin/mitigate", "POST"],
      ["DELETE", "/admin/mitigate", "POST"],
      ["POST", "/admin/faults", "GET, HEAD"],
      ["POST", "/admin/actions/k", "GET, HEAD"],
    ] as const) {
      const answer = await service.admin(method, path);
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
    }
    expect((await service.admin("GET", "/admin/nowhere")).status).toBe(404);
    expect(await faultsOf(service)).toEqual({});
  });

  test("413 for a body over 16 kB, also without a stated length; a small one is ignored", async () => {
    const service = await start();
    const post = (path: string, body: string | ReadableStream) =>
      fetch(`${service.url}${path}`, {
        method: "POST",
        headers: { "x-admin-token": TOKEN },
        body,
        duplex: "half",
      } as RequestInit);
    const path = "/admin/fault?mode=latency&inc=5";
    const big = "x".repeat(16 * 1_024 + 1);
    expect((await post(path, big)).status).toBe(413);
    expect((await post(path, new Blob([big]).stream())).status).toBe(413);
    expect(await faultsOf(service)).toEqual({});
    expect((await post(path, "x".repeat(16 * 1_024))).status).toBe(200);
    const inBody = await post("/admin/fault", "mode=latency&inc=5");
    expect(inBody.status).toBe(400);
    expect(await faultsOf(service)).toEqual({ latency: { artificial_latency_ms: 5, final_latency_ms: 5 } });
  });

  test("403 where fault injection is off; mitigation still works", async () => {
    const service = await start({ faultInjection: false });
    const answer = await service.admin("POST", "/admin/fault?mode=latency&inc=5");
    expect(answer.status).toBe(403);
    expect(answer.json.error).toContain("FAULT_INJECTION=1");
    expect((await service.admin("POST", "/admin/mitigate")).status).toBe(200);
  });

  test("malformed headers are named", async () => {
    const service = await start();
    for (const [name, value] of [
      ["idempotency-key", "two words"],
      ["idempotency-key", "k".repeat(201)],
      ["x-predictive-epoch", "-1"],
      ["x-predictive-epoch", "1.5"],
      ["x-predictive-epoch", "9".repeat(16)],
      ["x-predictive-automated", "yes"],
    ] as const) {
      const answer = await service.admin("POST", "/admin/mitigate", { [name]: value });
      expect([answer.status, answer.json.parameter]).toEqual([400, name]);
    }
    expect(await service.metrics()).toContain("last_mitigation_timestamp_seconds 0");
  });

  test("a token given twice as two headers is refused", async () => {
    const service = await start();
    const status = await new Promise((resolve, reject) => {
      const call = rawRequest(`${service.url}/admin/mitigate`, { method: "POST" }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      call.setHeader("x-admin-token", [TOKEN, TOKEN]);
      call.once("error", reject);
      call.end();
    });
    expect(status).toBe(401);
  });
});

describe("log events", () => {
  test("a manual mitigation writes both events", async () => {
    const service = await start();
    await service.admin("POST", "/admin/fault?mode=leak&kb=50");
    await service.admin("POST", "/admin/mitigate");
    expect(events(service)).toEqual([
      "admin call received",
      "fault injected",
      "admin call received",
      "manual mitigation executed",
      "mitigation executed",
    ]);
    expect(service.lines.find((line) => line.message === "admin call received")).toMatchObject({
      call: "POST /admin/fault?mode=leak&kb=50",
      mode: "manual",
      remote: "127.0.0.1",
      call_number: 1,
    });
    expect(service.lines.at(-3)).toMatchObject({ call: "POST /admin/mitigate", call_number: 2 });
    expect(service.lines.at(-1)).toMatchObject({
      message: "mitigation executed",
      mode: "manual",
      call_number: 2,
      freed_chunks: 1,
      reset_latency: true,
      cleared: "leak",
      unix_ts: expect.any(Number),
    });
    for (const line of service.lines) {
      expect(Object.values(line).every((value) => typeof value !== "object")).toBe(true);
    }
  });

  test("a call by the monitor writes only the unified one, mode auto", async () => {
    const service = await start();
    const headers = { "x-predictive-automated": "1", "idempotency-key": "i", "x-predictive-epoch": "3" };
    await service.admin("POST", "/admin/mitigate", headers);
    expect(events(service)).toEqual(["admin call received", "mitigation executed"]);
    expect(service.lines.at(-2)).toMatchObject({ mode: "auto", idempotency_key: "i", epoch: 3 });
    expect(service.lines.at(-1)).toMatchObject({
      mode: "auto",
      idempotency_key: "i",
      epoch: 3,
      cleared: "nothing",
    });
    await service.admin("POST", "/admin/mitigate", headers);
    expect(events(service)).toEqual([
      "admin call received",
      "mitigation executed",
      "admin call received",
      "admin call repeated, no second effect",
    ]);
    await service.admin("POST", "/admin/mitigate", { "x-predictive-epoch": "2" });
    expect(service.lines.slice(-2)).toMatchObject([
      { message: "admin call received", epoch: 2, call_number: 3 },
      { message: "admin call refused", status: 409, call_number: 3 },
    ]);
  });
});

describe("what a service adds", () => {
  test("a mitigation of its own has the same key, log and refusals", async () => {
    let runs = 0;
    const fallback: Mitigation = {
      action: "static_fallback",
      parameters: [{ name: "active", type: "choice", oneOf: ["true", "false"] }],
      run: async (values) => {
        runs += 1;
        if (values.choice("active") === "false") throw new HttpError(409, { error: "not in fallback" });
        return { static_fallback: true };
      },
    };
    const service = await start({ extraMitigations: [fallback] });
    const call = (query: string, key = "k") =>
      service.admin("POST", `/admin/mitigate?${query}`, { "idempotency-key": key });
    expect((await call("action=static_fallback&active=true")).json).toEqual({ static_fallback: true });
    const replay = await call("action=static_fallback&active=true");
    expect([replay.headers.get("idempotent-replay"), runs]).toEqual(["true", 1]);
    expect(service.lines).toContainEqual(
      expect.objectContaining({ message: "mitigation executed", mode: "manual", action: "static_fallback" }),
    );
    expect((await call("action=static_fallback&active=maybe", "l")).json).toMatchObject({
      parameter: "active",
      expected: "one of true, false",
    });
    expect((await call("action=other", "m")).json.expected).toBe("one of static_fallback, or none");
    expect((await call("action=static_fallback&active=false", "n")).status).toBe(409);
    expect((await service.admin("GET", "/admin/actions/n")).status).toBe(404);
    expect((await call("", "o")).json).toEqual({ reset_latency: true, freed_chunks: 0 });
  });
});
