import { request as rawRequest } from "node:http";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseWebhook } from "../alerts/index.ts";
import { AlertsFullError } from "../kernel/containment.ts";
import { StoreError } from "../kernel/store.ts";
import { type MonitorServer, startMonitorServer } from "./server.ts";
import { quietApi, TOKEN } from "./web.testkit.ts";

const WALL_MS = 1_700_000_000_000;
const PATH = "/api/v1/alerts/webhook";
let api: ReturnType<typeof quietApi>;
let server: MonitorServer;

beforeEach(async () => {
  const at = { now: { wallMs: WALL_MS, monoMs: 5000 }, bootId: "a" };
  api = { ...quietApi(), readAlerts: (body) => parseWebhook(body, at) };
  server = await startMonitorServer({ host: "127.0.0.1", port: 0, api });
});
afterEach(() => server.close());

const iso = (ms: number) => new Date(ms).toISOString();
const firing = {
  status: "firing",
  labels: { alertname: "PipelineBacklogHigh" },
  startsAt: iso(WALL_MS - 60_000),
  endsAt: "0001-01-01T00:00:00Z",
  fingerprint: "00000000000000a1",
};
const resolved = { ...firing, status: "resolved", endsAt: iso(WALL_MS), fingerprint: "00000000000000a2" };
const webhook = (...alerts: unknown[]) => ({ version: "4", groupKey: "{}", truncatedAlerts: 0, alerts });
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

async function send(
  body: string | Buffer,
  headers: Record<string, string> = AUTHORIZED,
  path = PATH,
): Promise<{ status: number; headers: Headers; json: Record<string, unknown> }> {
  const answer = await fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: body as string,
  });
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as never };
}

async function counted(): Promise<Record<string, number>> {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const lines = [...page.matchAll(/^(predict_a\w+(?:\{[^}]*\})?) (\S+)$/gm)];
  return Object.fromEntries(lines.map((m) => [m[1], Number(m[2])]).filter(([, value]) => value !== 0));
}

describe("a webhook that is whole", () => {
  it("is taken, with either header, and answered once it is kept", async () => {
    for (const headers of [AUTHORIZED, { authorization: `bearer  ${TOKEN}` }, { "x-admin-token": TOKEN }]) {
      const answer = await send(JSON.stringify(webhook(firing, resolved)), headers);
      expect([answer.status, answer.json]).toEqual([200, { status: "success", data: { received: 2 } }]);
    }
    expect(api.received.map((a) => [a.fingerprint, a.status])).toEqual(
      Array(3)
        .fill([
          ["00000000000000a1", "firing"],
          ["00000000000000a2", "resolved"],
        ])
        .flat(),
    );
    expect([api.rejections, api.refusals]).toEqual([[], []]);
    expect(await counted()).toEqual({
      predict_alerts_firing: 3,
      'predict_alerts_received_total{status="firing"}': 3,
      'predict_alerts_received_total{status="resolved"}': 3,
    });
  });

  it("is not answered before it is on disk", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    api.ingestAlerts = () => {
      asked.resolve();
      return promise;
    };
    let answered = false;
    const answer = send(JSON.stringify(webhook(firing))).then((a) => {
      answered = true;
      return a.status;
    });
    await asked.promise;
    // A full round of another call: time enough for an early answer to arrive.
    await fetch(`${server.url}/-/healthy`);
    expect(answered).toBe(false);
    resolve();
    expect(await answer).toBe(200);
  });

  it("may be 1 MiB long and without alerts", async () => {
    const body = JSON.stringify(webhook());
    expect((await send(body.padEnd(1_048_576))).json).toEqual({ status: "success", data: { received: 0 } });
  });

  it("says how many alerts Alertmanager left out", async () => {
    expect((await send(JSON.stringify({ ...webhook(firing), truncatedAlerts: 4 }))).status).toBe(200);
    expect(api.rejections).toMatchObject([{ reason: "truncated", count: 4, address: "127.0.0.1" }]);
    expect(await counted()).toMatchObject({ 'predict_alerts_rejected_total{reason="truncated"}': 4 });
  });
});

