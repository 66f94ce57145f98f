import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Replay, TargetPast } from "../report/wire.ts";
import { type ReplayAsked, ReplayBusyError, ReplayFailedError } from "./replay.ts";
import { type MonitorServer, startMonitorServer } from "./server.ts";
import type { DecisionsQuery, SeriesQuery } from "./views.ts";
import { quietApi, TOKEN } from "./web.testkit.ts";

let server: MonitorServer;
let asked: (SeriesQuery | DecisionsQuery | ReplayAsked)[];
let replay: (asked: ReplayAsked) => Promise<Replay>;

beforeEach(async () => {
  asked = [];
  replay = async () => ({ replayed: [] }) as unknown as Replay;
  const quiet = quietApi();
  const api = {
    ...quiet,
    page: {
      ...quiet.page,
      states: ["acting", "blocked", "ok"] as const,
      fleet: () => ({ id: "7-1", filler: "x".repeat(5000) }) as never,
      series: (query: SeriesQuery) => {
        asked.push(query);
        return query.target === "shop" ? ({ newest: 3, series: [] } as unknown as TargetPast) : undefined;
      },
      decisions: (query: DecisionsQuery) => {
        asked.push(query);
        return { decisions: [], more: false };
      },
    },
    replay: {
      replay: (given: ReplayAsked) => {
        asked.push(given);
        return replay(given);
      },
    },
  };
  server = await startMonitorServer({ host: "127.0.0.1", port: 0, api });
});
afterEach(() => server.close());

async function get(path: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${server.url}/api/v1/${path}`, { headers });
  return {
    status: answer.status,
    headers: answer.headers,
    json: (await answer.json()) as Record<string, unknown>,
  };
}

async function post(body: unknown, token = TOKEN) {
  const answer = await fetch(`${server.url}/api/v1/replay`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return {
    status: answer.status,
    headers: answer.headers,
    json: (await answer.json()) as Record<string, unknown>,
  };
}

describe("the fleet", () => {
  it("is told in the envelope, compressed where that is taken", async () => {
    const packed = await get("fleet");
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(packed.json).toMatchObject({ status: "success", data: { id: "7-1" } });
    const plain = await get("fleet", { "accept-encoding": "identity" });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(plain.json).toEqual(packed.json);
    expect((await get("fleet?x=1")).status).toBe(400);
  });
});

describe("the past of a target", () => {
  it("is asked for by target, signal and cycle", async () => {
    expect((await get("series?target=shop")).json).toEqual({
      status: "success",
      data: { newest: 3, series: [] },
    });
    await get("series?target=shop&signal=memory&after=12");
    expect(asked).toEqual([
      { target: "shop", signal: undefined, after: -1 },
      { target: "shop", signal: "memory", after: 12 },
    ]);
  });

  it.each([
    ["series", 400, "parameter target must name a target"],
    ["series?target=", 400, "parameter target must name a target"],
    ["series?target=shop&after=x", 400, "parameter after must be a whole number from -1"],
    ["series?target=shop&since=1", 400, 'unknown parameter "since"; known are target, signal, after'],
    ["series?target=shop&target=b", 400, "parameter target must be given once"],
    ["series?target=nobody&signal=memory", 404, "nothing is known of nobody memory"],
  ])("%s is %i", async (path, status, error) => {
    expect(await get(path)).toMatchObject({ status, json: { status: "error", error } });
  });
});

describe("the log of decisions", () => {
  it("is asked for with filters", async () => {
    await get("decisions");
    await get("decisions?target=shop&signal=memory&reason=paused&state=acting,blocked&before=7&limit=5");
    const none = {
      target: undefined,
      signal: undefined,
      reason: undefined,
      states: undefined,
      before: undefined,
    };
    expect(asked).toEqual([
      { ...none, limit: 100 },
      {
        target: "shop",
        signal: "memory",
        reason: "paused",
        states: ["acting", "blocked"],
        before: 7,
        limit: 5,
      },
    ]);
  });

  it.each([
    ["decisions?limit=501", "parameter limit must be a whole number from 1 to 500"],
    ["decisions?limit=0", "parameter limit must be a whole number from 1 to 500"],
    ["decisions?before=-1", "parameter before must be a whole number from 1"],
    ["decisions?state=loud", "parameter state must be some of acting, blocked, ok, with commas between"],
  ])("%s is 400", async (path, error) => {
    expect(await get(path)).toMatchObject({ status: 400, json: { error } });
    expect(asked).toEqual([]);
  });

  it("is not a way to hold up the monitor", async () => {
    const startMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 400 }, () => get("decisions")));
    const seconds = (performance.now() - startMs) / 1000;
    expect(asked.length).toBeLessThanOrEqual(40 * (1 + seconds) + 1);
    const refused = answers.filter((a) => a.status === 429);
    expect(refused).toHaveLength(400 - asked.length);
    for (const { json } of refused) expect(json.error).toBe("more than 40 such questions a second");
  });
});

describe("a replay", () => {
  it("is of one sensitivity or of all, with the token", async () => {
    expect((await post({ sensitivity: "eager", hours: 1 })).json).toEqual({
      status: "success",
      data: { replayed: [] },
    });
    await post({});
    expect(asked).toEqual([
      { settings: ["eager"], spanMs: 3_600_000 },
      { settings: ["strict", "default", "eager"], spanMs: 7_200_000 },
    ]);
    expect((await post({}, "wrong")).status).toBe(401);
    expect(asked).toHaveLength(2);
  });

  it.each([
    [{ sensitivity: "wild" }, /^sensitivity must be strict, default, eager/],
    [{ hours: 0 }, /^hours must be a number of hours over 0, up to 24/],
    [{ hours: 25 }, /^hours must be/],
    [{ minutes: 5 }, /^minutes is not known; known are sensitivity, hours/],
  ])("%j is 400", async (body, error) => {
    const answer = await post(body);
    expect([answer.status, answer.json.error]).toEqual([400, expect.stringMatching(error)]);
  });

  it("that cannot be done says why", async () => {
    replay = async () => {
      throw new ReplayBusyError("another replay is running");
    };
    const busy = await post({});
    expect([busy.status, busy.json.error, busy.headers.get("retry-after")]).toEqual([
      409,
      "another replay is running",
      "5",
    ]);
    replay = async () => {
      throw new ReplayFailedError("not done within 60 s");
    };
    expect(await post({})).toMatchObject({ status: 503, json: { error: "not done within 60 s" } });
  });
});
