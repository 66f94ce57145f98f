import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { isObject } from "../../../common/net/json.ts";

type Json = Record<string, unknown>;

export interface KubernetesStandIn {
  readonly url: string;
  stop(): Promise<void>;
}

/** Largest patch that is read, bytes. */
const MAX_BODY = 65_536;

/**
 * Stands in for a Kubernetes API server, as far as a rollout restart needs one: reads and patches of deployments, with
 * bearer token, strategic merge of maps and optimistic locking. A changed pod template restarts what the deployment is.
 * It is no cluster: there are no pods, and nothing is scheduled.
 * @param options.deployments what to restart, by `namespace/name`.
 */
export async function startKubernetesStandIn(options: {
  readonly token: string;
  readonly deployments: ReadonlyMap<string, () => void>;
}): Promise<KubernetesStandIn> {
  const objects = new Map(
    [...options.deployments.keys()].map((path): [string, Json] => [path, deployment(path)]),
  );
  const server = createServer((request, response) => {
    answer(request, objects).then(
      ({ status, body, restart }) => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
        if (restart !== undefined) options.deployments.get(restart)?.();
      },
      () => void response.destroy(),
    );
  });

  async function answer(request: IncomingMessage, known: Map<string, Json>): Promise<Reply> {
    if (request.headers.authorization !== `Bearer ${options.token}`) return refusal(401, "Unauthorized");
    const path = /^\/apis\/apps\/v1\/namespaces\/([^/?]+)\/deployments\/([^/?]+)(?:\?|$)/.exec(
      request.url ?? "",
    );
    const name = `${path?.[1]}/${path?.[2]}`;
    const object = known.get(name);
    if (object === undefined) return refusal(404, `deployments "${name}" not found`);
    if (request.method === "GET") return { status: 200, body: object };
    if (request.method !== "PATCH") return refusal(405, "the server does not allow this method");
    if (request.headers["content-type"] !== "application/strategic-merge-patch+json")
      return refusal(415, "expected application/strategic-merge-patch+json");
    const patch = await read(request);
    if (patch === undefined) return refusal(400, "the patch is no JSON object");
    return patched({ known, name, object, patch });
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Reply {
  readonly status: number;
  readonly body: Json;
  /** The deployment whose template changed. */
  readonly restart?: string;
}

function patched(change: { known: Map<string, Json>; name: string; object: Json; patch: Json }): Reply {
  const { known, name, object, patch } = change;
  const before = mapOf(object.metadata);
  const wanted = mapOf(patch.metadata).resourceVersion;
  if (wanted !== undefined && wanted !== before.resourceVersion)
    return refusal(409, "the object has been modified; please apply your changes to the latest version");
  const next = merged(object, patch);
  const rollout = JSON.stringify(next.spec) !== JSON.stringify(object.spec);
  next.metadata = {
    ...mapOf(next.metadata),
    resourceVersion: String(Number(before.resourceVersion) + 1),
    generation: Number(before.generation) + (rollout ? 1 : 0),
  };
  known.set(name, next);
  return { status: 200, body: next, ...(rollout ? { restart: name } : {}) };
}

function deployment(path: string): Json {
  const [namespace, name] = path.split("/");
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, resourceVersion: "1", generation: 1, annotations: {} },
    spec: {
      replicas: 1,
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name, image: name }] } },
    },
  };
}

/** Maps are merged, `null` removes, everything else is replaced. */
function merged(into: Json, from: Json): Json {
  const result: Json = { ...into };
  for (const [key, value] of Object.entries(from)) {
    if (value === null) delete result[key];
    else result[key] = isObject(value) ? merged(mapOf(result[key]), value) : value;
  }
  return result;
}

function mapOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

function refusal(code: number, message: string): Reply {
  return { status: code, body: { kind: "Status", apiVersion: "v1", status: "Failure", message, code } };
}

async function read(request: IncomingMessage): Promise<Json | undefined> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_BODY) return undefined;
  }
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

/** A kubeconfig file for the stand-in. */
export function kubeconfigOf(url: string, token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "drill",
    clusters: [{ name: "drill", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "monitor", user: { token } }],
    contexts: [{ name: "drill", context: { cluster: "drill", user: "monitor" } }],
  });
}
