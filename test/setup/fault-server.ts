import { createServer, type Server, type Socket } from "node:net";

/** How the server treats one exchange: raw bytes, so that it can break HTTP in any way. */
export interface Exchange {
  /** Request line and headers. */
  readonly head: string;
  /** Request body, as far as it has a Content-Length. */
  readonly body: string;
  readonly socket: Socket;
  /** Number of this exchange since the server started, from 1. */
  readonly count: number;
}

export type FaultHandler = (exchange: Exchange) => void;

export interface FaultServer {
  readonly url: string;
  readonly port: number;
  /** Exchanges seen so far. */
  requests(): number;
  /** Changes the behaviour from the next exchange on. */
  behave(handler: FaultHandler): void;
  close(): Promise<void>;
}

/** A TCP server on loopback that reads HTTP requests and answers with whatever bytes the handler writes. */
export async function startFaultServer(initial: FaultHandler): Promise<FaultServer> {
  let handler = initial;
  let count = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let pending: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (;;) {
        const exchange = take(pending);
        if (!exchange) return;
        pending = exchange.rest;
        count += 1;
        handler({ head: exchange.head, body: exchange.body, socket, count });
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fault server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    requests: () => count,
    behave: (next) => {
      handler = next;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function take(pending: Buffer): { head: string; body: string; rest: Buffer } | undefined {
  const end = pending.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = pending.toString("latin1", 0, end);
  const length = Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? 0);
  const from = end + 4;
  if (pending.length < from + length) return undefined;
  return { head, body: pending.toString("utf8", from, from + length), rest: pending.subarray(from + length) };
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A complete, correct answer. */
export function respond(answer: Answer): FaultHandler {
  return ({ socket }) => write(socket, answer);
}

/** A complete, correct answer of type JSON. */
export function respondJson(body: unknown, status = 200): FaultHandler {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return respond({ status, headers: { "content-type": "application/json" }, body: text });
}

/** Accepts and never answers. */
export function hang(): FaultHandler {
  return () => {};
}

/** Promises the body and then sends one byte at a time. `everyMs`: pause between bytes. */
export function drip({ body, everyMs }: { body: string; everyMs: number }): FaultHandler {
  return ({ socket }) => {
    socket.write(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    let at = 0;
    const timer = setInterval(() => {
      if (socket.destroyed || at >= body.length) return clearInterval(timer);
      socket.write(body.charAt(at));
      at += 1;
    }, everyMs);
    socket.on("close", () => clearInterval(timer));
  };
}

/** Promises the body, sends half of it and ends the connection. */
export function truncate(body: string, contentType = "application/json"): FaultHandler {
  return ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${contentType}\r\ncontent-length: ${body.length}\r\n\r\n`);
    socket.end(body.slice(0, Math.floor(body.length / 2)));
  };
}

/** Streams `bytes` bytes in chunks without naming a length, as fast as the reader takes them. */
export function flood({ bytes, contentType }: { bytes: number; contentType: string }): FaultHandler {
  return ({ socket }) => {
    const chunk = Buffer.alloc(64 * 1024, " ");
    const framed = Buffer.concat([
      Buffer.from(`${chunk.length.toString(16)}\r\n`),
      chunk,
      Buffer.from("\r\n"),
    ]);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${contentType}\r\ntransfer-encoding: chunked\r\n\r\n`);
    let left = bytes;
    const more = (): void => {
      while (left > 0 && !socket.destroyed) {
        left -= chunk.length;
        if (!socket.write(framed)) {
          socket.once("drain", more);
          return;
        }
      }
      if (!socket.destroyed) socket.write("0\r\n\r\n");
    };
    more();
  };
}

/** Ends the connection without a word. */
export function reset(): FaultHandler {
  return ({ socket }) => {
    socket.resetAndDestroy();
  };
}

function write(socket: Socket, { status = 200, headers = {}, body = "" }: Answer): void {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const lines = Object.entries({ "content-length": String(bytes.length), ...headers });
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Status\r\n${text}\r\n`), bytes]));
}
