import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface ManagedChild {
  /** Asks it to stop, waits, and after `waitMs` makes it. */
  stop(waitMs: number): Promise<void>;
}

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** A run this long counts as well: the next restart is quick again, milliseconds. */
const SETTLED_MS = 30_000;

/**
 * Runs one of our own commands as a process of its own and starts it again when it dies, as a container would be.
 * @param options.onLine gets each line it prints.
 */
export function keepRunning(options: {
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  onLine: (line: string) => void;
  onExit: (how: string, againMs: number) => void;
}): ManagedChild {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let waitMs = FIRST_WAIT_MS;

  function start(): void {
    const began = performance.now();
    // Its own process group: Ctrl-C reaches us alone, and we stop it in order.
    child = spawn(process.execPath, [MAIN, ...options.args], {
      env: { ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr])
      if (stream !== null) createInterface({ input: stream }).on("line", options.onLine);
    child.once("exit", (code, signal) => {
      child = undefined;
      if (stopping) return;
      if (performance.now() - began > SETTLED_MS) waitMs = FIRST_WAIT_MS;
      options.onExit(signal ?? `exit code ${code}`, waitMs);
      timer = setTimeout(start, waitMs);
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    });
  }

  // Should we ourselves be made to exit, nothing is left behind.
  process.once("exit", () => child?.kill("SIGKILL"));
  start();
  return {
    async stop(limitMs) {
      stopping = true;
      clearTimeout(timer);
      const running = child;
      if (running === undefined || running.exitCode !== null) return;
      const gone = new Promise<void>((resolve) => running.once("exit", () => resolve()));
      running.kill("SIGTERM");
      const force = setTimeout(() => running.kill("SIGKILL"), limitMs);
      await gone;
      clearTimeout(force);
    },
  };
}
