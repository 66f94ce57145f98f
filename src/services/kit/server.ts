import type { RequestListener, Server, ServerResponse } from "node:http";
import { createBoundedServer } from "../../common/security/bounded-server.ts";

/** Servers whose handler comes later; until then they answer 503. */
export interface ServerSlot {
  /** The public one. */
  readonly server: Server;
  readonly inFlight: ReadonlySet<ServerResponse>;
  /** A further server with the same handler. */
  another(): Server;
  install(handler: RequestListener): void;
  readonly all: readonly Server[];
}

const PATIENCE = { headersMs: 10_000, requestMs: 30_000, keepAliveMs: 15_000, silenceMs: 60_000 };
const MAX_CONNECTIONS = 4_096;

export function createSlot(): ServerSlot {
  let handler: RequestListener = (_request, response) => {
    response.writeHead(503, { "content-type": "application/json", "retry-after": "1" });
    response.end('{"error":"the service is starting"}');
  };
  const inFlight = new Set<ServerResponse>();
  const all: Server[] = [];
  const another = () => {
    const server = createBoundedServer({
      patience: PATIENCE,
      maxConnections: MAX_CONNECTIONS,
      handler: (request, response) => {
        inFlight.add(response);
        response.once("close", () => inFlight.delete(response));
        handler(request, response);
      },
    });
    all.push(server);
    return server;
  };
  return {
    server: another(),
    inFlight,
    another,
    all,
    install(next) {
      handler = next;
    },
  };
}

/** Stops accepting, lets requests in flight end within `drainMs`, then cuts off the rest. Answers how many that were. */
export async function stopServer(options: {
  readonly slot: ServerSlot;
  readonly drainMs: number;
}): Promise<number> {
  const { all, inFlight } = options.slot;
  const closed = Promise.all(
    all.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
  for (const response of inFlight) {
    if (!response.headersSent) response.setHeader("connection", "close");
    // A connection that is kept alive would hold the server open after its answer.
    response.once("close", () =>
      setImmediate(() => {
        for (const server of all) server.closeIdleConnections();
      }),
    );
  }
  let cutOff = 0;
  const timer = setTimeout(() => {
    cutOff = inFlight.size;
    for (const server of all) server.closeAllConnections();
  }, options.drainMs);
  await closed;
  clearTimeout(timer);
  return cutOff;
}
