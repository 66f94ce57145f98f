import { describe, expect, it } from "vitest";
import {
  answering,
  calm,
  DONE,
  done,
  INTENT,
  type Manner,
  reset,
  startService,
  testAction,
} from "./service.testkit.ts";

describe("a mitigation that is carried out", () => {
  it("is one call with token, key, epoch and the reason", async () => {
    const service = await startService(done);
    const { action, waits } = testAction();
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({
      instance: service.instance.name,
      status: "applied",
      httpStatus: 200,
      detail: "carried out",
      answer: DONE,
    });
    expect(outcome.durationMs).toBeGreaterThan(0);
    expect(waits).toEqual([]);
    expect(service.arrived).toHaveLength(1);
    expect(service.arrived[0]).toMatchObject({
      method: "POST",
      url: "/admin/mitigate",
      headers: {
        "x-admin-token": "the-token",
        "x-predictive-automated": "1",
        "idempotency-key": "intent-1",
        "x-predictive-epoch": "42",
      },
    });
    expect(JSON.parse(service.arrived[0]!.body)).toEqual({
      metric: "p95_latency",
      forecast: 6500,
      threshold: 5000,
      trigger: "strong",
      intent: "intent-1",
    });
  });

  it("is told apart from a key that the service knew", async () => {
    const service = await startService(answering(200, DONE, { "idempotent-replay": "true" }));
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "already_applied", httpStatus: 200, answer: DONE });
  });

  it.each<[string, Manner, string]>([
    [
      "is not JSON",
      (response) => response.end("<html>ok</html>"),
      "HTTP 200, but this is no Helius service: the answer is not JSON",
    ],
    ["is a list", answering(200, [1]), "the answer is not a JSON object"],
    [
      "is empty",
      (response) => response.writeHead(204).end(),
      "HTTP 204, but this is no Helius service: the answer is empty",
    ],
    [
      "is another service's",
      answering(200, { status: "ok" }),
      "the answer has no reset_latency and no freed_chunks",
    ],
    [
      "repeats what it was sent",
      (response, call) => response.end(call.body),
      "no reset_latency and no freed_chunks",
    ],
    [
      "has other types",
      answering(200, { reset_latency: "true", freed_chunks: 1 }),
      "the answer has no reset_latency",
    ],
  ])("is refused, and not called again, when the answer %s", async (_, manner, detail) => {
    const service = await startService(manner);
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome.status).toBe("refused");
    expect(outcome.detail).toContain(detail);
    expect(service.arrived).toHaveLength(1);
  });

  it("whose key was lost before may have been carried out, whatever then answers", async () => {
    const service = await startService(reset, answering(200, { status: "ok" }));
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "unknown", httpStatus: 200 });
  });

  const huge: Manner = (response) => {
    response.writeHead(200);
    // As much as the other side takes, until it hangs up.
    const more = (): void => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
    };
    response.on("drain", more);
    more();
  };
  const cut: Manner = (response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write('{"reset', () => response.socket?.resetAndDestroy());
  };
  const drips: Manner = (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const timer = setInterval(() => response.write(" "), 5);
    response.on("close", () => clearInterval(timer));
  };

  const garbled: Manner = (response) =>
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(Buffer.from(JSON.stringify(DONE)).map((byte, at) => (at % 3 === 0 ? byte | 0x80 : byte)));

  it.each<[string, Manner, RegExp]>([
    ["says that it is JSON, and is none", garbled, /HTTP 200, but the answer is not JSON/],
    ["is huge", huge, /HTTP 200, but the answer is over the cap of 65536 bytes/],
    ["breaks off", cut, /HTTP 200, but the answer broke off/],
    ["only drips", drips, /HTTP 200, but the answer was not complete within 400 ms/],
  ])(
    "is asked for again under the same key when the answer %s, and else not known",
    async (_, manner, detail) => {
      const limits = { attemptTimeoutMs: 400 };
      const repeated = await startService(manner, answering(200, DONE, { "idempotent-replay": "true" }));
      const second = await testAction(limits).action.execute(INTENT, repeated.instance, calm());
      expect(second).toMatchObject({ status: "already_applied", answer: DONE });
      expect(repeated.arrived.map((call) => call.headers["idempotency-key"])).toEqual([
        "intent-1",
        "intent-1",
      ]);
      const service = await startService(manner);
      const outcome = await testAction(limits).action.execute(INTENT, service.instance, calm());
      expect(outcome).toMatchObject({ status: "unknown", answer: undefined });
      expect(outcome.detail).toMatch(detail);
    },
  );

  it("asks for the token at every attempt", async () => {
    const service = await startService(answering(500), done);
    const tokens = ["old", "new"];
    await testAction({ tokens: () => tokens.splice(0, 1) }).action.execute(INTENT, service.instance, calm());
    expect(service.arrived.map((call) => call.headers["x-admin-token"])).toEqual(["old", "new"]);
  });
});

