import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { Intent } from "../../kernel/action.ts";
import type { Instance } from "../../kernel/target.ts";
import { actionKinds } from "../index.ts";
import { testAttempts } from "./attempts.testkit.ts";
import type { ActionPlugin } from "./context.ts";
import { createServiceAction, type ServiceActionSettings } from "./service.ts";

/** A call that really arrived. */
interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a service behaves on one call. */
export type Manner = (response: ServerResponse, call: Arrived, request: IncomingMessage) => void;

export interface TestService {
  readonly url: string;
  readonly instance: Instance;
  readonly arrived: readonly Arrived[];
  /** Stops listening and drops every connection. */
  stop(): Promise<void>;
}

/** A really listening service: its nth call is treated in the nth manner, every further one in the last. */
export async function startService(...manners: readonly Manner[]): Promise<TestService> {
  const arrived: Arrived[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const call = { method, url, headers, body: Buffer.concat(chunks).toString("utf8") };
      arrived.push(call);
      manners[Math.min(arrived.length, manners.length) - 1]?.(response, call, request);
    });
    request.on("error", () => {});
  });
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
  const url = `http://127.0.0.1:${port}`;
  return { url, instance: { name: `127.0.0.1:${port}`, url, adminUrl: url }, arrived, stop };
}

/** Answers with a status and a JSON body. */
export function answering(
  status: number,
  body: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): Manner {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

export const DONE = { reset_latency: true, freed_chunks: 1 };
export const done: Manner = answering(200, DONE);
/** Reads the call and never answers. */
export const silent: Manner = () => {};
/** Reads the call and resets the connection, as a process does that dies after taking effect. */
export const reset: Manner = (_response, _call, request) => request.socket.resetAndDestroy();

export const INTENT: Intent = {
  id: "intent-1",
  kind: "mitigate",
  target: "product-api",
  signal: "p95_latency",
  trigger: "strong",
  predictor: "linear",
  forecast: 6500,
  threshold: 5000,
  epoch: 42,
  at: { wallMs: 1_700_000_000_000, monoMs: 5 },
  bootId: "boot-1",
};

/** The action under test; its waits take no time, but count against the deadline. */
export function testAction(more: Partial<ServiceActionSettings> = {}, kind = "mitigate") {
  const { attempts, waits } = testAttempts();
  const action = createServiceAction(actionKinds.get(kind) as ActionPlugin, {
    tokens: () => ["the-token"],
    attemptTimeoutMs: 2_000,
    totalTimeoutMs: 10_000,
    ...attempts,
    ...more,
  });
  return { action: { ...action, close: () => attempts.dispatcher.destroy() }, waits };
}

/** A signal that nobody aborts. */
export const calm = (): AbortSignal => new AbortController().signal;
