import { appendFileSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { ConfigInput } from "../config/load.ts";
import type { Config } from "../config/types.ts";
import { ListenError } from "../http/server.ts";
import { createNarrator } from "../report/narrate.ts";
import { startLoad } from "../services/load-generator/load.ts";
import { keepRunning } from "./child.ts";
import { startMonitor } from "./monitor.ts";

export interface UpOptions {
  readonly config: ConfigInput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly productApi: { readonly host: string; readonly port: number };
  /** Requests a second. */
  readonly loadRate: number;
  readonly dataDir: string;
  /** `pretty`: a story for a person; `json`: every log line on standard output. */
  readonly format: "pretty" | "json";
  readonly colour: boolean;
  readonly print: (line: string) => void;
}

export interface RunningUp {
  readonly monitorUrl: string;
  readonly productApiUrl: string;
  /** Files the JSON logs are in. */
  readonly logs: readonly string[];
  close(): Promise<void>;
}

const STOP_MS = 8000;
/** Longest wait for the service to answer, milliseconds; the monitor starts all the same. */
const START_MS = 10_000;

/**
 * Everything on this machine, on embedded parts: product-api as a process of its own, a gentle load, and the monitor.
 * @throws ListenError naming the port that is taken and the flag that changes it; ConfigError; StoreError
 */
export async function startUp(options: UpOptions): Promise<RunningUp> {
  const { productApi, dataDir, print } = options;
  await checkFree(productApi.host, productApi.port, "--product-api.listen-address");
  const logDir = join(dataDir, "logs");
  mkdirSync(logDir, { recursive: true });
  const serviceLog = join(logDir, "product-api.log");
  const monitorLog = join(logDir, "predictive-monitor.log");
  const productApiUrl = `http://${productApi.host}:${productApi.port}`;
  const undo: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const service = keepRunning({
      args: ["service", "product-api", `--web.listen-address=${productApi.host}:${productApi.port}`],
      env: {
        FAULT_INJECTION: "1",
        ...options.env,
        HELIUS_DATA_DIR: join(dataDir, "product-api"),
        LOG_FILE: "",
      },
      onLine: (line) => {
        appendFileSync(serviceLog, `${line}\n`);
        if (options.format === "json" || !line.startsWith("{")) print(line);
        else narrateService(line, print);
      },
      onExit: (how, againMs) => print(`product-api ended (${how}); starting it again in ${againMs / 1000} s`),
    });
    undo.push(() => service.stop(STOP_MS));
    await answers(`${productApiUrl}/health`);
    const load = startLoad({ baseUrl: productApiUrl, ratePerSecond: options.loadRate });
    undo.push(() => Promise.race([load.stop(), new Promise((r) => setTimeout(r, 1000))]));
    const narrator = createNarrator({ write: print, colour: options.colour, now: Date.now });
    const monitor = await startMonitor({
      input: options.config,
      adjust: (config) => atHome(config, options, productApiUrl, monitorLog),
      reporters: options.format === "pretty" ? [narrator] : [],
      quiet: options.format === "pretty",
    });
    undo.push(() => monitor.close());
    return { monitorUrl: monitor.url, productApiUrl, logs: [serviceLog, monitorLog], close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The configuration as it is on this machine: targets, data and logs where `up` put them. */
function atHome(config: Config, options: UpOptions, productApiUrl: string, monitorLog: string): Config {
  const { host } = new URL(productApiUrl);
  return {
    ...config,
    dataDir: join(options.dataDir, "monitor"),
    log: { ...config.log, format: "json", file: config.log.file ?? monitorLog },
    targets: config.targets.map((t) =>
      t.name === "product-api" ? { ...t, instances: [{ name: host, url: productApiUrl }] } : t,
    ),
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

/** Waits until the service answers, within bounds: the monitor's first look should not be at a closed door. */
async function answers(url: string): Promise<void> {
  const end = performance.now() + START_MS;
  while (performance.now() < end) {
    try {
      if ((await request(url, { signal: AbortSignal.timeout(500) })).statusCode === 200) return;
    } catch {
      // Not yet.
    }
    await sleep(50);
  }
}

/** Better a clear word now than a child that cannot start. */
async function checkFree(host: string, port: number, flag: string): Promise<void> {
  if (port === 0) return;
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => reject(new ListenError(host, port, error, flag)));
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}
