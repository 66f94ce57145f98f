import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { addressKey } from "./addresses.ts";

/** So long a connection has to say what it wants before it may be closed for another, milliseconds. */
const GRACE_MS = 250;
/** So many are closed for one that comes, so that a rush is caught up with. */
const AT_ONCE = 4;

/** Connections whose request came with a right token, while it is answered. */
const vouched = new WeakSet<Socket>();

/** The connection of a call with a right token is closed for nobody until its answer has ended. */
export function vouchFor(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  vouched.add(socket);
  response.once("close", () => vouched.delete(socket));
}

/**
 * Keeps a server reachable in a crowd: where there are too many connections, of one address or in all, not those who
 * come are turned away but the oldest of the address that has most, unless a right token stands behind it. So a new
 * call always finds a place, and has the time to say what it wants. `maxConnections` of the server stays the last
 * bound, for a rush that is faster than that.
 */
export function keepRoom(
  server: Server,
  limits: { readonly inAll: number; readonly perAddress: number },
): void {
  const byAddress = new Map<string, Map<Socket, number>>();
  let count = 0;
  const shed = (from: ReadonlyMap<Socket, number>, tooMany: number): void => {
    let left = Math.min(tooMany, AT_ONCE);
    const latestMs = performance.now() - GRACE_MS;
    // In the order in which they came.
    for (const [socket, sinceMs] of from) {
      if (left <= 0 || sinceMs > latestMs) return;
      if (vouched.has(socket)) continue;
      socket.destroy();
      left -= 1;
    }
  };
  server.on("connection", (socket: Socket) => {
    const key = addressKey(socket.remoteAddress ?? "unknown");
    const own = byAddress.get(key) ?? new Map<Socket, number>();
    byAddress.set(key, own.set(socket, performance.now()));
    count += 1;
    socket.once("close", () => {
      count -= 1;
      own.delete(socket);
      if (own.size === 0) byAddress.delete(key);
    });
    shed(own, own.size - limits.perAddress);
    if (count > limits.inAll) {
      let most = own;
      for (const other of byAddress.values()) if (other.size > most.size) most = other;
      shed(most, count - limits.inAll);
    }
  });
}
