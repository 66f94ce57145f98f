import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Intent } from "../../kernel/action.ts";
import type { Parameters } from "../../kernel/plugin.ts";
import { actionKinds, actionPlugins } from "../index.ts";
import { answering, calm, DONE, done, INTENT, reset, startService, testAction } from "./service.testkit.ts";

function intent(kind: string, parameters?: Parameters): Intent {
  return { ...INTENT, kind, ...(parameters === undefined ? {} : { parameters }) };
}

describe("the call of a kind", () => {
  it.each<[string, Parameters | undefined, string]>([
    ["mitigate", undefined, "/admin/mitigate"],
    ["mitigate", {}, "/admin/mitigate"],
    [
      "set-rate-limit",
      { seconds: "900", region: "us-east-1", per_second: "0.5" },
      "/admin/mitigate?action=set-rate-limit&per_second=0.5&region=us-east-1&seconds=900",
    ],
    [
      "set-rate-limit",
      { per_second: "20", seconds: "9" },
      "/admin/mitigate?action=set-rate-limit&per_second=20&seconds=9",
    ],
    ["reset-rate-limit", { region: "all" }, "/admin/mitigate?action=reset-rate-limit&region=all"],
    [
      "isolate-region",
      { region: "us-east-1", seconds: "1e2" },
      "/admin/mitigate?action=isolate-region&region=us-east-1&seconds=1e2",
    ],
    ["release-region", { region: "us-east-1" }, "/admin/mitigate?action=release-region&region=us-east-1"],
    ["force-fallback", { seconds: "600" }, "/admin/mitigate?action=force-fallback&seconds=600"],
    ["release-fallback", undefined, "/admin/mitigate?action=release-fallback"],
    ["pause-stream", { seconds: "600" }, "/admin/mitigate?action=pause-stream&seconds=600"],
    ["resume-stream", undefined, "/admin/mitigate?action=resume-stream"],
    ["retrain", undefined, "/admin/mitigate?action=retrain"],
    ["replay-dead-letters", { limit: "5" }, "/admin/mitigate?action=replay-dead-letters&limit=5"],
  ])("%s %j", async (kind, parameters, url) => {
    const said = actionKinds.get(kind)?.answer;
    const service = await startService(answering(200, said));
    const { action } = testAction({}, kind);
    expect(action.kind).toBe(kind);
    const outcome = await action.execute(intent(kind, parameters), service.instance, calm());
    expect(outcome).toMatchObject({ status: "applied", httpStatus: 200, answer: said });
    expect(service.arrived).toHaveLength(1);
    expect(service.arrived[0]).toMatchObject({
      method: "POST",
      url,
      headers: { "x-admin-token": "the-token", "idempotency-key": "intent-1", "x-predictive-epoch": "42" },
    });
  });

  it("says which playbook and alert asked for it", async () => {
    const service = await startService(done);
    const origin = { playbook: "contain-backlog", run: "run-1", step: 0, alert: "f00d" };
    const { forecast: _, threshold: __, ...plain } = intent("retrain");
    await testAction({}, "retrain").action.execute({ ...plain, origin }, service.instance, calm());
    expect(JSON.parse(service.arrived[0]?.body ?? "")).toEqual({
      metric: "p95_latency",
      trigger: "strong",
      intent: "intent-1",
      playbook: "contain-backlog",
      run: "run-1",
      alert: "f00d",
    });
  });

  it("is the same after a lost answer, in whatever order its parameters were written down", async () => {
    const service = await startService(reset, done);
    const { action } = testAction({ retry: { maxAttempts: 1, baseMs: 0, maxMs: 0 } }, "isolate-region");
    const first = { region: "us-east-1", seconds: "60" };
    const second = { seconds: "60", region: "us-east-1" };
    const lost = await action.execute(intent("isolate-region", first), service.instance, calm());
    expect(lost.status).toBe("unknown");
    await action.execute(intent("isolate-region", second), service.instance, calm());
    expect(new Set(service.arrived.map((call) => call.url)).size).toBe(1);
  });

  it("is reconciled by its key, whatever its kind", async () => {
    const service = await startService(answering(200, { key: "intent-1", applied: true, answer: DONE }));
    const { action } = testAction({}, "isolate-region");
    const outcome = await action.reconcile(intent("isolate-region"), service.instance, calm());
    expect(outcome).toMatchObject({ status: "already_applied", answer: DONE });
    expect(service.arrived[0]).toMatchObject({ method: "GET", url: "/admin/actions/intent-1" });
  });
});

describe("no call is made", () => {
  it.each<[string, Parameters, string]>([
    [
      "isolate-region",
      { region: "us-east-1" },
      "not called: parameter seconds is missing; it must be a number above 0 up to 86400 (seconds)",
    ],
    [
      "isolate-region",
      { region: "$region", seconds: "60" },
      "not called: parameter region is still $region: no region was chosen",
    ],
    ["retrain", { seconds: "1" }, "not called: parameter seconds is not a known parameter; it takes none"],
    [
      "mitigate",
      { action: "isolate-region" },
      "not called: parameter action is not a known parameter; it takes none",
    ],
  ])("for %s with %j", async (kind, parameters, detail) => {
    const service = await startService(done);
    const { action } = testAction({}, kind);
    const outcome = await action.execute(intent(kind, parameters), service.instance, calm());
    expect(outcome).toMatchObject({ status: "refused", httpStatus: undefined, detail });
    expect(service.arrived).toEqual([]);
  });

  it("for an intent of another kind", async () => {
    const service = await startService(done);
    const outcome = await testAction({}, "retrain").action.execute(INTENT, service.instance, calm());
    expect(outcome).toMatchObject({
      status: "refused",
      detail: "not called: this is not an action of mitigate",
    });
    expect(service.arrived).toEqual([]);
  });

  it("whose query says anything but what the rules allow", async () => {
    const service = await startService(done);
    const kinds = actionPlugins.filter(({ on }) => on === "service").map(({ kind }) => kind);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...kinds),
        fc.dictionary(
          fc.oneof(fc.constantFrom("region", "seconds", "per_second", "limit"), fc.string()),
          fc.oneof(fc.constantFrom("60", "us-east-1", "all"), fc.string()),
          { maxKeys: 3 },
        ),
        async (kind, parameters) => {
          const before = service.arrived.length;
          const { action } = testAction({}, kind);
          const { status } = await action.execute(intent(kind, parameters), service.instance, calm());
          const call = service.arrived[before];
          await action.close();
          if (call === undefined) expect(status).toBe("refused");
          else {
            const query = new URL(call.url, service.url).searchParams;
            const { action: named, ...rest } = Object.fromEntries(query);
            expect([named ?? "mitigate", rest]).toEqual([kind, { ...parameters }]);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
