import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { waitFor } from "../setup/ports.ts";

const RUNNER = fileURLToPath(new URL("../services/run-service.ts", import.meta.url));

/** A Helius service as a process of its own. */
export interface ServiceProcess {
  readonly url: string;
  /** Log lines so far. */
  readonly lines: Readonly<Record<string, unknown>>[];
  /** Sends a signal and waits for the end. Answers the exit code; null after SIGKILL. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts a service and waits until it listens. */
export async function startProcess(options: {
  readonly name: string;
  /** HOST:PORT */
  readonly address: string;
  readonly env: Readonly<Record<string, string>>;
}): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [RUNNER, options.name, options.address], {
    env: { ...process.env, ADMIN_TOKEN: "t", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: Record<string, unknown>[] = [];
  let errors = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) lines.push(JSON.parse(line) as Record<string, unknown>);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000);
  });
  try {
    const listening = await waitFor(
      () => {
        if (child.exitCode !== null) throw new Error(`${options.name} ended: ${errors}`);
        return lines.find((line) => line.message === "service listening");
      },
      { what: `${options.name} to listen`, timeoutMs: 60_000, everyMs: 5 },
    );
    return {
      url: `http://127.0.0.1:${String(listening.port)}`,
      lines,
      end: (signal) => end(child, signal),
    };
  } catch (error) {
    await end(child, "SIGKILL");
    throw error;
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
  return child.exitCode;
}