describe("two tokens", () => {
  const sent = async (tokens: readonly string[], ...manners: readonly Manner[]) => {
    const service = await startService(...manners);
    const outcome = await testAction({ tokens: () => tokens }).action.execute(
      INTENT,
      service.instance,
      calm(),
    );
    return { outcome, sent: service.arrived.map((call) => call.headers["x-admin-token"]) };
  };

  it("are tried in order: the second only after a 401, and never a third", async () => {
    expect(await sent(["first", "second"], done)).toMatchObject({ sent: ["first"] });
    const rotated = await sent(["first", "second"], answering(401), done);
    expect(rotated).toMatchObject({ sent: ["first", "second"], outcome: { status: "applied" } });
    const neither = await sent(["first", "second", "third"], answering(401));
    expect(neither).toMatchObject({
      sent: ["first", "second"],
      outcome: { status: "refused", httpStatus: 401 },
    });
    for (const status of [403, 409, 429, 307]) {
      const other = await sent(["first", "second"], answering(status, {}, { "retry-after": "60" }), done);
      expect(other.sent).toEqual(["first"]);
    }
  });

  it("are tried in order when asking what became of a key", async () => {
    const service = await startService(answering(401), answering(200, { applied: true, answer: DONE }));
    const { action } = testAction({ tokens: () => ["first", "second"] });
    expect(await action.reconcile(INTENT, service.instance, calm())).toMatchObject({
      status: "already_applied",
    });
    expect(service.arrived.map((call) => call.headers["x-admin-token"])).toEqual(["first", "second"]);
  });
});

it("the admin plane is called where it listens, when that is elsewhere", async () => {
  const [publicSide, adminSide] = [await startService(done), await startService(done)];
  const instance = { ...publicSide.instance, adminUrl: adminSide.url };
  const { action } = testAction();
  expect(await action.execute(INTENT, instance, calm())).toMatchObject({ status: "applied" });
  await action.reconcile(INTENT, instance, calm());
  expect(adminSide.arrived.map((call) => call.method)).toEqual(["POST", "GET"]);
  expect(publicSide.arrived).toEqual([]);
});

describe("what is not stated to be a Helius service", () => {
  it("gets neither a call nor the token, and is not asked about one", async () => {
    const service = await startService(done);
    const { name, url } = service.instance;
    const { action } = testAction();
    const detail = "the configuration does not say that this is a Helius service (mitigate: helius)";
    expect(await action.execute(INTENT, { name, url }, calm())).toMatchObject({
      ...{ status: "refused", detail: `not called: ${detail}` },
    });
    expect(await action.reconcile(INTENT, { name, url }, calm())).toMatchObject({
      ...{ status: "unknown", detail: `not asked: ${detail}` },
    });
    expect(service.arrived).toEqual([]);
  });
});

