import { createHash } from "node:crypto";
import { Agent, request as send } from "node:http";
import { connect, type Socket } from "node:net";

/** What came of a flood. */
interface Flooded {
  readonly answered: number;
  readonly failed: number;
  readonly byStatus: Readonly<Record<number, number>>;
  /** Different bodies of 200 answers. */
  readonly bodies: number;
  readonly seconds: number;
}

export interface Flood {
  /** Ends it and tells what came of it. */
  stop(): Promise<Flooded>;
}

/** Asks for paths in turn, over so many connections at once, each as fast as it is answered, until told to stop. */
export function startFlood(options: {
  readonly url: string;
  readonly paths: readonly string[];
  readonly connections: number;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Address to call from; every one of 127.0.0.0/8 is ours. */
  readonly from?: string;
}): Flood {
  const { url, paths, connections, method = "GET", headers = {}, from } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const byStatus: Record<number, number> = {};
  const bodies = new Set<string>();
  let [answered, failed, asked, stopped] = [0, 0, 0, false];
  const startedMs = performance.now();
  const one = (path: string) =>
    new Promise<void>((resolve) => {
      const call = send(`${url}${path}`, { method, headers, agent, localAddress: from }, (answer) => {
        const hash = createHash("sha1");
        answer.on("data", (chunk: Buffer) => hash.update(chunk));
        answer.once("end", () => {
          const status = answer.statusCode ?? 0;
          answered += 1;
          byStatus[status] = (byStatus[status] ?? 0) + 1;
          if (status === 200) bodies.add(hash.digest("hex"));
          resolve();
        });
        answer.once("error", () => resolve());
      });
      call.once("error", () => {
        failed += 1;
        // Refused connections come back at once; asking again at once would only measure ourselves.
        setTimeout(resolve, 20);
      });
      call.end();
    });
  const worker = async () => {
    while (!stopped) {
      asked += 1;
      await one(paths[asked % paths.length] ?? "/");
    }
  };
  const workers = Array.from({ length: connections }, worker);
  return {
    async stop() {
      stopped = true;
      const seconds = (performance.now() - startedMs) / 1000;
      await Promise.race([Promise.all(workers), new Promise((resolve) => setTimeout(resolve, 5000))]);
      agent.destroy();
      return { answered, failed, byStatus, bodies: bodies.size, seconds };
    },
  };
}

/** A connection that sends what it is told, and what it got back by the time it was closed. */
export interface RawConnection {
  readonly socket: Socket;
  /** Once the other side has closed it. */
  readonly closed: Promise<{ readonly afterMs: number; readonly got: string }>;
}

/** Opens one to a base URL and sends the first text. */
export function openRaw(url: string, first: string): RawConnection {
  const { hostname, port } = new URL(url);
  const startedMs = performance.now();
  const socket = connect(Number(port), hostname);
  let got = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    got += chunk;
  });
  socket.on("error", () => {});
  socket.write(first);
  const closed = new Promise<{ afterMs: number; got: string }>((resolve) => {
    socket.once("close", () => resolve({ afterMs: performance.now() - startedMs, got }));
  });
  return { socket, closed };
}

/** How long one call takes, milliseconds; fails after `limitMs`. */
export async function timed(url: string, init: RequestInit = {}, limitMs = 10_000): Promise<number> {
  const startMs = performance.now();
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(limitMs) });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}`);
  return performance.now() - startMs;
}

/** One plain line with a figure that the project quotes. */
export function print(figure: string): void {
  process.stdout.write(`${figure}\n`);
}
