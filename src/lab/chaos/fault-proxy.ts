import { connect, createServer, type Server, type Socket } from "node:net";

/** What becomes of an exchange between the monitor and what stands behind the proxy. */
export const PROXY_FAULTS = [
  "swallow",
  "lose_answer",
  "drip",
  "slow_headers",
  "reset",
  "reset_after",
  "truncate",
  "garble",
  "redirect",
  "huge",
] as const;
export type ProxyFault = (typeof PROXY_FAULTS)[number];

export interface FaultProxy {
  readonly url: string;
  /** From the next request on; connections of before are closed. `hold`: mitigations wait in the proxy, all else passes. */
  set(mode: ProxyFault | "pass" | "hold"): void;
  /** From here on new requests pass; what is held stays held. */
  keepHeld(): void;
  /** Mitigations that wait. */
  held(): number;
  /** Lets them go on to the service; resolves with the first lines of their answers. */
  release(): Promise<string[]>;
  /** Requests that followed a redirect, and must not have: they would carry the token to anyone. */
  followed(): number;
  /** Requests that were met by the present fault. */
  met(): number;
}

const DRIP_EVERY_MS = 100;
const CHUNK = Buffer.alloc(64 * 1024, "x");

type Mode = ProxyFault | "pass" | "hold";

interface State {
  mode: Mode;
  met: number;
  followed: number;
  trap: string;
  readonly upstream: URL;
  readonly sockets: Set<Socket>;
  readonly held: { socket: Socket; request: Buffer }[];
}

/** A TCP proxy before `upstream`, between real processes. */
export async function startFaultProxy(
  upstream: string,
  onEnd: (undo: () => unknown) => void,
): Promise<FaultProxy> {
  const state: State = {
    mode: "pass",
    met: 0,
    followed: 0,
    trap: "",
    upstream: new URL(upstream),
    sockets: new Set(),
    held: [],
  };
  const trap = await listen(
    createServer((socket) => {
      state.followed += 1;
      socket.on("error", () => {}).destroy();
    }),
  );
  state.trap = `http://127.0.0.1:${trap.port}`;
  const proxy = await listen(createServer((socket) => serve(socket, state)));
  onEnd(() => {
    for (const socket of [...state.sockets, ...state.held.map((h) => h.socket)]) socket.destroy();
    trap.server.close();
    proxy.server.close();
  });
  const set = (mode: Mode): void => {
    state.mode = mode;
    state.met = 0;
    for (const socket of state.sockets) if (!state.held.some((h) => h.socket === socket)) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${proxy.port}`,
    set,
    keepHeld: () => set("pass"),
    held: () => state.held.length,
    release: () => Promise.all(state.held.splice(0).map(({ request }) => deliver(request, state.upstream))),
    followed: () => state.followed,
    met: () => state.met,
  };
}

function listen(server: Server): Promise<{ server: Server; port: number }> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("the proxy has no port"));
      else resolve({ server, port: address.port });
    });
  });
}

function serve(client: Socket, state: State): void {
  const { upstream, sockets } = state;
  sockets.add(client);
  client.on("close", () => sockets.delete(client)).on("error", () => client.destroy());
  const far = connect(Number(upstream.port), upstream.hostname);
  far.on("error", () => client.destroy()).on("close", () => client.end());
  client.on("close", () => far.destroy());
  client.on("data", (chunk: Buffer) => {
    const { mode } = state;
    if (mode === "hold" && chunk.toString("latin1", 0, 20).startsWith("POST /admin/mitigate")) {
      state.held.push({ socket: client, request: chunk });
      return;
    }
    if (mode !== "pass" && mode !== "hold") state.met += 1;
    if (mode === "swallow") return;
    if (mode === "reset") client.resetAndDestroy();
    else if (mode === "slow_headers")
      trickle(client, Buffer.from(`HTTP/1.1 200 OK\r\nx-slow: ${"x".repeat(9999)}`));
    else if (mode === "redirect")
      client.end(
        `HTTP/1.1 307 Elsewhere\r\nlocation: ${state.trap}/admin/mitigate\r\ncontent-length: 0\r\n\r\n`,
      );
    else far.write(chunk);
  });
  let flooding = false;
  far.on("data", (chunk: Buffer) => {
    if (state.mode !== "huge") answer(client, chunk, state.mode);
    else if (!flooding) flood(client);
    flooding = state.mode === "huge";
  });
}

/** The answer on its way back. */
function answer(client: Socket, chunk: Buffer, mode: Mode): void {
  if (mode === "lose_answer" || client.destroyed) return;
  if (mode === "reset_after") client.resetAndDestroy();
  else if (mode === "drip") trickle(client, chunk);
  else if (mode === "truncate") client.end(chunk.subarray(0, Math.floor(0.8 * chunk.length)));
  else if (mode === "garble") client.write(garbled(chunk));
  else client.write(chunk);
}

/** Headers as they were, every third byte of the body with its high bit set: no JSON and no text format. */
function garbled(chunk: Buffer): Buffer {
  const copy = Buffer.from(chunk);
  const head = copy.indexOf("\r\n\r\n");
  for (let at = head < 0 ? 0 : head + 4; at < copy.length; at += 3) copy[at] = (copy[at] ?? 0) | 0x80;
  return copy;
}

function trickle(socket: Socket, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at >= bytes.length) return clearInterval(timer);
    socket.write(bytes.subarray(at, at + 1));
    at += 1;
  }, DRIP_EVERY_MS);
  socket.on("close", () => clearInterval(timer));
}

function flood(socket: Socket): void {
  socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
  // One chunk a turn: a reader that has gone is only noticed between turns.
  const more = (): void => {
    if (socket.destroyed) return;
    if (socket.write(CHUNK)) setImmediate(more);
    else socket.once("drain", more);
  };
  more();
}

/** A request that is late by whatever it was held; its first answer line. */
function deliver(request: Buffer, upstream: URL): Promise<string> {
  return new Promise((resolve, reject) => {
    const far = connect(Number(upstream.port), upstream.hostname, () => far.write(request));
    far.once("data", (chunk: Buffer) => {
      resolve(chunk.toString("latin1").split("\r\n")[0] ?? "");
      far.destroy();
    });
    far.once("error", reject);
    far.setTimeout(30_000, () => far.destroy(new Error("the service did not answer a late call")));
  });
}
