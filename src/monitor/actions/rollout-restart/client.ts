import type { KubeConfig } from "@kubernetes/client-node";
import type { Dispatcher } from "undici";
import { errorMessage } from "../../kernel/text.ts";
import { callOnce, type Reply } from "../shared/call.ts";
import type { Workload } from "../shared/callees.ts";

/** Where the API server is and how to log in. */
export interface ClusterSettings {
  /** A kubeconfig file; undefined: the service account of the pod this runs in. */
  readonly kubeconfig: string | undefined;
  /** One of its contexts; undefined: its current one. */
  readonly context: string | undefined;
  /** Put before the path of the service account's files; for tests. */
  readonly serviceAccountRoot?: string | undefined;
}

/** One request to the API server. */
interface ApiCall {
  readonly workload: Workload;
  /** A strategic merge patch; undefined: the object is read. */
  readonly patch?: unknown;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly signal: AbortSignal;
  /** Makes the connections where the cluster asks for none of its own (no TLS settings, no proxy). */
  readonly dispatcher: Dispatcher;
}

export interface Cluster {
  call(call: ApiCall): Promise<Reply>;
}

/** Shown as the manager of the fields that were changed. */
const FIELD_MANAGER = "helius-self-heal";

type Library = typeof import("@kubernetes/client-node");

/**
 * The cluster of the settings, read afresh, so that rotated credentials are used at once. The library is loaded here and
 * not before. @throws Error saying what is wrong with the settings; never with a piece of the file, which holds secrets.
 */
export async function openCluster(settings: ClusterSettings): Promise<Cluster> {
  const { kubeconfig } = settings;
  if (kubeconfig === undefined && (process.env.KUBERNETES_SERVICE_HOST ?? "") === "") {
    throw new Error(
      "no cluster is configured: set actions.kubernetes.kubeconfig, or run in a pod with a service account",
    );
  }
  const library = await import("@kubernetes/client-node");
  const config = new library.KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster(settings.serviceAccountRoot ?? "");
  else loadFile(config, kubeconfig, settings.context);
  const server = config.getCurrentCluster()?.server?.replace(/\/+$/, "");
  if (server === undefined) throw new Error(`the kubeconfig ${kubeconfig} names no cluster for its context`);
  return { call: (call) => callApi({ library, config, server, call }) };
}

function loadFile(config: KubeConfig, file: string, context: string | undefined): void {
  try {
    config.loadFromFile(file);
  } catch (error) {
    throw new Error(`the kubeconfig ${file} cannot be used: ${withoutText(error)}`);
  }
  if (context !== undefined) {
    const known = config.getContexts().map(({ name }) => name);
    if (!known.includes(context)) {
      throw new Error(`the kubeconfig ${file} has no context ${context}; it has ${known.join(", ")}`);
    }
    config.setCurrentContext(context);
  }
  const user = config.getCurrentUser();
  if (user?.exec || (user?.authProvider && user.authProvider.config?.tokenFile === undefined)) {
    // A login program could hang or leave processes behind, and the monitor starts none.
    throw new Error(
      `the kubeconfig ${file} logs in by a program; use a token, a token file or a client certificate`,
    );
  }
}

/** What went wrong without the lines of the file, which an error of the parser quotes. */
function withoutText(error: unknown): string {
  const { code, reason, mark } = error as { code?: unknown; reason?: unknown; mark?: { line?: number } };
  if (typeof code === "string") return code;
  if (typeof reason === "string") return `${reason} in line ${(mark?.line ?? 0) + 1}`;
  return "it is not a kubeconfig";
}

interface Request {
  readonly library: Library;
  readonly config: KubeConfig;
  readonly server: string;
  readonly call: ApiCall;
}

/** Ends the library's part of a request: what the server said has been read by then, within bounds. */
class Answered extends Error {}

/**
 * The library builds the request and logs in; it is sent by our own call, which has a deadline, follows no redirect
 * and reads no more than it was told to.
 */
async function callApi({ library, config, server, call }: Request): Promise<Reply> {
  let reply: Reply | undefined;
  const send = async (request: InstanceType<Library["RequestContext"]>): Promise<never> => {
    const body = request.getBody();
    const own = request.getDispatcher();
    try {
      reply = await callOnce({
        dispatcher: own ?? call.dispatcher,
        method: call.patch === undefined ? "GET" : "PATCH",
        url: request.getUrl(),
        headers: { ...trimmed(request.getHeaders()), "user-agent": FIELD_MANAGER },
        body: typeof body === "string" ? body : undefined,
        timeoutMs: call.timeoutMs,
        maxResponseBytes: call.maxResponseBytes,
        signal: call.signal,
      });
    } finally {
      await own?.destroy();
    }
    throw new Answered();
  };
  const api = new library.AppsV1Api(
    library.createConfiguration({
      baseServer: new library.ServerConfiguration(server, {}),
      authMethods: { default: config },
      httpApi: library.wrapHttpLibrary({ send }),
    }),
  );
  try {
    await request(library, api, call);
  } catch (error) {
    if (!(error instanceof Answered)) return reply ?? notSent(`no login: ${errorMessage(error)}`);
  }
  return reply ?? notSent("the library sent nothing");
}

function notSent(detail: string): Reply {
  return { kind: "not_sent", detail, permanent: true };
}

/** A token file that ends with a line break would make a header that cannot be sent. */
function trimmed(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.trim()]));
}

/** The request for a kind of workload; its answer is not taken from the library. */
async function request(
  library: Library,
  api: InstanceType<Library["AppsV1Api"]>,
  { workload, patch }: ApiCall,
): Promise<void> {
  const { namespace, name, type } = workload;
  if (patch === undefined) {
    const read = {
      deployment: () => api.readNamespacedDeployment({ namespace, name }),
      statefulset: () => api.readNamespacedStatefulSet({ namespace, name }),
      daemonset: () => api.readNamespacedDaemonSet({ namespace, name }),
    };
    await read[type]();
    return;
  }
  const what = { namespace, name, body: patch, fieldManager: FIELD_MANAGER };
  const how = library.setHeaderOptions("Content-Type", library.PatchStrategy.StrategicMergePatch);
  const change = {
    deployment: () => api.patchNamespacedDeployment(what, how),
    statefulset: () => api.patchNamespacedStatefulSet(what, how),
    daemonset: () => api.patchNamespacedDaemonSet(what, how),
  };
  await change[type]();
}
