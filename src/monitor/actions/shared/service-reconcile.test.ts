import { describe, expect, it } from "vitest";
import {
  answering,
  calm,
  DONE,
  done,
  INTENT,
  type Manner,
  silent,
  startService,
  testAction,
} from "./service.testkit.ts";

describe("reconciling", () => {
  it("asks for the key, with the token, and repeats nothing", async () => {
    const service = await startService(
      answering(200, { key: "a/b c", applied: true, answer: DONE, at: "then" }),
    );
    const outcome = await testAction().action.reconcile({ ...INTENT, id: "a/b c" }, service.instance, calm());
    expect(outcome).toMatchObject({
      instance: service.instance.name,
      status: "already_applied",
      httpStatus: 200,
      answer: DONE,
    });
    expect(service.arrived).toHaveLength(1);
    expect(service.arrived[0]).toMatchObject({ method: "GET", url: "/admin/actions/a%2Fb%20c", body: "" });
    expect(service.arrived[0]?.headers["x-admin-token"]).toBe("the-token");
  });

  it("shows the whole answer where there is none inside", async () => {
    const service = await startService(answering(200, { applied: true }));
    const outcome = await testAction().action.reconcile(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "already_applied", answer: { applied: true } });
  });

  it("learns from the service's own 404 that it never saw the key", async () => {
    const service = await startService(answering(404, { key: "intent-1", applied: false }));
    const outcome = await testAction().action.reconcile(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({
      status: "failed",
      httpStatus: 404,
      detail: "the service never saw this key",
    });
  });

  it.each<[string, Manner, RegExp]>([
    [
      "a 404 from something else",
      (response) => response.writeHead(404).end("<html>"),
      /HTTP 404, the answer is not/,
    ],
    ["200 that is not sure", answering(200, { applied: "yes" }), /HTTP 200/],
    ["a wrong token", answering(401), /the admin token was not accepted/],
    ["a failing service", answering(500), /HTTP 500/],
    ["silence", silent, /no answer within 1000 ms/],
    ["a redirect", answering(307, {}, { location: "http://127.0.0.1:9/" }), /a redirect is never followed/],
  ])("learns nothing from %s", async (_, manner, detail) => {
    const service = await startService(manner);
    const { action } = testAction({ attemptTimeoutMs: 1_000 });
    const outcome = await action.reconcile(INTENT, service.instance, calm());
    expect(outcome.status).toBe("unknown");
    expect(outcome.detail).toMatch(detail);
    expect(service.arrived).toHaveLength(1);
  });

  it("learns nothing from a service that is away", async () => {
    const service = await startService(done);
    await service.stop();
    const outcome = await testAction().action.reconcile(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({ status: "unknown" });
    expect(outcome.detail).toContain("ECONNREFUSED");
  });
});

describe("settings", () => {
  it.each([
    [{ attemptTimeoutMs: 0 }, /attemptTimeoutMs is 0/],
    [{ totalTimeoutMs: Number.NaN }, /totalTimeoutMs is NaN/],
    [{ maxResponseBytes: -1 }, /maxResponseBytes is -1/],
    [{ retry: { maxAttempts: 0, baseMs: 1, maxMs: 1 } }, /retry\.maxAttempts is 0/],
    [{ retry: { maxAttempts: 1, baseMs: -1, maxMs: 1 } }, /retry\.baseMs is -1/],
  ])("out of range are named", (more, message) => {
    expect(() => testAction(more)).toThrow(message);
  });
});

describe("after close", () => {
  it("a call fails without being sent", async () => {
    const service = await startService(done);
    const { action } = testAction();
    await action.close();
    const outcome = await action.execute(INTENT, service.instance, calm());
    expect(outcome.status).toBe("failed");
    expect(service.arrived).toEqual([]);
  });
});
