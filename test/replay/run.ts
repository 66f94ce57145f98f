import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed. */
  readonly stdin?: string;
}

/** Runs `node src/main.ts replay …` to its end; nothing of the test's own environment but PATH reaches it. */
export function runReplayCommand({ args, cwd, env = {}, stdin = "" }: RunOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, "replay", ...args], {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      timeout: 120_000,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
    // The command may end before it has read everything.
    child.stdin.on("error", () => {});
    child.stdin.end(stdin);
  });
}

export type Line = Readonly<Record<string, unknown>>;

/** The objects of JSON output. */
export function linesOf(ran: Ran): Line[] {
  return ran.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

/** The action objects of JSON output. */
export function actionsOf(ran: Ran): Line[] {
  return linesOf(ran).filter((line) => line.type === "action");
}
