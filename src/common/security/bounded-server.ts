import { createServer, type RequestListener, type Server } from "node:http";
import { keepRoom } from "./crowd.ts";

/** Longest path with query, characters. */
const MAX_URL_CHARS = 4_096;
/** All headers of a request together, bytes. */
const MAX_HEADER_BYTES = 16_384;

const TOO_LONG = JSON.stringify({
  error: "the URL is too long",
  expected: `at most ${MAX_URL_CHARS} characters`,
});

/** How long a client may take; milliseconds. */
export interface ServerPatience {
  /** For its headers. */
  readonly headersMs: number;
  /** For its whole request. */
  readonly requestMs: number;
  /** Between two requests of one connection. */
  readonly keepAliveMs: number;
  /** Without a byte either way, e.g. of a client that does not read its answer. */
  readonly silenceMs: number;
}

/**
 * A server that one bad client cannot hold up: who is slow with its headers or its body is answered 408 within a second
 * of its time, headers over 16 KiB are answered 431, a URL over 4,096 characters 414, and connections are bounded.
 */
export function createBoundedServer(options: {
  readonly patience: ServerPatience;
  readonly maxConnections: number;
  /** Where given, who comes when `maxConnections` are there, or so many of one address, takes the place of another. */
  readonly maxPerAddress?: number;
  readonly handler: RequestListener;
}): Server {
  const { patience, handler } = options;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: patience.headersMs,
      requestTimeout: patience.requestMs,
      keepAliveTimeout: patience.keepAliveMs,
      // Node looks every 30 s by default, so that a limit of 10 s would be one of 40 s.
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => {
      // A server that stops would otherwise serve a busy connection for ever.
      if (!server.listening) response.setHeader("connection", "close");
      if ((request.url?.length ?? 0) <= MAX_URL_CHARS) {
        handler(request, response);
        return;
      }
      response.writeHead(414, { "content-type": "application/json", connection: "close" }).end(TOO_LONG);
    },
  );
  server.setTimeout(patience.silenceMs);
  const { maxConnections, maxPerAddress } = options;
  server.maxConnections = maxConnections;
  if (maxPerAddress !== undefined) {
    server.maxConnections = 1.5 * maxConnections;
    keepRoom(server, { inAll: maxConnections, perAddress: maxPerAddress });
  }
  return server;
}

/** How often connections without a request are looked for while a server stops, milliseconds. */
const IDLE_LOOK_MS = 50;

/** Stops accepting and lets requests in flight end, at most for `limitMs`; then cuts off the rest. */
export function drainServer(server: Server, limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS);
    const cut = setTimeout(() => server.closeAllConnections(), limitMs);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
  });
}
