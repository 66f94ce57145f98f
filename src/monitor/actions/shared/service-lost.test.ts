import { connect } from "node:net";
import { Agent } from "undici";
import { describe, expect, it, vi } from "vitest";
import {
  answering,
  calm,
  DONE,
  done,
  INTENT,
  type Manner,
  reset,
  silent,
  startService,
  testAction,
} from "./service.testkit.ts";

describe("a lost answer", () => {
  it("is asked for again under the same key, and the service's record settles it", async () => {
    let effects = 0;
    const known = new Set<string>();
    const service = await startService(
      (response, call, request) => {
        effects += 1;
        known.add(String(call.headers["idempotency-key"]));
        reset(response, call, request);
      },
      (response, call, request) => {
        if (!known.has(String(call.headers["idempotency-key"]))) effects += 1;
        answering(200, DONE, { "idempotent-replay": "true" })(response, call, request);
      },
    );
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "already_applied", answer: DONE });
    expect(effects).toBe(1);
  });

  it("to the last is unknown", async () => {
    const service = await startService(reset);
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "unknown", httpStatus: undefined, answer: undefined });
    expect(outcome.detail).toMatch(/^sent, answer lost: .*; after 3 attempts$/);
    expect(service.arrived).toHaveLength(3);
  });

  it.each<[string, Manner]>([
    ["that never comes", silent],
    [
      "whose headers drip",
      (_response, _call, request) => {
        const text = `HTTP/1.1 200 OK\r\nx-slow: ${"y".repeat(1_000)}`;
        let sent = 0;
        const timer = setInterval(() => request.socket.write(text[sent++] ?? "y"), 5);
        request.socket.on("close", () => clearInterval(timer));
      },
    ],
    ["that is no HTTP", (_response, _call, request) => request.socket.end("220 mail.example ESMTP\r\n")],
  ])("%s is unknown, within the deadline", async (_, manner) => {
    const service = await startService(manner);
    const { action } = testAction({ attemptTimeoutMs: 1_000 });
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome.status).toBe("unknown");
    expect(service.arrived).toHaveLength(3);
    expect(outcome.durationMs).toBeLessThan(15_000);
  });

  it.each([
    ["a refusal", answering(409), 409],
    ["a 503 that did nothing", answering(503, { applied: false }), 503],
  ])("before %s stays unknown: the first attempt may have had its effect", async (_, then, httpStatus) => {
    const service = await startService(reset, then);
    const outcome = await testAction().action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "unknown", httpStatus });
    expect(outcome.detail).toMatch(/before that sent, answer lost/);
  });

  it("before the service goes away stays unknown", async () => {
    const service = await startService(reset);
    const { action } = testAction({ sleep: () => service.stop() });
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome.status).toBe("unknown");
    expect(outcome.detail).toMatch(/ECONNREFUSED.*before that sent, answer lost/);
    expect(service.arrived).toHaveLength(1);
  });

  it("is not asked for again past the total deadline", async () => {
    const service = await startService(silent);
    const { action } = testAction({ attemptTimeoutMs: 5_000, totalTimeoutMs: 1_500 });
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome.status).toBe("unknown");
    expect(outcome.detail).toContain("would be after the deadline");
    expect(service.arrived).toHaveLength(1);
    expect(outcome.durationMs).toBeLessThan(10_000);
  });
});

