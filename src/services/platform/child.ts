import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface ManagedChild {
  /** Asks it to stop, waits, and after `waitMs` makes it. It stays down until `start`. */
  stop(waitMs: number): Promise<void>;
  /** Starts it after a stop, with these variables beside its own. Does nothing while it runs. */
  start(env?: Readonly<Record<string, string>>): void;
  /** Sends a signal to the process; false when it does not run. */
  signal(name: NodeJS.Signals): boolean;
}

/** Should we ourselves be made to exit, nothing is left behind. */
const living = new Set<ChildProcess>();
process.once("exit", () => living.forEach((child) => void child.kill("SIGKILL")));

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** A run this long counts as well: the next restart is quick again, milliseconds. */
const SETTLED_MS = 30_000;

/**
 * Runs one of our own programs as a process of its own and starts it again when it dies, as a container would be.
 * @param options.onLine gets each line it prints.
 */
export function keepRunning(options: {
  /** Default: `src/main.ts`. */
  program?: string;
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  onLine: (line: string) => void;
  onExit: (how: string, againMs: number) => void;
}): ManagedChild {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let waitMs = FIRST_WAIT_MS;
  let further: Readonly<Record<string, string>> = {};

  function launch(): void {
    const began = performance.now();
    // Its own process group: Ctrl-C reaches us alone, and we stop it in order.
    child = spawn(process.execPath, [options.program ?? MAIN, ...options.args], {
      env: { ...options.env, ...further },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const started = child;
    living.add(started);
    for (const stream of [started.stdout, started.stderr])
      if (stream !== null) createInterface({ input: stream }).on("line", options.onLine);
    started.once("exit", (code, signal) => {
      living.delete(started);
      child = undefined;
      if (stopping) return;
      if (performance.now() - began > SETTLED_MS) waitMs = FIRST_WAIT_MS;
      options.onExit(signal ?? `exit code ${code}`, waitMs);
      timer = setTimeout(launch, waitMs);
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    });
  }

  launch();
  return {
    signal: (name) => child?.kill(name) ?? false,
    start(env = {}) {
      if (!stopping) return;
      stopping = false;
      further = env;
      launch();
    },
    async stop(limitMs) {
      stopping = true;
      clearTimeout(timer);
      const running = child;
      if (running === undefined || running.exitCode !== null) return;
      const gone = new Promise<void>((resolve) => running.once("exit", () => resolve()));
      running.kill("SIGTERM");
      // One that was stopped by a signal takes SIGTERM only once it goes on.
      running.kill("SIGCONT");
      const force = setTimeout(() => running.kill("SIGKILL"), limitMs);
      await gone;
      clearTimeout(force);
    },
  };
}
