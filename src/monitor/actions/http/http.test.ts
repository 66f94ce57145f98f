import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Intent } from "../../kernel/action.ts";
import { testAttempts } from "../shared/attempts.testkit.ts";
import { callInstance } from "../shared/callees.ts";
import { answering, calm, type Manner, reset, silent, startService } from "../shared/service.testkit.ts";
import { createHttpAction, type HttpActionSettings } from "./index.ts";
import type { HttpCall } from "./settings.ts";

const INTENT: Intent = {
  id: "intent-1",
  kind: "http",
  target: "drain",
  signal: "backlog",
  trigger: "alert",
  predictor: "alert",
  parameters: { pool: "blue", region: "us-east-1" },
  origin: { playbook: "drain-pool", run: "run-1", step: 0, alert: "f00d" },
  epoch: 42,
  at: { wallMs: 1_700_000_000_000, monoMs: 5 },
  bootId: "boot-1",
};
const DRAIN = callInstance("drain");
const ok: Manner = answering(200, { token: "a foreign secret" });

function entry(more: Partial<HttpCall> & { readonly url: string }): HttpCall {
  return {
    name: "drain",
    method: "POST",
    headers: {},
    headersFromFiles: {},
    body: undefined,
    timeoutMs: 2_000,
    expectStatus: [],
    reconcile: undefined,
    idempotent: false,
    parameters: ["pool", "region"],
    needsAlert: false,
    expectJson: {},
    ...more,
  };
}

function actionWith(call: HttpCall, more: Partial<HttpActionSettings> = {}) {
  const { attempts, waits } = testAttempts();
  const action = createHttpAction({
    calls: [{ ...call, name: "another", url: "http://127.0.0.1:9/" }, call],
    attemptTimeoutMs: 10_000,
    totalTimeoutMs: 12_000,
    ...attempts,
    ...more,
  });
  return { action, waits };
}

function secretFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "helius-secret-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "secret");
  writeFileSync(file, text);
  return file;
}

describe("a call outside", () => {
  it("is made of its templates, with the intent's key and nothing of the admin plane", async () => {
    const service = await startService(ok);
    const { action } = actionWith(
      entry({
        url: `${service.url}/pools/{{parameters.pool}}/drain?in={{region}}&by={{intent.id}}`,
        headers: { "content-type": "application/json", "x-team": "shop" },
        headersFromFiles: { authorization: secretFile("Bearer abc\nsecond line") },
        body: '{"why":"{{alert}}","what":"{{target}}"}',
      }),
    );
    const outcome = await action.execute(INTENT, DRAIN, calm());
    expect(outcome).toMatchObject({
      instance: "drain",
      status: "applied",
      httpStatus: 200,
      detail: "HTTP 200",
      answer: undefined,
    });
    const [call] = service.arrived;
    expect(service.arrived).toHaveLength(1);
    expect(call).toMatchObject({
      method: "POST",
      url: "/pools/blue/drain?in=us-east-1&by=intent-1",
      body: '{"why":"f00d","what":"drain"}',
      headers: {
        authorization: "Bearer abc",
        "x-team": "shop",
        "content-type": "application/json",
        "idempotency-key": "intent-1",
        "user-agent": "helius-self-heal",
      },
    });
    expect(Object.keys(call?.headers ?? {})).not.toContain("x-admin-token");
  });

  it("names the target that asked, not the entry that is called", async () => {
    const service = await startService(ok);
    const { action } = actionWith(entry({ url: `${service.url}/{{target}}`, parameters: [] }));
    await action.execute({ ...INTENT, asker: "shop", parameters: {} }, DRAIN, calm());
    expect(service.arrived[0]?.url).toBe("/shop");
  });

  it("carries a hostile value as the one value that it is", async () => {
    const service = await startService(ok);
    const pool = 'x","admin":true,"y":"../../etc?a=b#c&d';
    const { action } = actionWith(
      entry({
        url: `${service.url}/p/{{parameters.pool}}`,
        headers: { "content-type": "application/json" },
        body: '{"pool":"{{parameters.pool}}"}',
        parameters: ["pool"],
      }),
    );
    const outcome = await action.execute({ ...INTENT, parameters: { pool } }, DRAIN, calm());
    expect(outcome.status).toBe("applied");
    const [call] = service.arrived;
    expect(JSON.parse(call?.body ?? "")).toEqual({ pool });
    expect(decodeURIComponent(call?.url.split("/p/")[1] ?? "")).toBe(pool);
  });

  it.each(["PUT", "PATCH", "DELETE"] as const)("may be a %s", async (method) => {
    const service = await startService(ok);
    const { action } = actionWith(entry({ url: service.url, method, parameters: [] }));
    const outcome = await action.execute({ ...INTENT, parameters: {} }, DRAIN, calm());
    expect([outcome.status, service.arrived[0]?.method]).toEqual(["applied", method]);
  });

  it("reads its secret at each call", async () => {
    const service = await startService(ok);
    const file = secretFile("old");
    const { action } = actionWith(entry({ url: service.url, headersFromFiles: { "x-key": file } }));
    await action.execute(INTENT, DRAIN, calm());
    writeFileSync(file, "new\n");
    await action.execute(INTENT, DRAIN, calm());
    expect(service.arrived.map((call) => call.headers["x-key"])).toEqual(["old", "new"]);
  });
});

