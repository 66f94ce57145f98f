import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type KubernetesStandIn,
  kubeconfigOf,
  startKubernetesStandIn,
} from "../../src/lab/drill/stand-ins/kubernetes.ts";
import { createRolloutRestart } from "../../src/monitor/actions/rollout-restart/index.ts";
import type { Intent } from "../../src/monitor/kernel/action.ts";

// The stand-in for a cluster, held against the action that restarts workloads in a real one.

const folder = mkdtempSync(join(tmpdir(), "helius-cluster-"));
const dispatcher = new Agent();
let cluster: KubernetesStandIn;
let restarts: number;

beforeEach(async () => {
  restarts = 0;
  cluster = await startKubernetesStandIn({
    token: "t",
    deployments: new Map([["helius/mlflow-tracker", () => void restarts++]]),
  });
});
afterEach(async () => {
  await cluster.stop();
  rmSync(join(folder, "kubeconfig"), { force: true });
});

function action(token = "t") {
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, kubeconfigOf(cluster.url, token));
  return createRolloutRestart({
    kubeconfig,
    context: undefined,
    attemptTimeoutMs: 5_000,
    totalTimeoutMs: 10_000,
    retry: { maxAttempts: 2, baseMs: 10, maxMs: 20 },
    maxResponseBytes: 65_536,
    random: () => 0.5,
    sleep: async () => {},
    dispatcher,
  });
}

const intent = (id: string, wallMs: number): Intent => ({
  id,
  kind: "rollout-restart",
  target: "helius/deployment/mlflow-tracker",
  signal: "MlflowUnreachable",
  trigger: "alert",
  predictor: "alertmanager",
  epoch: 1,
  at: { wallMs, monoMs: 1 },
  bootId: "b",
});
const instance = (name: string) => ({ name, url: `kubernetes://helius/deployment/${name}` });
const signal = AbortSignal.timeout(60_000);

test("a restart happens once an intent, and is known afterwards", async () => {
  const restart = action();
  const first = intent("one", 1_700_000_000_000);
  expect(await restart.reconcile(first, instance("mlflow-tracker"), signal)).toMatchObject({
    status: "failed",
  });
  expect(await restart.execute(first, instance("mlflow-tracker"), signal)).toMatchObject({
    status: "applied",
  });
  expect(await restart.execute(first, instance("mlflow-tracker"), signal)).toMatchObject({
    status: "already_applied",
  });
  expect(await restart.reconcile(first, instance("mlflow-tracker"), signal)).toMatchObject({
    status: "already_applied",
  });
  expect(restarts).toBe(1);
  const second = intent("two", 1_700_000_060_000);
  expect(await restart.execute(second, instance("mlflow-tracker"), signal)).toMatchObject({
    status: "applied",
  });
  expect(restarts).toBe(2);
});

test("an unknown deployment and a wrong token are refused", async () => {
  const first = intent("one", 1_700_000_000_000);
  expect(await action().execute(first, instance("nobody"), signal)).toMatchObject({ status: "refused" });
  expect(await action("wrong").execute(first, instance("mlflow-tracker"), signal)).toMatchObject({
    status: "refused",
  });
  expect(restarts).toBe(0);
});

test("what the API server refuses, it refuses", async () => {
  const url = `${cluster.url}/apis/apps/v1/namespaces/helius/deployments/mlflow-tracker`;
  const ask = async (init: RequestInit) =>
    (await fetch(url, { ...init, headers: { authorization: "Bearer t", ...init.headers } })).status;
  const merge = { "content-type": "application/strategic-merge-patch+json" };
  expect(await ask({ method: "DELETE" })).toBe(405);
  expect(await ask({ method: "PATCH", body: "{}", headers: { "content-type": "text/plain" } })).toBe(415);
  expect(await ask({ method: "PATCH", body: "[]", headers: merge })).toBe(400);
  const stale = JSON.stringify({ metadata: { resourceVersion: "0" } });
  expect(await ask({ method: "PATCH", body: stale, headers: merge })).toBe(409);
  // A patch beside the template restarts nothing.
  const label = JSON.stringify({ metadata: { labels: { a: "b" } } });
  expect(await ask({ method: "PATCH", body: label, headers: merge })).toBe(200);
  expect(restarts).toBe(0);
});
