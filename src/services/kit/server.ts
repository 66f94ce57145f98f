import type { RequestListener, Server, ServerResponse } from "node:http";
import { createBoundedServer, drainServer } from "../../common/security/bounded-server.ts";

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
  const { slot, drainMs } = options;
  let cutOff = 0;
  const cut = setTimeout(() => {
    cutOff = slot.inFlight.size;
  }, drainMs);
  await Promise.all(slot.all.map((server) => drainServer(server, drainMs)));
  clearTimeout(cut);
  return cutOff;
}
