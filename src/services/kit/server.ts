import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { PortInUseError } from "./errors.ts";

/** A server whose handler comes later; until then it answers 503. */
export interface ServerSlot {
  readonly server: Server;
  readonly inFlight: ReadonlySet<ServerResponse>;
  install(handler: RequestListener): void;
}

export function createSlot(): ServerSlot {
  let handler: RequestListener = (_request, response) => {
    response.writeHead(503, { "content-type": "application/json", "retry-after": "1" });
    response.end('{"error":"the service is starting"}');
  };
  const inFlight = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    inFlight.add(response);
    response.once("close", () => inFlight.delete(response));
    if (!server.listening) response.setHeader("connection", "close");
    handler(request, response);
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  server.keepAliveTimeout = 15_000;
  server.maxConnections = 4_096;
  return {
    server,
    inFlight,
    install(next) {
      handler = next;
    },
  };
}

/** Answers the port. Throws `PortInUseError` when it is taken. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new PortInUseError(host, port, error) : error);
    };
    server.once("error", failed);
    server.listen({ host, port }, () => {
      server.off("error", failed);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

/** Stops accepting, lets requests in flight end within `drainMs`, then cuts off the rest. Answers how many that were. */
export async function stopServer(options: {
  readonly slot: ServerSlot;
  readonly drainMs: number;
}): Promise<number> {
  const { server, inFlight } = options.slot;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const response of inFlight) {
    if (!response.headersSent) response.setHeader("connection", "close");
    // A connection that is kept alive would hold the server open after its answer.
    response.once("close", () => setImmediate(() => server.closeIdleConnections()));
  }
  let cutOff = 0;
  const timer = setTimeout(() => {
    cutOff = inFlight.size;
    server.closeAllConnections();
  }, options.drainMs);
  await closed;
  clearTimeout(timer);
  return cutOff;
}
