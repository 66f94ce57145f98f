import type { Server } from "node:net";

/** Where a server is to listen, and what chooses another place, for the message when it cannot. */
export interface ListenOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Default `--web.listen-address=HOST:PORT`. */
  readonly settings?: string;
  /** Connections that may wait to be accepted; default 511. */
  readonly backlog?: number;
}

/** The port is taken or cannot be had; the message names what chooses another. */
class ListenError extends Error {
  override readonly name = "ListenError";
  readonly host: string;
  readonly port: number;

  constructor(at: ListenOptions, cause: NodeJS.ErrnoException) {
    const { host, port, settings = "--web.listen-address=HOST:PORT" } = at;
    const what =
      cause.code === "EADDRINUSE"
        ? `port ${port} on ${host} is already in use`
        : `cannot listen on ${host}:${port} (${cause.code ?? cause.message})`;
    super(`${what}; choose another with ${settings}`, { cause });
    this.host = host;
    this.port = port;
  }
}

/** Answers the port. Throws `ListenError`. */
export function listen(server: Server, at: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(new ListenError(at, error));
    server.once("error", failed);
    server.listen({ host: at.host, port: at.port, backlog: at.backlog ?? 511 }, () => {
      server.off("error", failed);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : at.port);
    });
  });
}