describe("nothing is sent", () => {
  it.each<[string, Partial<Intent>, string]>([
    ["without a parameter", { parameters: { pool: "blue" } }, "not called: region is missing; it must be"],
    [
      "with one too many",
      { parameters: { pool: "b", region: "r", x: "y" } },
      "not called: x is not a known parameter",
    ],
    [
      "before a region was chosen",
      { parameters: { pool: "b", region: "$region" } },
      "not called: region is still $region: no region was chosen",
    ],
    [
      "without the alert that the template needs",
      { origin: { playbook: "p", run: "r", step: 0 } },
      "not called: alert is needed by the template and not known",
    ],
    [
      "when a value would lead to another path",
      { parameters: { pool: "..", region: "r" } },
      "not called: url leads elsewhere with these values of {{parameters.pool}}, {{alert}}",
    ],
  ])("%s", async (_, more, detail) => {
    const service = await startService(ok);
    const { action } = actionWith(entry({ url: `${service.url}/{{parameters.pool}}/x?{{alert}}` }));
    const outcome = await action.execute({ ...INTENT, ...more }, DRAIN, calm());
    expect(outcome).toMatchObject({ status: "refused", httpStatus: undefined });
    expect(outcome.detail).toContain(detail);
    expect(service.arrived).toEqual([]);
  });

  it("to an address that the configuration does not have", async () => {
    const service = await startService(ok);
    const { action } = actionWith(entry({ url: service.url }));
    for (const instance of [callInstance("nobody"), { name: "drain", url: service.url }]) {
      const outcome = await action.execute(INTENT, instance, calm());
      expect(outcome).toMatchObject({
        status: "refused",
        detail: `not called: actions.http has no entry for ${instance.url}`,
      });
    }
    expect(service.arrived).toEqual([]);
  });

  it.each([
    ["is not there", undefined, /the header x-key, \/nowhere\/secret: ENOENT$/],
    ["is empty", "\n", /its first line must be printable ASCII, not empty$/],
    ["would make another header", "abc\rx-evil: 1", /its first line must be printable ASCII/],
  ])("when the file of a secret %s, and what is in it is not told", async (_, text, detail) => {
    const service = await startService(ok);
    const file = text === undefined ? "/nowhere/secret" : secretFile(text);
    const { action, waits } = actionWith(entry({ url: service.url, headersFromFiles: { "x-key": file } }));
    const outcome = await action.execute(INTENT, DRAIN, calm());
    expect(outcome.status).toBe("failed");
    expect(outcome.detail).toMatch(detail);
    expect(outcome.detail).not.toContain("abc");
    expect([waits, service.arrived]).toEqual([[], []]);
  });

  it("after it was cancelled", async () => {
    const service = await startService(ok);
    const outcome = await actionWith(entry({ url: service.url })).action.execute(
      INTENT,
      DRAIN,
      AbortSignal.abort(),
    );
    expect(outcome).toMatchObject({ status: "failed", detail: "cancelled before the call" });
    expect(service.arrived).toEqual([]);
  });
});

