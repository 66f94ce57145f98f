/** The port is taken or cannot be had. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly host: string;
  readonly port: number;
  constructor(host: string, port: number, cause: NodeJS.ErrnoException, flag = "--web.listen-address") {
    const what =
      cause.code === "EADDRINUSE"
        ? `port ${port} on ${host} is already in use`
        : `cannot listen on ${host}:${port} (${cause.code ?? cause.message})`;
    super(`${what}; choose another with ${flag}=HOST:PORT`, { cause });
    this.host = host;
    this.port = port;
  }
}
