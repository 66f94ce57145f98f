import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLog } from "../../common/telemetry/logger.ts";
import { GUARDS, targetOf, VERIFICATION, virtualTime, type World, worldOf } from "../cycle/cycle.testkit.ts";
import { StoreError } from "../kernel/store.ts";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import { type MonitorServer, startMonitorServer } from "../web/server.ts";
import { quietApi, TOKEN } from "../web/web.testkit.ts";
import { controlsApi } from "./controls.ts";

// A real loop behind the real endpoints: what is said over HTTP is seen in what the loop does next.

let world: World;
let server: MonitorServer;
let api: ReturnType<typeof quietApi>;
let lines: Record<string, unknown>[];
const disk = { broken: false };

beforeEach(async () => {
  const time = virtualTime();
  const kept = createMemoryStore({ clock: time.clock, disk: createMemoryDisk() });
  disk.broken = false;
  const store: typeof kept = Object.create(kept, {
    saveDocuments: {
      value: (documents: Parameters<typeof kept.saveDocuments>[0]) => {
        if (disk.broken) throw new StoreError("no space left on device");
        kept.saveDocuments(documents);
      },
    },
  });
  const configured = {
    ...{ id: "of-the-file", target: "shop-*", signal: "*", action: "*", author: "ana", reason: "load test" },
    ...{ startsAtMs: 0, endsAtMs: 1 },
  };
  world = worldOf({
    store,
    time,
    settings: {
      targets: [targetOf(), targetOf("shop-a")],
      guards: { ...GUARDS, silences: [configured] },
      verification: { ...VERIFICATION, maxIneffective: 1 },
    },
  });
  await world.loop.start();
  lines = [];
  const { logger } = openLog({ job: "test", stream: { write: (line) => void lines.push(JSON.parse(line)) } });
  api = { ...quietApi(), controls: controlsApi({ loop: world.loop, clock: time.clock, logger }) };
  server = await startMonitorServer({ host: "127.0.0.1", port: 0, api });
});
afterEach(() => server.close());

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(`${server.url}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

const SAID = { author: "ana", reason: "deploying" };
const iso = (ms: number) => new Date(ms).toISOString();
const now = () => world.time.clock.now().wallMs;
const reasons = async () => (await world.cycle()).decisions.map((d) => d.reason);

describe("a person's wish", () => {
  it("is carried out in the next cycle", async () => {
    const answer = await call("POST", "actions", { ...SAID, target: "shop-a" });
    expect(answer).toMatchObject({
      status: 202,
      json: { data: { request: { target: "shop-a", playbook: null } } },
    });
    await world.cycle();
    expect(world.fleet.effects.map(({ intent }) => intent.target)).toEqual(["shop-a"]);
  });

  it("is refused with the reason where nothing is allowed to heal the target, and where there is none", async () => {
    const { mitigation: _, ...watched } = targetOf("watched");
    world.loop.reconfigure({ ...world.loop.settings, targets: [targetOf(), watched] });
    expect(await call("POST", "actions", { ...SAID, target: "watched" })).toEqual({
      status: 409,
      json: {
        ...{ status: "error", error: "this target is watched only: nothing is allowed to heal it" },
        reason: "watched_only",
      },
    });
    expect(await call("POST", "actions", { ...SAID, target: "nobody" })).toMatchObject({ status: 404 });
    await world.cycle();
    expect(world.fleet.calls).toEqual([]);
  });
});

describe("pause and resume", () => {
  it("hold what the loop would do, until it is resumed", async () => {
    const answer = await call("POST", "pause", SAID);
    expect(answer).toEqual({
      status: 200,
      json: {
        status: "success",
        data: { paused: { by: "ana", reason: "deploying", since: iso(now()), until: null }, kept: true },
      },
    });
    await world.cycles(8);
    expect(world.fleet.calls).toEqual([]);
    expect(await reasons()).toContain("paused");
    const resumed = await call("POST", "resume", { author: "ana", reason: "done" });
    expect(resumed.json).toEqual({ status: "success", data: { paused: null, kept: true } });
    await world.cycle();
    expect(world.fleet.effects.length).toBeGreaterThan(0);
    expect(world.reported.notices.map((n) => n.event)).toEqual(
      expect.arrayContaining(["acting paused", "acting resumed"]),
    );
  });

  it("a pause for a time ends by itself", async () => {
    const { json } = await call("POST", "pause", { ...SAID, for_seconds: 240 });
    expect((json.data as { paused: { until: string } }).paused.until).toBe(iso(now() + 240_000));
    await world.cycles(8);
    expect(world.fleet.calls).toEqual([]);
    await world.cycles(2);
    expect(world.fleet.calls.length).toBeGreaterThan(0);
  });

  it("what is not paused cannot be resumed", async () => {
    expect(await call("POST", "resume", SAID)).toEqual({
      status: 409,
      json: { status: "error", error: "acting is not paused" },
    });
  });

  it("are in force also where the disk takes nothing, and the answer says so", async () => {
    disk.broken = true;
    const paused = await call("POST", "pause", SAID);
    expect(paused.json.data).toMatchObject({
      paused: { by: "ana" },
      kept: false,
      warning: "in force, but lost at a restart: no space left on device",
    });
    expect(lines).toMatchObject([
      {
        level: "error",
        message: "operator command applied, not persisted",
        error: "no space left on device",
      },
    ]);
    await world.cycles(8);
    expect(world.fleet.calls).toEqual([]);
    disk.broken = false;
    expect((await call("POST", "resume", SAID)).json.data).toEqual({ paused: null, kept: true });
  });
});

describe("silences", () => {
  it("hold what they match from the call on, are listed, and can be lifted", async () => {
    const asked = { ...SAID, target: "product-*", ends_at: iso(now() + 3_600_000) };
    const { status, json } = await call("POST", "silences", asked);
    const { silence } = json.data as { silence: Record<string, unknown> };
    expect([status, silence]).toEqual([
      201,
      {
        id: expect.any(String),
        ...{ target: "product-*", signal: "*", action: "*", author: "ana", reason: "deploying" },
        ...{ starts_at: iso(now()), ends_at: iso(now() + 3_600_000) },
        ...{ source: "person", matches: ["product-api"] },
      },
    ]);
    await world.cycles(8);
    expect(new Set(world.fleet.calls.map((c) => c.intent.target))).toEqual(new Set(["shop-a"]));
    const listed = (await call("GET", "silences")).json.data as {
      silences: { id: string; source: string }[];
    };
    expect(listed.silences.map((s) => [s.id, s.source])).toEqual([
      [silence.id, "person"],
      ["of-the-file", "configuration"],
    ]);
    const lifted = await call("DELETE", `silences/${silence.id}`, SAID);
    expect([lifted.status, lifted.json.data]).toEqual([200, { lifted: silence.id, kept: true }]);
    await world.cycles(1);
    expect(world.fleet.calls.some((c) => c.intent.target === "product-api")).toBe(true);
  });

  it("of the configuration end there; unknown ones are 404", async () => {
    expect(await call("DELETE", "silences/of-the-file", SAID)).toMatchObject({
      status: 409,
      json: { error: "this silence is of the configuration: change it there, and reload" },
    });
    expect((await call("DELETE", "silences/none", SAID)).status).toBe(404);
  });

  it("are kept even when the disk is full, and are 409 where there is no more room", async () => {
    disk.broken = true;
    const asked = { ...SAID, ends_at: iso(now() + 3_600_000) };
    expect((await call("POST", "silences", asked)).json.data).toMatchObject({
      silence: { target: "*", matches: ["product-api", "shop-a"] },
      kept: false,
    });
    const another = {
      ...{ target: "*", signal: "*", action: "*", author: "a", reason: "b" },
      ...{ startsAtMs: now(), endsAtMs: now() + 3_600_000 },
    };
    for (let n = 1; n < 500; n++) expect(() => world.loop.controls.silence(another)).toThrow(StoreError);
    expect((await call("POST", "silences", asked)).status).toBe(409);
  });
});

describe("an escalation is answered", () => {
  /** The value grows whatever is done: one action that does not help, and people are called. */
  async function escalated(): Promise<void> {
    for (
      let n = 0;
      n < 60 && world.loop.controls.verification.targets["product-api"]?.escalation === undefined;
      n++
    )
      await world.cycle();
    expect(world.loop.controls.verification.targets["product-api"]?.escalation).toBeDefined();
  }

  it("stay stopped, or go on", async () => {
    await escalated();
    const seen = await call("POST", "escalations/product-api/acknowledge", {
      ...SAID,
      resume: false,
      for_seconds: 600,
    });
    expect([seen.status, seen.json.data]).toEqual([
      200,
      { target: "product-api", resume: false, kept: true },
    ]);
    expect(world.loop.controls.verification.targets["product-api"]?.escalation?.acknowledged).toMatchObject({
      by: "ana",
      untilMs: now() + 600_000,
    });
    expect(
      (await call("POST", "escalations/product-api/acknowledge", { ...SAID, resume: true })).status,
    ).toBe(200);
    expect(world.loop.controls.verification.targets["product-api"]?.escalation).toBeUndefined();
  });

  it("a target that is not escalated is 404", async () => {
    expect(
      await call("POST", "escalations/product-api/acknowledge", { ...SAID, resume: true }),
    ).toMatchObject({
      status: 404,
      json: { error: "this target is not escalated" },
    });
  });
});

describe("what cannot be used", () => {
  const AT = 1_760_000_000_000;
  it.each<[string, string, unknown, RegExp]>([
    ["pause", "without an author", { reason: "x" }, /^author must say who says so: 1 to 80 characters$/],
    [
      "pause",
      "with a blank reason",
      { author: "a", reason: " \n\u0000" },
      /^reason must say why, .*: 1 to 500 characters$/,
    ],
    ["pause", "with an endless reason", { author: "a", reason: "x".repeat(501) }, /^reason must say why/],
    [
      "pause",
      "for no time",
      { ...SAID, for_seconds: 0 },
      /^for_seconds must be a number of seconds from 1 to 2592000/,
    ],
    ["pause", "for a text", { ...SAID, for_seconds: "60" }, /^for_seconds must be a number/],
    [
      "pause",
      "with an unknown field",
      { ...SAID, minutes: 5 },
      /^minutes is not known; known are author, reason, for_seconds$/,
    ],
    ["pause", "that is a list", [], /^body must be a JSON object$/],
    ["pause", "that is no JSON", "{", /^the body must be a JSON object$/],
    ["resume", "without anything", {}, /^author must say who says so.*, and 1 more$/],
    ["silences", "without an end", SAID, /^ends_at must be a time with its zone/],
    [
      "silences",
      "without a zone",
      { ...SAID, ends_at: "2026-11-21T14:00:00" },
      /^ends_at must be a time with its zone/,
    ],
    [
      "silences",
      "over already",
      { ...SAID, ends_at: iso(AT - 1) },
      /^ends_at must be after now, 2025-10-09T/,
    ],
    [
      "silences",
      "that ends before it starts",
      { ...SAID, starts_at: iso(AT + 9000), ends_at: iso(AT + 8000) },
      /^ends_at must be after starts_at$/,
    ],
    [
      "silences",
      "for good",
      { ...SAID, ends_at: iso(AT + 400 * 86_400_000) },
      /^ends_at must be within a year/,
    ],
    [
      "silences",
      "of a name with a blank",
      { ...SAID, target: "a b", ends_at: iso(AT + 9) },
      /^target must be a name/,
    ],
    ["escalations/a/acknowledge", "without its answer", SAID, /^resume must be true/],
    [
      "escalations/a/acknowledge",
      "with a time to go on",
      { ...SAID, resume: true, for_seconds: 5 },
      /^for_seconds is for leaving the target stopped/,
    ],
  ])("%s %s is 400 naming the field", async (path, _what, body, error) => {
    const answer = await call("POST", path, body);
    expect([answer.status, answer.json.error]).toEqual([400, expect.stringMatching(error)]);
    expect(world.reported.notices).toEqual([]);
  });

  it.each([
    ["POST", "pause"],
    ["POST", "resume"],
    ["POST", "silences"],
    ["DELETE", "silences/x"],
    ["POST", "escalations/product-api/acknowledge"],
  ])("%s %s wants the token, before the body", async (method, path) => {
    const answer = await call(method, path, "{", { authorization: "Bearer guess" });
    expect(answer.status).toBe(401);
    expect((await call(method, `${path}?dry=1`, SAID)).status).toBe(400);
    expect((await call(method, path, SAID, { "content-type": "text/plain" })).status).toBe(415);
    expect((await call(method, path, " ".repeat(17_000))).status).toBe(413);
    expect(world.reported.notices).toEqual([]);
  });

  it.each([
    ["GET", "pause", "POST"],
    ["PUT", "silences", "GET, HEAD, POST"],
    ["GET", "silences/x", "DELETE"],
    ["GET", "escalations/a/acknowledge", "POST"],
  ])("%s %s is 405", async (method, path, allowed) => {
    expect(await call(method, path)).toMatchObject({ status: 405, json: { error: `use ${allowed}` } });
  });

  it("a name that is not a URL's is 400", async () => {
    expect((await call("DELETE", "silences/%ff", SAID)).status).toBe(400);
  });
});
