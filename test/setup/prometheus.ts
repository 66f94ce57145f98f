import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, waitFor } from "./ports.ts";

export interface PrometheusOptions {
  /** Path of the `prometheus` program. */
  readonly binary: string;
  /** Text of `prometheus.yml`. */
  readonly config: string;
  /** Further files beside it, by name: rules, for example. */
  readonly files?: Readonly<Record<string, string>>;
  /** Default: a free one. */
  readonly port?: number;
  /** Further command-line flags. */
  readonly flags?: readonly string[];
  /** Puts blocks into the data folder before the start. */
  readonly prepare?: (dataFolder: string) => void;
  /** Default 20 000 ms. */
  readonly readyTimeoutMs?: number;
}

export interface RunningPrometheus {
  readonly url: string;
  readonly pid: number;
  /** Sends a signal without waiting; `SIGSTOP` makes it accept and never answer. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, waits for the end, removes the data. */
  stop(): Promise<void>;
  /** SIGKILL, waits for the end, removes the data. */
  kill(): Promise<void>;
}

/** Starts a real Prometheus on loopback with a data folder of its own, and waits until it is ready. */
export async function startPrometheus(options: PrometheusOptions): Promise<RunningPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), "helius-prometheus-"));
  const port = options.port ?? (await freePort());
  for (const [name, text] of Object.entries({ ...options.files, "prometheus.yml": options.config })) {
    writeFileSync(join(folder, name), text);
  }
  options.prepare?.(join(folder, "data"));
  const args = [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=warn",
    ...(options.flags ?? []),
  ];
  const child = spawn(options.binary, args, { stdio: ["ignore", "ignore", "pipe"] });
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
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await waitFor(() => ready(child, url), {
      what: "Prometheus to be ready",
      timeoutMs: options.readyTimeoutMs ?? 20_000,
    });
  } catch (error) {
    await end("SIGKILL");
    throw new Error(`${error instanceof Error ? error.message : error}\n${log}`);
  }
  return {
    url,
    pid: child.pid ?? 0,
    signal: (name) => child.kill(name),
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

async function ready(child: ChildProcess, url: string): Promise<boolean> {
  if (!isRunning(child)) throw new Error("Prometheus ended before it was ready");
  try {
    return (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
