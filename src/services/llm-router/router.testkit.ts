import { afterEach, beforeEach } from "vitest";
import { WebSocket } from "ws";
import { createRegistry } from "../../common/telemetry/registry.ts";
import { capturedLog, eventually, type LogLine, temporaryDirectory } from "../kit/kit.testkit.ts";
import type { RunningService } from "../kit/service.ts";
import { startTestAssistant, type TestAssistant } from "./assistant.testkit.ts";
import { llmRouter } from "./service.ts";

/** For tests only: a router with two assistants, started afresh for each test of the file that calls `useRouter`. */
export interface RouterBench {
  readonly primary: TestAssistant;
  readonly secondary: TestAssistant;
  readonly url: string;
  /** Log of the present router. */
  readonly lines: readonly LogLine[];
  /** Stops the router and starts it on the same data. */
  restart(env?: Record<string, string>): Promise<void>;
  /** Starts a further router on the same data. */
  start(env: Record<string, string>): Promise<RunningService>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answered>;
  get(path: string): Promise<Answered>;
  admin(path: string): Promise<Answered>;
  metrics(): Promise<string>;
  /** Connects to `/ws`; rejects when the upgrade is refused. */
  socket(query?: string): Promise<Client>;
}

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly json: { readonly [name: string]: unknown; readonly jobId: string };
}

interface Message {
  readonly event: string;
  readonly seq?: number;
  readonly [name: string]: unknown;
}

export interface Client {
  readonly socket: WebSocket;
  readonly messages: Message[];
  /** The code it was closed with. */
  readonly closed: Promise<number>;
  send(message: unknown): void;
  /** The first message with this event, once it is there. */
  next(event: string): Promise<Message>;
}

/** Registers the hooks of a test file. The bench is to be used inside tests only. */
export function useRouter(): RouterBench {
  const bench = new Bench();
  beforeEach(() => bench.open());
  afterEach(() => bench.close());
  return bench;
}

class Bench implements RouterBench {
  #dir: ReturnType<typeof temporaryDirectory> | undefined;
  #router: RunningService | undefined;
  readonly #clients: Client[] = [];
  lines: LogLine[] = [];
  primary!: TestAssistant;
  secondary!: TestAssistant;

  async open(): Promise<void> {
    this.#dir = temporaryDirectory();
    [this.primary, this.secondary] = await Promise.all([startTestAssistant(), startTestAssistant()]);
    this.#router = await this.start({});
  }

  async close(): Promise<void> {
    for (const { socket } of this.#clients.splice(0)) socket.terminate();
    await this.#router?.close();
    await Promise.all([this.primary.close(), this.secondary.close()]);
    this.#dir?.remove();
  }

  get url(): string {
    return this.#router?.url ?? "";
  }

  async restart(env: Record<string, string> = {}): Promise<void> {
    await this.#router?.close();
    this.#router = await this.start(env);
  }

  start(env: Record<string, string>): Promise<RunningService> {
    const log = capturedLog();
    this.lines = log.lines;
    return llmRouter.start({
      version: "1.0.0",
      host: "127.0.0.1",
      port: 0,
      adminTokens: ["t"],
      logger: log.logger,
      registry: createRegistry({ processMetrics: false }),
      dataDir: this.#dir?.path ?? "",
      faultInjection: true,
      env: {
        LLM_ASSISTANT_URL: this.primary.url,
        LLM_ASSISTANT_SECONDARY_URL: `${this.secondary.url}/`,
        LLM_ASSISTANT_TIMEOUT_MS: "1000",
        ...env,
      },
    });
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    return this.#call(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  get(path: string): Promise<Answered> {
    return this.#call(path, {});
  }

  admin(path: string): Promise<Answered> {
    return this.#call(`/admin/${path}`, { method: "POST", headers: { "x-admin-token": "t" } });
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.url}/metrics`)).text();
  }

  async socket(query = ""): Promise<Client> {
    const ws = new WebSocket(`${this.url.replace("http", "ws")}/ws${query}`);
    const messages: Message[] = [];
    ws.on("message", (data) => messages.push(JSON.parse(String(data)) as Message));
    const closed = new Promise<number>((resolve) => ws.once("close", resolve));
    await new Promise((resolve, reject) => {
      ws.once("open", resolve);
      ws.once("error", reject);
    });
    ws.on("error", () => undefined);
    const client: Client = {
      socket: ws,
      messages,
      closed,
      send: (message) => ws.send(typeof message === "string" ? message : JSON.stringify(message)),
      next: (event) => eventually(() => messages.find((message) => message.event === event)),
    };
    this.#clients.push(client);
    return client;
  }

  async #call(path: string, init: RequestInit): Promise<Answered> {
    const response = await fetch(`${this.url}${path}`, init);
    return {
      status: response.status,
      headers: response.headers,
      json: (await response.json()) as Answered["json"],
    };
  }
}