describe("a call that is not sent", () => {
  it("to a refused port has failed for certain, after bounded attempts", async () => {
    const service = await startService(done);
    await service.stop();
    const { action, waits } = testAction();
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "failed", httpStatus: undefined });
    expect(outcome.detail).toMatch(/^not sent: .*ECONNREFUSED.*; after 3 attempts$/);
    expect(waits).toHaveLength(2);
  });

  it("because no connection comes about has failed for certain, at the attempt's deadline", async () => {
    // A connector that never calls back: a network that swallows everything.
    const dispatcher = new Agent({ connect: () => {} });
    const { action } = testAction({ dispatcher, attemptTimeoutMs: 60 });
    const outcome = await action.execute(
      INTENT,
      { name: "app:8000", url: "http://app:8000", adminUrl: "http://app:8000" },
      calm(),
    );
    expect(outcome.status).toBe("failed");
    expect(outcome.detail).toMatch(/^not sent: no answer within 60 ms/);
    await dispatcher.destroy();
  });

  it("is not sent late either, when the connection comes about after the deadline", async () => {
    const service = await startService(done);
    const { port } = new URL(service.url);
    let connectNow = false;
    const held: (() => Promise<void>)[] = [];
    const dispatcher = new Agent({
      connect: (_options, callback) => {
        const open = (): Promise<void> =>
          new Promise((resolve) => {
            const socket = connect(Number(port), "127.0.0.1", () => {
              callback(null, socket);
              resolve();
            });
          });
        if (connectNow) void open();
        else held.push(open);
      },
    });
    const retry = { maxAttempts: 1, baseMs: 0, maxMs: 0 };
    const { action } = testAction({ dispatcher, attemptTimeoutMs: 30, retry });
    expect((await action.execute(INTENT, service.instance, calm())).status).toBe("failed");
    expect(held).toHaveLength(1);
    connectNow = true;
    await held[0]?.();
    // A call through the same connections afterwards shows that the late one had its chance.
    const second = testAction({ dispatcher }).action;
    const later = await second.execute({ ...INTENT, id: "later" }, service.instance, calm());
    expect(later.status).toBe("applied");
    expect(service.arrived.map((call) => call.headers["idempotency-key"])).toEqual(["later"]);
    await dispatcher.destroy();
  });

  it.each([
    [
      "the token cannot be read",
      {
        tokens: () => {
          throw new Error("ENOENT token file");
        },
      },
      /ENOENT token file/,
    ],
    ["the token is empty", { tokens: () => [""] }, /the admin token is empty/],
    ["the token cannot be a header", { tokens: () => ["secret\nvalue"] }, /^not sent: (?!.*secret)/],
  ])("because %s is not tried again, and the token stays out of the detail", async (_, more, detail) => {
    const service = await startService(done);
    const { action, waits } = testAction(more);
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome.status).toBe("failed");
    expect(outcome.detail).toMatch(detail);
    expect(waits).toEqual([]);
    expect(service.arrived).toEqual([]);
  });

  it("because the address is no URL has failed", async () => {
    const outcome = await testAction().action.execute(
      INTENT,
      { name: "x", url: "not a url", adminUrl: "not a url" },
      calm(),
    );
    expect(outcome.status).toBe("failed");
  });

  it("because it was cancelled before has failed", async () => {
    const service = await startService(done);
    const outcome = await testAction().action.execute(INTENT, service.instance, AbortSignal.abort());
    expect(outcome).toMatchObject({ status: "failed", detail: "cancelled before the call" });
    expect(service.arrived).toEqual([]);
  });
});

describe("cancelling", () => {
  it("while the service is at work leaves the outcome unknown, at once", async () => {
    const controller = new AbortController();
    const service = await startService(() => controller.abort());
    const { action, waits } = testAction();
    const outcome = await action.execute(INTENT, service.instance, controller.signal);
    expect(outcome).toMatchObject({ status: "unknown" });
    expect(outcome.detail).toBe("sent, answer lost: cancelled; cancelled");
    expect(outcome.durationMs).toBeLessThan(1_500);
    expect(waits).toEqual([]);
  });

  it("while waiting ends the wait without a further attempt", async () => {
    const controller = new AbortController();
    const service = await startService(answering(503, { applied: false }), done);
    const { action } = testAction({
      sleep: async (_ms, signal) => {
        controller.abort();
        signal.throwIfAborted();
      },
    });
    const outcome = await action.execute(INTENT, service.instance, controller.signal);
    expect(outcome).toMatchObject({ status: "failed" });
    expect(outcome.detail).toContain("cancelled");
    expect(service.arrived).toHaveLength(1);
  });

  it("leaves no listener on the caller's signal behind", async () => {
    const service = await startService(answering(500), done);
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, "addEventListener");
    const remove = vi.spyOn(signal, "removeEventListener");
    await testAction().action.execute(INTENT, service.instance, signal);
    expect(add).toHaveBeenCalledTimes(2);
    expect(remove).toHaveBeenCalledTimes(2);
  });
});

describe("a slow instance", () => {
  it("does not hold up another one", async () => {
    const slow = await startService(silent);
    const fast = await startService(done);
    const { action } = testAction({
      attemptTimeoutMs: 2_000,
      retry: { maxAttempts: 1, baseMs: 0, maxMs: 0 },
    });
    const order: string[] = [];
    await Promise.all([
      action.execute(INTENT, slow.instance, calm()).then(({ status }) => order.push(status)),
      action.execute(INTENT, fast.instance, calm()).then(({ status }) => order.push(status)),
    ]);
    expect(order).toEqual(["applied", "unknown"]);
  });
});
