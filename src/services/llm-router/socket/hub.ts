import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { Gauge, type Registry } from "prom-client";
import { WebSocketServer } from "ws";
import { createSiteCheck } from "../../../common/security/site.ts";
import type { JobLog } from "../jobs/types.ts";
import { Connection } from "./connection.ts";
import { MAX_MESSAGE_BYTES, readTarget } from "./messages.ts";

/** Connections at the same time; more are refused. */
const MAX_CONNECTIONS = 1_000;
/** How long a client may take to answer the closing of the connection, milliseconds. */
const CLOSING_MS = 500;
const GOING_AWAY = 1001;

export interface HubOptions {
  readonly server: Server;
  readonly log: JobLog;
  readonly registry: Registry;
  /** Pause between two pings, milliseconds. A client that is silent for two of them is cut off. */
  readonly pingMs: number;
  /** Names that browsers call the router by, and those of other sites whose pages may connect. Default: none. */
  readonly hosts?: readonly string[];
  readonly maxConnections?: number;
}

/** The WebSocket side of the router: `/ws`. */
export class SocketHub {
  readonly #options: HubOptions;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  readonly #connections = new Set<Connection>();
  readonly #site: ReturnType<typeof createSiteCheck>;
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #closing = false;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#site = createSiteCheck({ names: options.hosts ?? [], setting: "LLM_ROUTER_ALLOWED_HOSTS" });
    options.server.on("upgrade", this.#upgrade);
    this.#stopListening = options.log.onEvent((event) => {
      for (const connection of this.#connections) connection.deliver(event);
    });
    this.#timer = setInterval(() => {
      for (const connection of this.#connections) connection.beat();
    }, options.pingMs);
    const connections = this.#connections;
    new Gauge({
      name: "llm_router_websocket_connections",
      help: "WebSocket clients that are connected.",
      registers: [options.registry],
      collect() {
        this.set(connections.size);
      },
    });
  }

  /** Says goodbye to every client, and cuts off who does not answer. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    this.#stopListening();
    this.#options.server.off("upgrade", this.#upgrade);
    const clients = [...this.#sockets.clients];
    const gone = clients.map(
      (client) => new Promise<void>((resolve) => client.once("close", () => resolve())),
    );
    for (const client of clients) client.close(GOING_AWAY, "the router stops");
    const timer = setTimeout(() => {
      for (const client of clients) client.terminate();
    }, CLOSING_MS);
    await Promise.all(gone);
    clearTimeout(timer);
    this.#sockets.close();
  }

  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    const target = readTarget(request.url ?? "");
    if (!target.ok) {
      refuse(socket, target.status, { ...target.problem, error: target.problem.message });
      return;
    }
    // A program names no origin; a page of another site could read along here, and a socket knows no CORS.
    const { headers } = request;
    const foreign =
      headers.origin === undefined ? undefined : (this.#site.host(headers) ?? this.#site.origin(headers));
    if (foreign !== undefined) {
      refuse(socket, 403, { error: foreign.message });
      return;
    }
    if (this.#closing || this.#connections.size >= (this.#options.maxConnections ?? MAX_CONNECTIONS)) {
      refuse(socket, 503, { error: "too many connections; try again later" });
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      const connection = new Connection(client, this.#options.log);
      this.#connections.add(connection);
      client.once("close", () => this.#connections.delete(connection));
      if (target.subscribe !== undefined) {
        void connection.subscribe(target.subscribe.jobId, target.subscribe.after);
      }
    });
  };
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  503: "Service Unavailable",
};

/** Answers an upgrade request with a status and JSON, as the other routes do. */
function refuse(socket: Duplex, status: number, body: Readonly<Record<string, unknown>>): void {
  const { message: _same, ...shown } = body;
  const text = JSON.stringify(shown);
  socket.end(
    `HTTP/1.1 ${status} ${REASONS[status]}\r\ncontent-type: application/json\r\nconnection: close\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
