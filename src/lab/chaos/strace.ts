import { type ChildProcess, spawn } from "node:child_process";
import { waitFor } from "../../../test/setup/ports.ts";

/** A fault that the kernel seems to give: `strace` stands between a running process and its system calls. */
export interface Injection {
  /** System calls, with commas between them. */
  readonly calls: string;
  /** What becomes of them, as strace writes it: `error=ENOSPC`, `signal=KILL:when=3`. */
  readonly what: string;
}

export interface Tracer {
  /** Lets go of the process; its calls work again. */
  detach(): Promise<void>;
}

/** Attaches to a process that runs. Resolves once every call goes through the tracer. */
export async function inject(pid: number, { calls, what }: Injection): Promise<Tracer> {
  const args = [
    "-f",
    "-o",
    "/dev/null",
    "-p",
    String(pid),
    "-e",
    `trace=${calls}`,
    "-e",
    `inject=${calls}:${what}`,
  ];
  const child: ChildProcess = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await waitFor(() => /attached/.test(said) || child.exitCode !== null, {
    what: `strace to attach to ${pid}: ${said}`,
    timeoutMs: 60_000,
    everyMs: 5,
  });
  if (child.exitCode !== null && child.exitCode !== 0 && !/attached/.test(said))
    throw new Error(`strace cannot attach to ${pid}: ${said}`);
  return {
    async detach() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
      await ended;
    },
  };
}
