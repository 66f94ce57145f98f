import { createServer } from "node:net";

/** A TCP port on loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}

export interface WaitOptions {
  /** What is waited for, for the message when it does not come. */
  readonly what: string;
  /** Default 10 000 ms. */
  readonly timeoutMs?: number;
  /** Default 50 ms. */
  readonly everyMs?: number;
}

/** Polls until `probe` gives something other than undefined or false; throws after the time limit. */
export async function waitFor<T>(
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { what, timeoutMs = 60_000, everyMs = 50 }: WaitOptions,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
