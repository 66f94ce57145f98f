import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { waitFor } from "./ports.ts";

export interface DaemonOptions {
  /** For messages, e.g. `Prometheus`. */
  readonly name: string;
  readonly binary: string;
  readonly args: readonly string[];
  /** Removed when the daemon has ended. */
  readonly folder: string;
  /** Base URL; the daemon is ready when `/-/ready` below it answers 2xx. */
  readonly url: string;
  /** Default 20 000 ms. */
  readonly readyTimeoutMs?: number;
}

export interface RunningDaemon {
  readonly url: string;
  readonly pid: number;
  /** Sends a signal without waiting; `SIGSTOP` makes it accept and never answer. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, waits for the end, removes the data. */
  stop(): Promise<void>;
  /** SIGKILL, waits for the end, removes the data. */
  kill(): Promise<void>;
}

/** Starts a server of the Prometheus family and waits until it is ready. Throws with the end of its log otherwise. */
export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  const child = spawn(options.binary, options.args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString("utf8")).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      log += error.message;
      resolve();
    });
  });
  const end = async (name: NodeJS.Signals): Promise<void> => {
    if (isRunning(child)) child.kill(name);
    // A stopped process takes no SIGTERM until it goes on.
    if (isRunning(child) && name === "SIGTERM") child.kill("SIGCONT");
    await ended;
    rmSync(options.folder, { recursive: true, force: true });
  };
  try {
    await waitFor(() => ready(child, options), {
      what: `${options.name} to be ready`,
      timeoutMs: options.readyTimeoutMs ?? 20_000,
    });
  } catch (error) {
    await end("SIGKILL");
    throw new Error(`${error instanceof Error ? error.message : error}\n${log}`);
  }
  return {
    url: options.url,
    pid: child.pid ?? 0,
    signal: (name) => child.kill(name),
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

async function ready(child: ChildProcess, { name, url }: DaemonOptions): Promise<boolean> {
  if (!isRunning(child)) throw new Error(`${name} ended before it was ready`);
  try {
    return (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
