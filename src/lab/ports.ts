import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below what Linux (from 32768) and macOS (from 49152) give to connections that go out: a server that is started again
 * on its port does not find a stranger's connection there.
 */
const FIRST = 15_000;
const BEYOND = 32_000;
const TRIES = 100;

/** A TCP port on loopback that was free a moment ago. @throws Error when a hundred were taken */
export async function freePort(): Promise<number> {
  for (let n = 0; n < TRIES; n += 1) {
    const port = randomInt(FIRST, BEYOND);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port among ${TRIES} from ${FIRST} to ${BEYOND - 1} on 127.0.0.1`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