describe("an answer", () => {
  it.each<[number, number[], string, RegExp]>([
    [204, [], "applied", /^HTTP 204$/],
    [202, [200, 202], "applied", /^HTTP 202$/],
    [202, [200], "unknown", /^HTTP 202, where 200 was expected$/],
    [409, [200, 409], "already_applied", /^HTTP 409, which says that it was done before$/],
    [404, [200, 404], "already_applied", /done before/],
    [409, [], "refused", /^HTTP 409/],
    [400, [], "refused", /^HTTP 400/],
    [401, [], "refused", /^the credentials were not accepted/],
    [403, [], "refused", /^the credentials were not accepted/],
    [301, [], "refused", /^a redirect is never followed/],
    [500, [], "unknown", /^HTTP 500.*not repeated$/],
  ])("%i, where %j is expected, is %s to %s", async (status, expectStatus, came, detail) => {
    const service = await startService(answering(status, { secret: "s3cret" }));
    const { action } = actionWith(entry({ url: service.url, expectStatus }));
    const outcome = await action.execute(INTENT, DRAIN, calm());
    expect(outcome).toMatchObject({ status: came, httpStatus: status, answer: undefined });
    expect(outcome.detail).toMatch(detail);
    expect(service.arrived).toHaveLength(1);
  });

  const STARTED = { status: "started", "job.state": 7 };
  it.each<[string, Manner, string, RegExp]>([
    ["has them", answering(200, { status: "started", job: { state: 7 } }), "applied", /^HTTP 200$/],
    [
      "has another value",
      answering(200, { status: "no", job: { state: 7 } }),
      "refused",
      /^HTTP 200, but its status is another, where "started" was expected$/,
    ],
    [
      "has another type",
      answering(200, { status: "started", job: { state: "7" } }),
      "refused",
      /job\.state is another, where 7 was expected$/,
    ],
    [
      "has no such field",
      answering(200, { status: "started", job: 1 }),
      "unknown",
      /^HTTP 200, but its JSON has no job\.state, where 7/,
    ],
    [
      "is no JSON",
      (response) => response.end("fine"),
      "unknown",
      /^HTTP 200, but the answer is not JSON.*, where "started" was expected$/,
    ],
    ["says that it was done before", answering(409, {}), "already_applied", /done before/],
  ])("whose JSON must have fields, and %s", async (_, manner, came, detail) => {
    const service = await startService(manner);
    const call = entry({ url: service.url, expectStatus: [200, 409], expectJson: STARTED });
    const outcome = await actionWith(call).action.execute(INTENT, DRAIN, calm());
    expect(outcome).toMatchObject({ status: came, answer: undefined });
    expect(outcome.detail).toMatch(detail);
  });

  it.each([302, 307, 308])("%i never takes the secrets to another address", async (status) => {
    const other = await startService(ok);
    const service = await startService((response) => {
      response.writeHead(status, { location: `${other.url}/` }).end();
    });
    const call = entry({ url: service.url, headersFromFiles: { authorization: secretFile("Bearer x") } });
    const outcome = await actionWith(call).action.execute(INTENT, DRAIN, calm());
    expect(outcome.status).toBe("refused");
    expect(other.arrived).toEqual([]);
  });

  it("that repeats the secret is told without it", async () => {
    const service = await startService(answering(400, { error: "key s3cret-key is not valid" }));
    const call = entry({ url: service.url, headersFromFiles: { "x-key": secretFile("s3cret-key") } });
    const outcome = await actionWith(call).action.execute(INTENT, DRAIN, calm());
    expect(outcome.detail).toBe("HTTP 400: key (secret) is not valid");
    expect(JSON.stringify(outcome)).not.toContain("s3cret-key");
  });

  it.each(["authorization", "x-api-key", "Cookie"])(
    "that repeats the inline header %s is told without it",
    async (name) => {
      const service = await startService(
        answering(401, { error: "Bearer inl1ne-cred is wrong: inl1ne-cred" }),
      );
      const call = entry({ url: service.url, headers: { [name]: "Bearer inl1ne-cred" } });
      const outcome = await actionWith(call).action.execute(INTENT, DRAIN, calm());
      expect(outcome.detail).toContain("(secret)");
      expect(JSON.stringify(outcome)).not.toContain("inl1ne-cred");
    },
  );

  it("without end is not read to the end", async () => {
    const service = await startService((response) => {
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    });
    const outcome = await actionWith(entry({ url: service.url })).action.execute(INTENT, DRAIN, calm());
    expect(outcome.status).toBe("applied");
    expect(outcome.durationMs).toBeLessThan(2_000);
  });
});

