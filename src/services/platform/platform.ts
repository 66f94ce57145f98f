import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { answersOk } from "../../common/net/exchange.ts";
import { listen } from "../../common/net/listen.ts";
import { DescriptorSink } from "../../common/telemetry/line-sink.ts";
import { LOG_FILE_MAX_BYTES } from "../../common/telemetry/logger.ts";
import { keepRunning, type ManagedChild } from "./child.ts";

/** Where a service listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One service of the platform as `helius up` starts it. */
export interface PlatformService {
  readonly name: string;
  readonly port: number;
  /** Variables that tell it of the others; `url` gives a service's base URL, undefined where it is not started. */
  readonly env: (url: (name: string) => string | undefined) => Readonly<Record<string, string | undefined>>;
}

const alone = () => ({});

/** The platform, each service after those it asks. A new one is a line here. */
export const PLATFORM: readonly PlatformService[] = [
  { name: "llm-assistant", port: 8003, env: alone },
  { name: "llm-assistant-secondary", port: 8004, env: alone },
  {
    name: "llm-router",
    port: 8002,
    env: (url) => ({
      LLM_ASSISTANT_URL: url("llm-assistant"),
      LLM_ASSISTANT_SECONDARY_URL: url("llm-assistant-secondary"),
    }),
  },
  // Nobody runs an MLflow here: it trains a model of its own.
  { name: "recommender-service", port: 8001, env: () => ({ RECOMMENDER_TRAIN_ON_START: "1" }) },
  { name: "telemetry-gateway", port: 8005, env: alone },
  {
    name: "product-api",
    port: 8000,
    env: (url) => ({ RECOMMENDER_URL: url("recommender-service"), LLM_ROUTER_URL: url("llm-router") }),
  },
];

export interface PlatformOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Services to start, and where. */
  readonly addresses: ReadonlyMap<string, Address>;
  /** Where the gateway listens for devices; 0: any free port. */
  readonly mqttPort: number;
  readonly dataDir: string;
  readonly logDir: string;
  /** Gets every line that a service prints. */
  readonly onLine: (service: string, line: string) => void;
  readonly print: (line: string) => void;
}

/** One service that was started, to take away and to bring back. */
interface ServiceProcess {
  /** Asks it to stop; with 0 ms it is made to at once. It stays down until `start`. */
  stop(waitMs?: number): Promise<void>;
  /** Starts it again, with these variables beside its own, and waits until it answers. */
  start(env?: Readonly<Record<string, string>>): Promise<void>;
}

export interface RunningPlatform {
  /** Base URLs by name. */
  readonly urls: ReadonlyMap<string, string>;
  readonly services: ReadonlyMap<string, ServiceProcess>;
  /** Files the services' JSON logs are in. */
  readonly logs: readonly string[];
  stop(): Promise<void>;
}

const STOP_MS = 8000;
/** Longest wait for all services to answer, milliseconds; who comes after them starts all the same. */
const START_MS = 20_000;

/**
 * Starts services as processes of their own and waits until they answer.
 * @throws ListenError naming the port that is taken and the flag that changes it.
 */
export async function startPlatform(options: PlatformOptions): Promise<RunningPlatform> {
  const wanted = PLATFORM.filter((s) => options.addresses.has(s.name));
  const at = (name: string) => options.addresses.get(name) as Address;
  for (const { name } of wanted) await checkFree(at(name), `--${name}.listen-address=HOST:PORT`);
  if (options.addresses.has("telemetry-gateway"))
    await checkFree({ host: at("telemetry-gateway").host, port: options.mqttPort }, "--mqtt.port=PORT");
  const urls = new Map(wanted.map(({ name }) => [name, `http://${at(name).host}:${at(name).port}`]));
  const children = new Map<string, ManagedChild>();
  const sinks: DescriptorSink[] = [];
  const stop = async () => {
    await Promise.all([...children.values()].map((child) => child.stop(STOP_MS)));
    for (const sink of sinks) sink.close();
  };
  const logs: string[] = [];
  for (const { name, env } of wanted) {
    const { host, port } = at(name);
    const log = join(options.logDir, `${name}.log`);
    const sink = DescriptorSink.onFile(log, { maxBytes: LOG_FILE_MAX_BYTES });
    logs.push(log);
    sinks.push(sink);
    children.set(
      name,
      keepRunning({
        args: ["service", name, `--web.listen-address=${host}:${port}`],
        env: {
          FAULT_INJECTION: "1",
          GATEWAY_MQTT_PORT: `${options.mqttPort}`,
          ...env((other) => urls.get(other)),
          ...options.env,
          HELIUS_DATA_DIR: join(options.dataDir, name),
          LOG_FILE: "",
          PORT: undefined,
          // Six services cannot share one address, and the monitor that calls them is on this machine.
          ADMIN_LISTEN_ADDRESS: undefined,
        },
        onLine: (line) => {
          sink.write(`${line}\n`);
          options.onLine(name, line);
        },
        onExit: (how, againMs) =>
          options.print(`${name} ended (${how}); starting it again in ${againMs / 1000} s`),
      }),
    );
  }
  await Promise.all([...urls.values()].map((url) => answers(`${url}/health`)));
  const services = new Map(
    [...children].map(([name, child]) => [name, control(child, urls.get(name) ?? "")]),
  );
  return { urls, services, logs, stop };
}

function control(child: ManagedChild, url: string): ServiceProcess {
  return {
    stop: (waitMs = STOP_MS) => child.stop(waitMs),
    async start(env = {}) {
      child.start(env);
      await answers(`${url}/health`);
    },
  };
}

/** Waits until a service answers, within bounds: the monitor's first look should not be at a closed door. */
async function answers(url: string): Promise<void> {
  const end = performance.now() + START_MS;
  while (performance.now() < end && !(await answersOk(url, 500))) await sleep(50);
}

/** Better a clear word now than a child that cannot start. */
async function checkFree({ host, port }: Address, settings: string): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  await listen(probe, { host, port, settings });
  await new Promise((resolve) => probe.close(resolve));
}
