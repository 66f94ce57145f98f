import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const SCRIPT = fileURLToPath(new URL("./child.ts", import.meta.url));

/** A real process that holds a journal. */
export interface StoreProcess {
  /** Sends commands, one a line. */
  send(...lines: readonly string[]): void;
  /** The next line it says; fails when it ends without one. */
  next(): Promise<string>;
  /** Ends it with this signal and waits until it is gone; returns what it still said. */
  kill(signal: NodeJS.Signals): Promise<readonly string[]>;
  /** Closes its input and waits for its end. */
  end(): Promise<void>;
  readonly pid: number;
}

/** Starts a process on a journal, behind a command such as strace if given. It is killed when the test ends. */
export function startStoreProcess(from: {
  path: string;
  behind?: readonly string[];
  uid?: number;
}): StoreProcess {
  const [command = process.execPath, ...args] = [...(from.behind ?? []), process.execPath, SCRIPT, from.path];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"], uid: from.uid, detached: true });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  onTestFinished(() => void killGroup(child, "SIGKILL"));
  const said: string[] = [];
  const waiting: ((line: string | undefined) => void)[] = [];
  let over = false;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const waiter = waiting.shift();
    if (waiter) waiter(line);
    else said.push(line);
  });
  void ended.then(() => {
    over = true;
    for (const waiter of waiting) waiter(undefined);
  });
  // A killed child breaks the pipe that commands still go into.
  child.stdin.on("error", () => {});
  return {
    pid: child.pid ?? -1,
    send: (...lines) => void child.stdin.write(lines.map((line) => `${line}\n`).join("")),
    async next() {
      const ready = said.shift();
      if (ready !== undefined) return ready;
      const line = over
        ? undefined
        : await new Promise<string | undefined>((resolve) => waiting.push(resolve));
      if (line === undefined) throw new Error("the process ended without a word");
      return line;
    },
    async kill(signal) {
      killGroup(child, signal);
      await ended;
      return said.splice(0);
    },
    async end() {
      child.stdin.end();
      await ended;
    },
  };
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, signal);
}