describe("a call that may have arrived", () => {
  it.each<[string, Manner]>([
    ["whose answer is lost", reset],
    ["that is not answered", silent],
    ["that ends in 503", answering(503)],
  ])("%s is not repeated, and unknown", async (_, manner) => {
    const service = await startService(manner, ok);
    const { action, waits } = actionWith(entry({ url: service.url, timeoutMs: 150 }));
    const outcome = await action.execute(INTENT, DRAIN, calm());
    expect(outcome.status).toBe("unknown");
    expect(outcome.detail).toMatch(/; not repeated$/);
    expect([service.arrived.length, waits]).toEqual([1, []]);
  });

  it("is repeated under the same key when its entry says that it may be", async () => {
    const service = await startService(reset, answering(503), ok);
    const { action } = actionWith(entry({ url: service.url, idempotent: true }));
    const outcome = await action.execute(INTENT, DRAIN, calm());
    expect(outcome.status).toBe("applied");
    expect(service.arrived.map((call) => call.headers["idempotency-key"])).toEqual(Array(3).fill("intent-1"));
  });

  it("is repeated when it certainly has not: refused connections, 429", async () => {
    const limited = await startService(answering(429, {}, { "retry-after": "2" }), ok);
    const { action, waits } = actionWith(entry({ url: limited.url }));
    expect((await action.execute(INTENT, DRAIN, calm())).status).toBe("applied");
    expect(waits).toEqual([2_000]);
    const gone = await startService(ok);
    await gone.stop();
    const away = actionWith(entry({ url: gone.url }));
    const outcome = await away.action.execute(INTENT, DRAIN, calm());
    expect(outcome.status).toBe("failed");
    expect(away.waits).toHaveLength(2);
  });
});

describe("reconciling", () => {
  const asked = (url: string) => entry({ url: "http://127.0.0.1:9/", reconcile: `${url}/ops/{{intent.id}}` });

  it.each<[string, Manner, string]>([
    ["2xx: it was done", ok, "already_applied"],
    ["404: it never arrived", answering(404), "failed"],
    ["500: not known", answering(500), "unknown"],
    ["401: not known", answering(401), "unknown"],
    ["silence: not known", silent, "unknown"],
  ])("by its URL: %s", async (_, manner, status) => {
    const service = await startService(manner);
    const call = { ...asked(service.url), timeoutMs: 200, headersFromFiles: { "x-key": secretFile("k") } };
    const outcome = await actionWith(call).action.reconcile(INTENT, DRAIN, calm());
    expect(outcome).toMatchObject({ status, answer: undefined });
    expect(service.arrived).toHaveLength(1);
    expect(service.arrived[0]).toMatchObject({
      method: "GET",
      url: "/ops/intent-1",
      body: "",
      headers: { "x-key": "k" },
    });
  });

  it("without a URL, or without its entry, says that nobody can be asked", async () => {
    const { action } = actionWith(entry({ url: "http://127.0.0.1:9/" }));
    expect(await action.reconcile(INTENT, DRAIN, calm())).toMatchObject({
      status: "unknown",
      detail: "nobody can be asked: the entry has no reconcile URL",
    });
    expect((await action.reconcile(INTENT, callInstance("gone"), calm())).status).toBe("unknown");
  });
});
