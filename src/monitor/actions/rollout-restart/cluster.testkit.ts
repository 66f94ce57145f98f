import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { isObject } from "../../../common/net/json.ts";
import type { Intent } from "../../kernel/action.ts";
import { testAttempts } from "../shared/attempts.testkit.ts";
import { createRolloutRestart, type RolloutRestartSettings } from "./index.ts";

type Json = Record<string, unknown>;

/** A request as it arrived. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly contentType: string | undefined;
  readonly body: Json | undefined;
}

/** Does something else with a request than the API server would; false: leaves it to it. */
export type Fault = (asked: Asked, response: ServerResponse, request: IncomingMessage) => boolean;

export interface TestApi {
  readonly url: string;
  readonly asked: Asked[];
  /** Objects by their path; a test may put others there. */
  readonly objects: Map<string, Json>;
  /** Times a template changed: what makes a controller restart pods. */
  readonly rollouts: string[];
  /** The next faults, one a request; then none. */
  readonly faults: (Fault | undefined)[];
  object(path?: string): Json;
  /** Stops listening and drops every connection. */
  stop(): Promise<void>;
}

export const TOKEN = "service-account-token";
export const MLFLOW = "/apis/apps/v1/namespaces/helius/deployments/mlflow-tracker";

/** A workload as a cluster keeps it. */
export function workload(kind: string, name: string, spec: Json = {}): Json {
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: {
      name,
      namespace: "helius",
      resourceVersion: "100",
      generation: 1,
      annotations: { "deployment.kubernetes.io/revision": "3" },
    },
    spec: {
      replicas: 2,
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name, image: `${name}:1` }] },
      },
      ...spec,
    },
    status: { readyReplicas: 2 },
  };
}

/**
 * An HTTP server with the API server's paths for workloads: bearer token, 401/403/404 as `Status`, strategic merge of
 * maps, optimistic locking by `resourceVersion`, generation and rollout when the spec changes.
 */
export async function startApi(tls?: { readonly key: string; readonly cert: string }): Promise<TestApi> {
  const state = { version: 100 };
  const asked: Asked[] = [];
  const objects = new Map<string, Json>([[MLFLOW, workload("Deployment", "mlflow-tracker")]]);
  const rollouts: string[] = [];
  const faults: (Fault | undefined)[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {});
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const one: Asked = {
        method: request.method ?? "",
        url: request.url ?? "",
        contentType: request.headers["content-type"],
        body: text === "" ? undefined : (JSON.parse(text) as Json),
      };
      asked.push(one);
      if (faults.shift()?.(one, response, request) === true) return;
      if (request.headers.authorization !== `Bearer ${TOKEN}`) fail(response, 401, "Unauthorized");
      else answer({ one, response, objects, rollouts, state });
    });
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  onTestFinished(stop);
  const url = `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const object = (path = MLFLOW) => objects.get(path) as Json;
  return { url, asked, objects, rollouts, faults, object, stop };
}

interface Exchange {
  readonly one: Asked;
  readonly response: ServerResponse;
  readonly objects: Map<string, Json>;
  readonly rollouts: string[];
  readonly state: { version: number };
}

function answer(exchange: Exchange): void {
  const { one, response, objects } = exchange;
  const path = one.url.split("?")[0] ?? "";
  const object = objects.get(path);
  if (object === undefined) fail(response, 404, `${path} not found`);
  else if (one.method === "GET") send(response, 200, object);
  else if (one.method !== "PATCH") fail(response, 405, "method not allowed");
  else if (one.contentType !== "application/strategic-merge-patch+json")
    fail(response, 415, "unsupported media type");
  else patch(exchange, path, object);
}

/** Applies a patch as the API server does; exported effects are seen by the next GET. */
function patch({ one, response, objects, rollouts, state }: Exchange, path: string, object: Json): void {
  const wanted = (one.body?.metadata as Json | undefined)?.resourceVersion;
  const metadata = object.metadata as Json;
  if (wanted !== undefined && wanted !== metadata.resourceVersion) {
    fail(response, 409, "the object has been modified; please apply your changes to the latest version");
    return;
  }
  const next = merged(object, one.body ?? {});
  const specChanged = JSON.stringify(next.spec) !== JSON.stringify(object.spec);
  const nextMetadata = next.metadata as Json;
  if (JSON.stringify(next) !== JSON.stringify(object)) {
    state.version += 1;
    nextMetadata.resourceVersion = String(state.version);
  }
  if (specChanged) {
    nextMetadata.generation = Number(metadata.generation) + 1;
    rollouts.push(path);
  }
  objects.set(path, next);
  send(response, 200, next);
}

/** Maps are merged, `null` removes, everything else is replaced. */
function merged(into: Json, from: Json): Json {
  const result: Json = structuredClone(into);
  for (const [key, value] of Object.entries(from)) {
    const there = result[key];
    if (value === null) delete result[key];
    else if (isObject(value)) result[key] = merged(isObject(there) ? there : {}, value);
    else result[key] = value;
  }
  return result;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** Answers as the API server does when it refuses. */
export function fail(response: ServerResponse, status: number, message: string): void {
  send(response, status, { kind: "Status", apiVersion: "v1", status: "Failure", message, code: status });
}

/** A lost answer: the server carries the request out, and its answer never arrives. */
export const lostAfter: Fault = (_asked, response, request) => {
  response.write = () => true;
  response.end = (() => request.socket.resetAndDestroy()) as never;
  return false;
};
/** The request never arrives. */
export const lostBefore: Fault = (_asked, _response, request) => {
  request.socket.resetAndDestroy();
  return true;
};
/** Never answers. */
export const hangs: Fault = () => true;
/** Answers like this instead. */
export const says =
  (status: number, message = "no", headers: Record<string, string> = {}): Fault =>
  (_asked, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    fail(response, status, message);
    return true;
  };

/** A kubeconfig for the server, with contexts `here` (current) and `elsewhere`. */
export function kubeconfigText(server: string, user: Json = { token: TOKEN }, cluster: Json = {}): string {
  const insecure = server.startsWith("http:") ? { "insecure-skip-tls-verify": true } : {};
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "here",
    clusters: [
      { name: "here", cluster: { server, ...insecure, ...cluster } },
      { name: "elsewhere", cluster: { server: "http://127.0.0.1:1", "insecure-skip-tls-verify": true } },
    ],
    users: [{ name: "monitor", user }],
    contexts: [
      { name: "here", context: { cluster: "here", user: "monitor" } },
      { name: "elsewhere", context: { cluster: "elsewhere", user: "monitor" } },
    ],
  });
}

/** A file of a folder that goes when the test ends. */
export function temporaryFile(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "helius-kube-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

export const INTENT: Intent = {
  id: "intent-1",
  kind: "rollout-restart",
  target: "helius/deployment/mlflow-tracker",
  signal: "alert",
  trigger: "strong",
  predictor: "alert",
  epoch: 42,
  at: { wallMs: 1_700_000_000_000, monoMs: 5 },
  bootId: "boot-1",
};

/** The action under test; its waits take no time, but count against the deadline. */
export function testAction(more: Partial<RolloutRestartSettings> = {}) {
  const { attempts, waits } = testAttempts();
  const action = createRolloutRestart({
    kubeconfig: undefined,
    context: undefined,
    attemptTimeoutMs: 5_000,
    totalTimeoutMs: 20_000,
    ...attempts,
    ...more,
  });
  return { action, waits };
}
