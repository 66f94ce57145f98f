import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { waitFor } from "../../setup/ports.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

/** One JSON line of a log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly message?: string; readonly ts?: string };

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Spawned {
  readonly pid: number;
  /** The JSON lines of standard output so far, parsed. */
  readonly lines: readonly LogLine[];
  stdout(): string;
  stderr(): string;
  readonly exited: Promise<Exit>;
  running(): boolean;
  signal(name: NodeJS.Signals): void;
  /** Closes our end of its standard output: what it writes from then on breaks. */
  closeStdout(): void;
  /** Sends a signal, waits for the end; fails when that takes longer than `limitMs`. */
  end(name: NodeJS.Signals, limitMs?: number): Promise<Exit & { readonly tookMs: number }>;
  /** SIGKILL without fail, and waits. */
  destroy(): Promise<void>;
  /** The first line with this message (and for which `also` holds), waiting for it. */
  line(
    message: string,
    options?: { also?: (line: LogLine) => boolean; timeoutMs?: number },
  ): Promise<LogLine>;
  /** The lines with this message so far. */
  all(message: string): LogLine[];
}

export interface SpawnOptions {
  readonly args: readonly string[];
  /** Beside PATH; nothing else of the test's own environment reaches the process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Starts `node src/main.ts …` as a process of its own. */
export function spawnHelius({ args, env = {}, cwd }: SpawnOptions): Spawned {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "", pending: "" };
  const lines: LogLine[] = [];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output.stdout += chunk;
    const parts = (output.pending + chunk).split("\n");
    output.pending = parts.pop() ?? "";
    for (const part of parts) if (part.startsWith("{")) lines.push(JSON.parse(part) as LogLine);
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    output.stderr += chunk;
  });
  // "close" comes once both outputs have been read to their end.
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  exited.catch(() => {});
  const running = () => isRunning(child);
  const told = () => `it said:\n${output.stderr.slice(-2000)}${output.stdout.slice(-2000)}`;
  return {
    pid: child.pid ?? 0,
    lines,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exited,
    running,
    signal: (name) => void child.kill(name),
    closeStdout: () => void child.stdout.destroy(),
    async end(name, limitMs = 30_000) {
      const began = performance.now();
      child.kill(name);
      await waitFor(() => !running(), {
        what: `${args[0]} to end after ${name}; ${told()}`,
        timeoutMs: limitMs,
      });
      return { ...(await exited), tookMs: performance.now() - began };
    },
    async destroy() {
      if (running()) child.kill("SIGKILL");
      await exited.catch(() => undefined);
    },
    line: (message, { also = () => true, timeoutMs = 60_000 } = {}) =>
      waitFor(
        () => {
          const found = lines.find((line) => line.message === message && also(line));
          if (found === undefined && !running())
            throw new Error(`helius ${args.join(" ")} has ended; ${told()}`);
          return found;
        },
        { what: `"${message}" in the log of helius ${args[0]}`, timeoutMs },
      ),
    all: (message) => lines.filter((line) => line.message === message),
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Runs a command that ends by itself. Fails when it does not within `limitMs`. */
export async function runHelius(
  options: SpawnOptions & { readonly limitMs?: number },
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const spawned = spawnHelius(options);
  try {
    await waitFor(() => !spawned.running(), {
      what: `helius ${options.args.join(" ")} to end`,
      timeoutMs: options.limitMs ?? 60_000,
    });
    const { code } = await spawned.exited;
    return { code, stdout: spawned.stdout(), stderr: spawned.stderr() };
  } finally {
    await spawned.destroy();
  }
}

/** Process ids of the living descendants of a process, from /proc. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = statOf(Number(entry));
    if (stat !== undefined && stat.state !== "Z") parents.set(Number(entry), stat.parent);
  }
  const found: number[] = [];
  for (let grew = true; grew; ) {
    grew = false;
    for (const [child, parent] of parents) {
      if (found.includes(child) || !(parent === pid || found.includes(parent))) continue;
      found.push(child);
      grew = true;
    }
  }
  return found;
}

/** Whether a process lives; one that only waits to be collected does not. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.state !== "Z";
}

function statOf(pid: number): { state: string; parent: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may itself hold spaces and parentheses.
    const [state = "", parent = ""] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
