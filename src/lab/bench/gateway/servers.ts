import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort, waitFor } from "../../../../test/setup/ports.ts";
import { findServers, type ServerName } from "../../../../test/setup/servers.ts";
import { type Started, startProcess } from "./processes.ts";

/** Path of a server program. Throws with what to do when it is missing. */
export function programOf(name: ServerName): string {
  const { found, missing } = findServers([name]);
  const path = found[name];
  if (path !== undefined) return path;
  throw new Error(`${name} is missing: ${missing[0]?.howToInstall ?? ""}`);
}

export interface NatsProcess {
  readonly process: Started;
  readonly url: string;
  /** Port of its MQTT listener. */
  readonly mqttPort: number;
}

/** A NATS server with JetStream and an MQTT listener, for one run. */
export async function startNats(options: {
  readonly program: string;
  readonly directory: string;
  readonly core?: number | undefined;
  readonly port?: number;
}): Promise<NatsProcess> {
  const [port, mqttPort] = [options.port ?? (await freePort()), await freePort()];
  mkdirSync(options.directory, { recursive: true });
  const file = join(options.directory, "nats.conf");
  writeFileSync(
    file,
    [
      `listen: "127.0.0.1:${port}"`,
      'server_name: "bench"',
      `jetstream { store_dir: "${join(options.directory, "store")}" }`,
      `mqtt { listen: "127.0.0.1:${mqttPort}", max_ack_pending: 10000 }`,
    ].join("\n"),
  );
  const started = startProcess({ command: options.program, args: ["-c", file], core: options.core });
  await reachable(port, started);
  await reachable(mqttPort, started);
  return { process: started, url: `nats://127.0.0.1:${port}`, mqttPort };
}

export interface MosquittoProcess {
  readonly process: Started;
  readonly port: number;
}

/** A mosquitto that keeps its sessions and queues on disk and drops nothing. */
export async function startMosquitto(options: {
  readonly program: string;
  readonly directory: string;
  readonly core?: number | undefined;
  readonly port?: number;
}): Promise<MosquittoProcess> {
  const port = options.port ?? (await freePort());
  mkdirSync(options.directory, { recursive: true, mode: 0o777 });
  const file = join(options.directory, "mosquitto.conf");
  writeFileSync(
    file,
    [
      `listener ${port} 127.0.0.1`,
      "allow_anonymous true",
      "persistence true",
      `persistence_location ${options.directory}/`,
      "user root",
      "max_inflight_messages 1000",
      "max_queued_messages 0",
      "",
    ].join("\n"),
  );
  const started = startProcess({ command: options.program, args: ["-c", file], core: options.core });
  await reachable(port, started);
  return { process: started, port };
}

async function reachable(port: number, started: Started): Promise<void> {
  await waitFor(
    () => {
      if (started.child.exitCode !== null) throw new Error(`the server ended:\n${started.output()}`);
      return new Promise<boolean>((resolve) => {
        const socket = connect(port, "127.0.0.1");
        socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
        socket.once("connect", () => socket.destroy());
      });
    },
    { what: `a server on port ${port}`, timeoutMs: 20_000 },
  );
}