describe("a mitigation that is refused", () => {
  it.each([
    [401, /^the admin token was not accepted \(HTTP 401: no such token\)$/],
    [403, /^forbidden from this address \(HTTP 403: no such token\)$/],
    [409, /^a newer monitor has taken over \(HTTP 409/],
    [400, /^HTTP 400: no such token$/],
    [404, /^HTTP 404/],
    [413, /^HTTP 413/],
  ])("by %i is not repeated", async (status, detail) => {
    const service = await startService(answering(status, { error: "no such\n token" }), done);
    const { action, waits } = testAction();
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "refused", httpStatus: status });
    expect(outcome.detail).toMatch(detail);
    expect(service.arrived).toHaveLength(1);
    expect(waits).toEqual([]);
  });

  it.each([301, 302, 303, 307, 308])(
    "by a redirect %i: the token never reaches the other origin",
    async (status) => {
      const other = await startService(done);
      const service = await startService((response) => {
        response.writeHead(status, { location: `${other.url}/admin/mitigate` }).end();
      });
      const outcome = await testAction().action.execute(INTENT, service.instance, calm());
      expect(outcome).toMatchObject({ status: "refused", httpStatus: status });
      expect(outcome.detail).toContain("a redirect is never followed");
      expect(service.arrived).toHaveLength(1);
      expect(other.arrived).toEqual([]);
    },
  );
});

describe("a service that is busy or failing", () => {
  it("is asked again after the wait it names", async () => {
    const service = await startService(answering(429, {}, { "retry-after": "2" }), done);
    const { action, waits } = testAction();
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome.status).toBe("applied");
    expect(waits).toEqual([2_000]);
    expect(service.arrived).toHaveLength(2);
  });

  it("may name a date, which is read against its own clock", async () => {
    const headers = { date: "Mon, 01 Jan 2001 00:00:00 GMT", "retry-after": "Mon, 01 Jan 2001 00:00:03 GMT" };
    const service = await startService(answering(503, {}, headers), done);
    const { action, waits } = testAction();
    expect((await action.execute(INTENT, service.instance, calm())).status).toBe("applied");
    expect(waits).toEqual([3_000]);
  });

  it("is not waited for beyond the deadline", async () => {
    const service = await startService(answering(429, {}, { "retry-after": "3600" }), done);
    const { action, waits } = testAction();
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "failed", httpStatus: 429 });
    expect(outcome.detail).toContain("a further attempt in 3600000 ms would be after the deadline");
    expect(waits).toEqual([]);
    expect(service.arrived).toHaveLength(1);
  });

  it("with 500 is asked again under the same key", async () => {
    const service = await startService(answering(500), answering(503), done);
    const { action, waits } = testAction();
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome.status).toBe("applied");
    expect(service.arrived.map((call) => call.headers["idempotency-key"])).toEqual(Array(3).fill("intent-1"));
    // Half of it fixed, half by chance, which is 0.5 here; doubled each time.
    expect(waits).toEqual([75, 150]);
  });

  it("with 500 to the last leaves it unknown whether it took effect", async () => {
    const service = await startService(answering(500, { error: "boom" }));
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "unknown", httpStatus: 500 });
    expect(outcome.detail).toBe("HTTP 500: boom; after 3 attempts");
    expect(service.arrived).toHaveLength(3);
  });

  it("with 503 that says that nothing was done has failed for certain", async () => {
    const service = await startService(answering(503, { applied: false, error: "disk full" }));
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "failed", httpStatus: 503 });
  });

  it("with 500 that says that it was done has done it, and is not asked again", async () => {
    const service = await startService(answering(500, { applied: true, error: "not recorded" }));
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "applied", httpStatus: 500 });
    expect(service.arrived).toHaveLength(1);
  });

  it("never waits longer than the longest wait of the rules", async () => {
    const service = await startService(answering(500));
    const retry = { maxAttempts: 6, baseMs: 100, maxMs: 250 };
    const { action, waits } = testAction({ retry, random: () => 0.999_999 });
    await action.execute(INTENT, service.instance, calm());
    expect(waits.map(Math.round)).toEqual([100, 200, 250, 250, 250]);
  });
});
