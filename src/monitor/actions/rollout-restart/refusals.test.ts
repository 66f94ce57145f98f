import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Instance } from "../../kernel/target.ts";
import { workloadInstance } from "../shared/callees.ts";
import {
  type Fault,
  hangs,
  INTENT,
  kubeconfigText,
  MLFLOW,
  says,
  startApi,
  type TestApi,
  temporaryFile,
  testAction,
  workload,
} from "./cluster.testkit.ts";

const EPOCH = "helius-self-heal/epoch";
const INTENTS = "helius-self-heal/intents";
const TRACKER = workloadInstance("helius/deployment/mlflow-tracker") as Instance;
const calm = (): AbortSignal => new AbortController().signal;
const AT = "2023-11-14T22:13:20.000Z";

let api: TestApi;
let kubeconfig: string;
beforeEach(async () => {
  api = await startApi();
  kubeconfig = temporaryFile("config", kubeconfigText(api.url));
});

function annotations(): Record<string, string> {
  return (api.object().metadata as { annotations: Record<string, string> }).annotations;
}

describe("what is refused", () => {
  it.each([
    [401, /^reading the workload: the API server does not accept the credentials \(HTTP 401: no\)$/],
    [403, /^reading the workload: not allowed; see deploy\/kubernetes\/rbac\.yaml \(HTTP 403: no\)$/],
    [400, /^reading the workload: HTTP 400: no$/],
  ])("%i, at once", async (status, detail) => {
    api.faults.push(says(status));
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "refused", httpStatus: status });
    expect(outcome.detail).toMatch(detail);
    expect(api.asked).toHaveLength(1);
  });

  it("reading that is allowed beside changing that is not", async () => {
    api.faults.push(undefined, says(403, "cannot patch resource"));
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "refused", httpStatus: 403 });
    expect(outcome.detail).toContain("the restart: not allowed");
  });

  it("a workload that is not there", async () => {
    const instance = workloadInstance("helius/deployment/nothing") as Instance;
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, instance, calm());
    expect(outcome).toMatchObject({ status: "refused", httpStatus: 404 });
    expect(outcome.detail).toContain("there is no such workload");
  });

  it("a redirect: the credentials never reach another address", async () => {
    const other = await startApi();
    api.faults.push((_asked, response) => {
      response.writeHead(307, { location: `${other.url}${MLFLOW}` }).end();
      return true;
    });
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "refused", httpStatus: 307 });
    expect(outcome.detail).toContain("a redirect is never followed");
    expect(other.asked).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["a paused rollout", { paused: true }, /its rollout is paused; resume it first/],
    ["a strategy that restarts nothing", { updateStrategy: { type: "OnDelete" } }, /OnDelete/],
  ])("%s", async (_, spec, detail) => {
    api.objects.set(MLFLOW, workload("Deployment", "mlflow-tracker", spec));
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome.status).toBe("refused");
    expect(outcome.detail).toMatch(detail);
    expect(api.rollouts).toEqual([]);
  });

  it("an older epoch: a newer monitor has acted on it", async () => {
    const { action } = testAction({ kubeconfig });
    await action.execute({ ...INTENT, epoch: 43 }, TRACKER, calm());
    const outcome = await action.execute({ ...INTENT, id: "late" }, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "refused" });
    expect(outcome.detail).toBe("a newer monitor has taken over (epoch 43, this is 42)");
    expect(api.rollouts).toHaveLength(1);
  });

  it.each([
    [INTENTS, "{"],
    [INTENTS, '{"a":1}'],
    [INTENTS, "[1]"],
    [EPOCH, "many"],
  ])("an object whose annotation %s is %j: what was done on it is not known", async (name, value) => {
    annotations()[name] = value;
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome.status).toBe("refused");
    expect(outcome.detail).toContain(`its annotation ${name} is not what the monitor writes`);
    expect(api.rollouts).toEqual([]);
  });

  it("an intent with parameters, or on something that is no workload", async () => {
    const { action } = testAction({ kubeconfig });
    const odd = await action.execute({ ...INTENT, parameters: { now: "yes" } }, TRACKER, calm());
    expect(odd.detail).toBe("not restarted: parameter now is not a known parameter; it takes none");
    const service = { name: "app:8000", url: "http://app:8000" };
    const outcome = await action.execute(INTENT, service, calm());
    expect(outcome).toMatchObject({ status: "refused" });
    expect(outcome.detail).toContain("http://app:8000 is no workload");
    expect(api.asked).toEqual([]);
  });
});

describe("reconciling", () => {
  it("tells a key that the workload holds from one that it never saw", async () => {
    const { action } = testAction({ kubeconfig });
    const before = await action.reconcile(INTENT, TRACKER, calm());
    expect(before).toMatchObject({ status: "failed" });
    await action.execute(INTENT, TRACKER, calm());
    expect(await action.reconcile(INTENT, TRACKER, calm())).toMatchObject({
      status: "already_applied",
      answer: { restarted_at: AT },
    });
    expect(api.asked.filter(({ method }) => method === "PATCH")).toHaveLength(1);
  });

  it.each<[string, Fault]>([
    ["500", says(500)],
    ["403", says(403)],
    ["404", says(404)],
    ["silence", hangs],
    ["a page of something else", (_asked, response) => response.end("<html>") !== undefined],
  ])("learns nothing from %s", async (_, fault) => {
    api.faults.push(fault);
    const { action } = testAction({ kubeconfig, attemptTimeoutMs: 1_000 });
    const outcome = await action.reconcile(INTENT, TRACKER, calm());
    expect(outcome.status).toBe("unknown");
    expect(outcome.detail).toMatch(/^the API server could not be asked: /);
    expect(api.asked).toHaveLength(1);
  });
});

describe("cancelling", () => {
  it("before the call sends nothing", async () => {
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, AbortSignal.abort());
    expect(outcome).toMatchObject({ status: "failed", detail: "cancelled before the call" });
    expect(api.asked).toEqual([]);
  });

  it("while the server is at work leaves it unknown, at once", async () => {
    const controller = new AbortController();
    api.faults.push(undefined, () => {
      controller.abort();
      return true;
    });
    const began = performance.now();
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, controller.signal);
    expect(outcome).toMatchObject({ status: "unknown" });
    expect(outcome.detail).toContain("cancelled");
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  it("leaves no listener behind", async () => {
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, "addEventListener");
    const remove = vi.spyOn(signal, "removeEventListener");
    await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, signal);
    expect(add.mock.calls.length).toBe(2);
    expect(remove.mock.calls.length).toBe(2);
  });
});
