import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const runner = fileURLToPath(new URL("./run-gateway.ts", import.meta.url));

/** A process of the benchmark or of a test, with what it printed last. */
export interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  output(): string;
}

/** Starts a program; with `core`, on that core alone (Linux). */
export function startProcess(options: {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly core?: number | undefined;
}): Started {
  const pinned = options.core === undefined ? [] : ["taskset", "-c", String(options.core)];
  const [command = "", ...args] = [...pinned, options.command, ...options.args];
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const keep = (chunk: Buffer) => {
    text = (text + chunk.toString("utf8")).slice(-20_000);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  return { child, exited, output: () => text };
}

/** Asks a process to stop, and makes it after five seconds. */
export async function stopProcess(started: Started): Promise<void> {
  if (started.child.exitCode !== null || started.child.signalCode !== null) return;
  started.child.kill("SIGTERM");
  const timer = setTimeout(() => started.child.kill("SIGKILL"), 5_000);
  await started.exited;
  clearTimeout(timer);
}

export interface GatewayProcessOptions {
  readonly httpPort: number;
  readonly mqttPort: number;
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly core?: number | undefined;
}

/** The gateway as a process of its own. */
export function startGateway(options: GatewayProcessOptions): Started {
  return startProcess({
    command: process.execPath,
    args: [runner, `127.0.0.1:${options.httpPort}`],
    env: {
      HELIUS_DATA_DIR: options.dataDir,
      GATEWAY_MQTT_PORT: String(options.mqttPort),
      ADMIN_TOKEN: "t",
      ...options.env,
    },
    core: options.core,
  });
}

/** Processor time a process has used so far, seconds (Linux). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Sum of the series of a metric whose labels contain `labels`. */
export function sumOf(page: string, metric: string, labels = ""): number {
  let sum = 0;
  for (const line of page.split("\n")) {
    if (!line.startsWith(`${metric}{`) && !line.startsWith(`${metric} `)) continue;
    if (!line.includes(labels)) continue;
    sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}
