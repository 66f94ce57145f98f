import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { freePort, waitFor } from "../setup/ports.ts";

export interface RunningNats {
  readonly url: string;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a real nats-server with JetStream on loopback, and waits until it takes connections. */
export async function startNats(options: {
  readonly binary: string;
  readonly dataDir: string;
}): Promise<RunningNats> {
  const port = await freePort();
  mkdirSync(options.dataDir, { recursive: true });
  let child: ChildProcess;
  const start = async () => {
    const args = ["-a", "127.0.0.1", "-p", `${port}`, "-js", "-sd", options.dataDir];
    child = spawn(options.binary, args, { stdio: "ignore" });
    await waitFor(() => child.exitCode === null && answers(port), { what: "nats-server to answer" });
  };
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    kill: () => end("SIGKILL"),
    restart: start,
    stop: () => end("SIGTERM"),
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, "127.0.0.1");
    probe.once("error", () => resolve(false));
    probe.once("data", () => {
      probe.destroy();
      resolve(true);
    });
  });
}
