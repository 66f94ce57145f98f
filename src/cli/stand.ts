import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startMonitor } from "../monitor/app/monitor.ts";
import type { ConfigInput } from "../monitor/config/load.ts";
import type { Config } from "../monitor/config/types.ts";
import { createNarrator } from "../monitor/report/narrate.ts";
import { startDevices } from "../services/load-generator/devices.ts";
import { startLoad } from "../services/load-generator/load.ts";
import { type Address, type RunningPlatform, startPlatform } from "../services/platform/platform.ts";
import { withTargets } from "./with-targets.ts";

export interface UpOptions {
  readonly config: ConfigInput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Services to start, and where. */
  readonly addresses: ReadonlyMap<string, Address>;
  /** Where the gateway listens for devices that speak MQTT. */
  readonly mqttPort: number;
  /** Requests a second of customers, messages a second of devices. */
  readonly loadRate: number;
  readonly deviceRate: number;
  readonly dataDir: string;
  /** `pretty`: a story for a person; `json`: every log line on standard output. */
  readonly format: "pretty" | "json";
  readonly colour: boolean;
  readonly print: (line: string) => void;
}

export interface RunningUp {
  readonly monitorUrl: string;
  /** Base URLs of the services by name. */
  readonly urls: ReadonlyMap<string, string>;
  readonly logDir: string;
  close(): Promise<void>;
}

/** Longest wait for requests of the load generators at a stop, milliseconds. */
const LOAD_STOP_MS = 1000;

/**
 * Everything on this machine, on embedded parts: the services as processes of their own, load that looks like
 * customers and devices, and the monitor.
 * @throws ListenError naming the port that is taken and the flag that changes it; ConfigError; StoreError
 */
export async function startUp(options: UpOptions): Promise<RunningUp> {
  const { dataDir, print } = options;
  const logDir = join(dataDir, "logs");
  mkdirSync(logDir, { recursive: true });
  const undo: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const platform = await startPlatform({
      env: options.env,
      addresses: options.addresses,
      mqttPort: options.mqttPort,
      dataDir,
      logDir,
      print,
      onLine: (_, line) => {
        if (options.format === "json" || !line.startsWith("{")) print(line);
        else narrateService(line, print);
      },
    });
    undo.push(() => platform.stop());
    startTraffic(platform, options, undo);
    const narrator = createNarrator({ write: print, colour: options.colour, now: Date.now });
    const monitor = await startMonitor({
      input: options.config,
      adjust: (config) => atHome(config, options, platform, logDir),
      reporters: options.format === "pretty" ? [narrator] : [],
      quiet: options.format === "pretty",
    });
    undo.push(() => monitor.close());
    return { monitorUrl: monitor.url, urls: platform.urls, logDir, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function startTraffic(platform: RunningPlatform, options: UpOptions, undo: (() => Promise<unknown>)[]): void {
  const bounded = (stop: () => Promise<unknown>) => () =>
    Promise.race([stop(), new Promise((resolve) => setTimeout(resolve, LOAD_STOP_MS).unref())]);
  const shop = platform.urls.get("product-api");
  if (shop !== undefined) {
    const load = startLoad({ baseUrl: shop, ratePerSecond: options.loadRate });
    undo.push(bounded(() => load.stop()));
  }
  const gateway = platform.urls.get("telemetry-gateway");
  if (gateway !== undefined) {
    const devices = startDevices({ gatewayUrl: gateway, messagesPerSecond: options.deviceRate });
    undo.push(bounded(() => devices.stop()));
  }
}

/** The configuration as it is on this machine: the targets that were started, data and logs where `up` put them. */
function atHome(config: Config, options: UpOptions, platform: RunningPlatform, logDir: string): Config {
  const targets = config.targets.flatMap((t) => {
    const url = platform.urls.get(t.name);
    if (url === undefined) return [];
    const admin = t.instances.some(({ adminUrl }) => adminUrl !== undefined) ? { adminUrl: url } : {};
    return [{ ...t, instances: [{ name: new URL(url).host, url, ...admin }] }];
  });
  return {
    ...withTargets(config, targets),
    dataDir: join(options.dataDir, "monitor"),
    log: { ...config.log, format: "json", file: config.log.file ?? join(logDir, "predictive-monitor.log") },
  };
}

const TOLD = new Set(["fault injected", "mitigation executed", "manual mitigation executed"]);

function narrateService(line: string, print: (line: string) => void): void {
  try {
    const { message, job, mode, ts } = JSON.parse(line) as Record<string, string>;
    if (message !== undefined && TOLD.has(message) && ts !== undefined)
      print(
        `${new Date(ts).toLocaleTimeString("en-GB")}  ${job}: ${message}${mode === undefined ? "" : ` (${mode})`}`,
      );
  } catch {
    print(line);
  }
}
