export { freePort } from "../../src/lab/ports.ts";

export interface WaitOptions {
  /** What is waited for, for the message when it does not come. */
  readonly what: string;
  /** Default 60 000 ms: it only ends what has failed. */
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