describe("a webhook that cannot be used", () => {
  it.each<[string, string | Buffer, Record<string, string>, number, RegExp, string]>([
    [
      "without a content-type",
      "{}",
      { "content-type": "" },
      415,
      /^content-type must be application\/json$/,
      "not_json",
    ],
    ["of another type", "{}", { "content-type": "text/plain" }, 415, /^content-type must be/, "not_json"],
    [
      "of a type that begins alike",
      "{}",
      { "content-type": "application/jsonp" },
      415,
      /^content-type/,
      "not_json",
    ],
    [
      "that is compressed",
      gzipSync("{}"),
      { "content-encoding": "gzip" },
      415,
      /^the body must be UTF-8 and not compressed$/,
      "not_json",
    ],
    [
      "in another charset",
      "{}",
      { "content-type": "application/json; charset=latin1" },
      415,
      /^the body must be UTF-8/,
      "not_json",
    ],
    ["that is no JSON", "{", {}, 400, /^the body must be a JSON object$/, "not_json"],
    ["that is a number", "5", {}, 400, /^the body must be a JSON object$/, "not_json"],
    ["that is empty", "", {}, 400, /^version must be "4", not absent$/, "invalid"],
    ["that is a list", "[]", {}, 400, /^body must be a JSON object/, "invalid"],
    ["nested without end", "[".repeat(500_000), {}, 400, /^the body must be a JSON object$/, "not_json"],
    ["of another version", '{"version":"3"}', {}, 400, /^version must be "4", not "3"$/, "invalid"],
    ["over 1 MiB", " ".repeat(1_048_577), {}, 413, /^the body must be at most 1048576 bytes$/, "too_large"],
  ])("%s is refused with the reason", async (_name, body, headers, status, error, reason) => {
    const answer = await send(body, { ...AUTHORIZED, ...headers });
    expect([answer.status, answer.json.status]).toEqual([status, "error"]);
    expect(answer.json.error).toMatch(error);
    expect(api.received).toEqual([]);
    expect(api.rejections).toMatchObject([{ reason, count: 1, address: "127.0.0.1" }]);
    expect(await counted()).toEqual({ [`predict_alerts_rejected_total{reason="${reason}"}`]: 1 });
  });

  it("over 1 MiB is refused also where its length was not told before", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const call = rawRequest(`${server.url}${PATH}`, {
        method: "POST",
        headers: { ...AUTHORIZED, "content-type": "application/json", "transfer-encoding": "chunked" },
      });
      call.once("response", (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      call.once("error", reject);
      for (let sent = 0; sent <= 1_048_576; sent += 65_536) call.write(Buffer.alloc(65_536, 32));
      call.end();
    });
    expect(status).toBe(413);
    expect(api.rejections).toMatchObject([{ reason: "too_large" }]);
  });

  it("in parts: the field is named, and the other alerts are taken", async () => {
    const future = iso(WALL_MS + 3_600_000);
    const bad = [
      { ...firing, startsAt: future },
      { ...firing, labels: {} },
    ];
    const answer = await send(JSON.stringify(webhook(bad[0], resolved, bad[1], firing)));
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({
      status: "error",
      error: `alerts[0].startsAt must not be more than 600 s ahead of the monitor's clock; "${future}" is by 3600 s, and 1 more`,
      problems: [
        { field: "alerts[0].startsAt", message: expect.stringMatching(/^must not be more/) },
        { field: "alerts[2].labels.alertname", message: "must name the alert" },
      ],
      received: 2,
    });
    expect(api.received.map((a) => a.status)).toEqual(["resolved", "firing"]);
    expect(await counted()).toMatchObject({
      'predict_alerts_received_total{status="firing"}': 1,
      'predict_alerts_received_total{status="resolved"}': 1,
      'predict_alerts_rejected_total{reason="invalid"}': 2,
    });
  });

  it("with a parameter: there is none here", async () => {
    const answer = await send(JSON.stringify(webhook(firing)), AUTHORIZED, `${PATH}?dry=1`);
    expect([answer.status, answer.json.error]).toEqual([400, 'unknown parameter "dry"; there is none here']);
    expect(api.received).toEqual([]);
  });
});

describe("what cannot be kept", () => {
  it("is answered 503, so that Alertmanager comes again", async () => {
    api.ingestAlerts = async () => {
      throw new StoreError("disk full");
    };
    const answer = await send(JSON.stringify(webhook(firing, resolved)));
    expect([answer.status, answer.json.error]).toEqual([503, "the alerts cannot be kept on disk: disk full"]);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(api.rejections).toMatchObject([{ reason: "journal_unavailable", count: 2 }]);
    expect(await counted()).toEqual({
      'predict_alerts_rejected_total{reason="journal_unavailable"}': 2,
    });
  });

  it("for want of room is answered 413 with its names; the others count as received", async () => {
    api.ingestAlerts = async ([first]) => {
      throw new AlertsFullError([first!], 1000);
    };
    const answer = await send(JSON.stringify(webhook(firing, resolved)));
    expect(answer.status).toBe(413);
    expect(answer.json).toEqual({
      status: "error",
      error: "1 alerts were not taken: as many fire as are kept",
      refused: [{ name: "PipelineBacklogHigh", fingerprint: "00000000000000a1" }],
    });
    expect(await counted()).toEqual({
      'predict_alerts_received_total{status="resolved"}': 1,
      'predict_alerts_rejected_total{reason="full"}': 1,
    });
  });

  it("for a defect is answered 500, counted, and not received", async () => {
    api.ingestAlerts = async () => {
      throw new TypeError("x is undefined");
    };
    const answer = await send(JSON.stringify(webhook(firing)));
    expect([answer.status, answer.json.error]).toEqual([500, "x is undefined"]);
    expect(await counted()).toEqual({ 'predict_alerts_rejected_total{reason="failed"}': 1 });
  });
});
