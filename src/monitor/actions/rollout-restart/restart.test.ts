import { beforeEach, describe, expect, it } from "vitest";
import type { Instance } from "../../kernel/target.ts";
import { workloadInstance } from "../shared/callees.ts";
import {
  type Fault,
  hangs,
  INTENT,
  kubeconfigText,
  lostAfter,
  lostBefore,
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
const RESTARTED_AT = "kubectl.kubernetes.io/restartedAt";
const TRACKER = workloadInstance("helius/deployment/mlflow-tracker") as Instance;
const calm = (): AbortSignal => new AbortController().signal;
const AT = "2023-11-14T22:13:20.000Z";

let api: TestApi;
let kubeconfig: string;
beforeEach(async () => {
  api = await startApi();
  kubeconfig = temporaryFile("config", kubeconfigText(api.url));
});

function once() {
  return { maxAttempts: 1, baseMs: 0, maxMs: 0 };
}

function annotations(): Record<string, string> {
  return (api.object().metadata as { annotations: Record<string, string> }).annotations;
}

describe("a restart", () => {
  it("is one strategic merge patch as kubectl makes it, and leaves the intent's key", async () => {
    const { action, waits } = testAction({ kubeconfig });
    const outcome = await action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({
      instance: "helius/deployment/mlflow-tracker",
      status: "applied",
      httpStatus: 200,
      detail: `restarted at ${AT}`,
      answer: { workload: "helius/deployment/mlflow-tracker", restarted_at: AT, generation: 2 },
    });
    expect(waits).toEqual([]);
    expect(api.asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET ${MLFLOW}`,
      `PATCH ${MLFLOW}?fieldManager=helius-self-heal`,
    ]);
    expect(api.asked[1]).toMatchObject({
      contentType: "application/strategic-merge-patch+json",
      body: {
        metadata: { resourceVersion: "100", annotations: { [INTENTS]: '["intent-1"]', [EPOCH]: "42" } },
        spec: { template: { metadata: { annotations: { [RESTARTED_AT]: AT } } } },
      },
    });
    // Whatever else the object holds is as it was.
    const { spec } = api.object() as { spec: { replicas: number; template: Record<string, unknown> } };
    expect(spec.replicas).toBe(2);
    expect(spec.template).toMatchObject({
      metadata: { labels: { app: "mlflow-tracker" } },
      spec: { containers: [{ name: "mlflow-tracker", image: "mlflow-tracker:1" }] },
    });
    expect(annotations()["deployment.kubernetes.io/revision"]).toBe("3");
    expect(api.rollouts).toEqual([MLFLOW]);
  });

  it.each([
    ["statefulset", "StatefulSet", "statefulsets"],
    ["daemonset", "DaemonSet", "daemonsets"],
  ])("of a %s goes to its path", async (type, kind, plural) => {
    const path = `/apis/apps/v1/namespaces/helius/${plural}/nats`;
    api.objects.set(path, workload(kind, "nats"));
    const instance = workloadInstance(`helius/${type}/nats`) as Instance;
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, instance, calm());
    expect(outcome).toMatchObject({ status: "applied", instance: `helius/${type}/nats` });
    expect(api.rollouts).toEqual([path]);
  });

  it("under the same key again changes nothing and says so", async () => {
    const { action } = testAction({ kubeconfig });
    await action.execute(INTENT, TRACKER, calm());
    const version = (api.object().metadata as { resourceVersion: string }).resourceVersion;
    const again = await action.execute(INTENT, TRACKER, calm());
    expect(again).toMatchObject({ status: "already_applied", httpStatus: 200 });
    expect((api.object().metadata as { resourceVersion: string }).resourceVersion).toBe(version);
    expect(api.rollouts).toHaveLength(1);
    expect(api.asked.filter(({ method }) => method === "PATCH")).toHaveLength(1);
  });

  it("of a later intent is another one, and the keys of both are known", async () => {
    const { action } = testAction({ kubeconfig });
    await action.execute(INTENT, TRACKER, calm());
    const later = { ...INTENT, id: "intent-2", at: { wallMs: INTENT.at.wallMs + 1, monoMs: 6 } };
    expect((await action.execute(later, TRACKER, calm())).status).toBe("applied");
    expect(api.rollouts).toHaveLength(2);
    expect(annotations()[INTENTS]).toBe('["intent-1","intent-2"]');
    expect((await action.execute(INTENT, TRACKER, calm())).status).toBe("already_applied");
    expect(api.rollouts).toHaveLength(2);
  });

  it("keeps a bounded number of keys, the newest", async () => {
    const { action } = testAction({ kubeconfig });
    for (let n = 0; n < 20; n += 1) {
      const intent = { ...INTENT, id: `i${n}`, at: { wallMs: INTENT.at.wallMs + n, monoMs: n } };
      expect((await action.execute(intent, TRACKER, calm())).status).toBe("applied");
    }
    const keys = JSON.parse(annotations()[INTENTS] ?? "") as string[];
    expect([keys.length, keys[0], keys.at(-1)]).toEqual([16, "i4", "i19"]);
  });
});

describe("what is lost on the way", () => {
  it("an answer: the next look finds the key, and nothing is done twice", async () => {
    api.faults.push(undefined, lostAfter);
    const { action, waits } = testAction({ kubeconfig });
    const outcome = await action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "already_applied", answer: { restarted_at: AT } });
    expect(api.rollouts).toHaveLength(1);
    expect(api.asked.map(({ method }) => method)).toEqual(["GET", "PATCH", "GET"]);
    expect(waits).toHaveLength(1);
  });

  it("a request: the next look does not find the key, and it is made again, once", async () => {
    api.faults.push(undefined, lostBefore);
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome.status).toBe("applied");
    expect(api.rollouts).toHaveLength(1);
  });

  it("every answer: unknown, and reconciling finds what came of it", async () => {
    api.faults.push(undefined, lostAfter, hangs);
    const { action } = testAction({ kubeconfig, attemptTimeoutMs: 2_000, retry: once() });
    const outcome = await action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "unknown", httpStatus: undefined });
    expect(outcome.detail).toMatch(/^the restart: sent, answer lost: .*; not repeated$/);
    api.faults.length = 0;
    expect(await action.reconcile(INTENT, TRACKER, calm())).toMatchObject({ status: "already_applied" });
    expect(api.rollouts).toHaveLength(1);
  });

  it("a first restart, before a refusal: unknown, not refused", async () => {
    api.faults.push(undefined, lostBefore, says(403, "rights were withdrawn"));
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "unknown", httpStatus: 403 });
    expect(outcome.detail).toMatch(/rights were withdrawn.*before that the restart: sent, answer lost/);
  });

  it("a late one is fenced off: of two patches of one reading only the first comes through", async () => {
    const { action } = testAction({ kubeconfig });
    await action.execute(INTENT, TRACKER, calm());
    const late = api.asked[1];
    const answered = await fetch(`${api.url}${late?.url}`, {
      method: "PATCH",
      headers: {
        authorization: "Bearer service-account-token",
        "content-type": late?.contentType ?? "",
      },
      body: JSON.stringify(late?.body),
    });
    expect(answered.status).toBe(409);
    expect(api.rollouts).toHaveLength(1);
  });
});

describe("an API server in trouble", () => {
  it("that hangs on reading fails within the deadline: nothing was changed", async () => {
    api.faults.push(hangs, hangs, hangs);
    const { action } = testAction({ kubeconfig, attemptTimeoutMs: 1_000 });
    const outcome = await action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "failed", httpStatus: undefined });
    expect(outcome.detail).toMatch(/^reading the workload: .*no answer within 1000 ms; after 3 attempts$/);
    expect(api.asked).toHaveLength(3);
    expect(outcome.durationMs).toBeLessThan(20_000);
  });

  it("that hangs on the patch leaves it unknown", async () => {
    api.faults.push(undefined, hangs);
    const { action } = testAction({ kubeconfig, attemptTimeoutMs: 2_000, retry: once() });
    const outcome = await action.execute(INTENT, TRACKER, calm());
    expect(outcome.status).toBe("unknown");
  });

  it.each([500, 502, 503, 504])(
    "%i on reading is asked again, and then fails for certain",
    async (status) => {
      api.faults.push(says(status), says(status), says(status));
      const { action, waits } = testAction({ kubeconfig });
      const outcome = await action.execute(INTENT, TRACKER, calm());
      expect(outcome).toMatchObject({ status: "failed", httpStatus: status });
      expect(outcome.detail).toBe(`reading the workload: HTTP ${status}: no; after 3 attempts`);
      expect(waits).toEqual([75, 150]);
      expect(api.rollouts).toEqual([]);
    },
  );

  it("500 on the patch is looked at again, and done once", async () => {
    api.faults.push(undefined, says(500));
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome.status).toBe("applied");
    expect(api.rollouts).toHaveLength(1);
  });

  it("500 on the patch to the last is unknown", async () => {
    api.faults.push(undefined, says(500), undefined, says(500), undefined, says(500));
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "unknown", httpStatus: 500 });
  });

  it("that limits the rate is asked again after the wait it names", async () => {
    api.faults.push(says(429, "slow down", { "retry-after": "2" }));
    const { action, waits } = testAction({ kubeconfig });
    expect((await action.execute(INTENT, TRACKER, calm())).status).toBe("applied");
    expect(waits).toEqual([2_000]);
  });

  it("whose object changes under the hand is read again", async () => {
    const touch: Fault = () => {
      (api.object().metadata as Record<string, unknown>).resourceVersion = "101";
      return false;
    };
    api.faults.push(undefined, touch);
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome.status).toBe("applied");
    expect(api.asked.map(({ method }) => method)).toEqual(["GET", "PATCH", "GET", "PATCH"]);
    expect(api.rollouts).toHaveLength(1);
  });

  it("whose object never holds still has certainly done nothing", async () => {
    const conflict = says(409, "the object has been modified");
    api.faults.push(undefined, conflict, undefined, conflict, undefined, conflict);
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "failed", httpStatus: 409 });
    expect(outcome.detail).toContain("the object changed meanwhile");
    expect(api.rollouts).toEqual([]);
  });

  it("that is away has certainly done nothing", async () => {
    await api.stop();
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "failed", httpStatus: undefined });
    expect(outcome.detail).toMatch(/not sent: .*ECONNREFUSED.*after 3 attempts$/);
  });

  it("whose answer is endless is not read to the end", async () => {
    const endless: Fault = (_asked, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
      return true;
    };
    api.faults.push(endless);
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "refused" });
    expect(outcome.detail).toBe("not restarted: the answer is over the cap of 65536 bytes");
    expect(api.rollouts).toEqual([]);
  });

  it("that accepts the change and does not show it is not believed", async () => {
    api.faults.push(undefined, (_asked, response) => {
      response.end(JSON.stringify(api.object()));
      return true;
    });
    const outcome = await testAction({ kubeconfig }).action.execute(INTENT, TRACKER, calm());
    expect(outcome).toMatchObject({ status: "unknown", httpStatus: 200 });
  });
});
