import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningLoad, startLoad } from "../../../src/services/load-generator/load.ts";
import { waitFor } from "../../setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../../setup/prometheus.ts";
import { type LogLine, type Spawned, spawnHelius } from "./process.ts";

/** The admin token of every service of a world. */
export const TOKEN = "end-to-end-token";

/** A service as a process of its own. */
export interface ServiceHandle {
  readonly url: string;
  /** `host:port`. */
  readonly name: string;
  readonly process: Spawned;
  /** `POST /admin/fault` with this query. */
  inject(query: string): Promise<void>;
  /** The faults in force, by mode. */
  faults(): Promise<Record<string, Record<string, unknown>>>;
  /** Undoes every fault by hand. */
  mitigateByHand(): Promise<void>;
  /** Log lines of mitigations by the monitor: what really took effect. */
  autoMitigations(): LogLine[];
}

/** One series in one `prediction cycle` line. */
interface SeriesLine {
  readonly target: string;
  readonly metric: string;
  readonly current: number | null;
  readonly forecast: number | null;
  readonly decision: string;
  readonly decision_detail: string;
  readonly decision_until?: string;
  readonly source: string;
  readonly cooldown_active: boolean;
  readonly in_risk_state: boolean;
  readonly trigger: string | null;
}

/** The monitor as a process of its own. */
export interface MonitorHandle {
  readonly url: string;
  readonly process: Spawned;
  /** Its configuration file. */
  readonly file: string;
  cycles(): LogLine[];
  /** One signal of one target, cycle by cycle. */
  series(metric: string, target?: string): SeriesLine[];
  /** Waits until `count` cycles more have ended. */
  moreCycles(count: number): Promise<void>;
  /** Waits for a cycle, from now on, in which the series is as `holds` says. */
  seriesWhere(metric: string, holds: (line: SeriesLine) => boolean, options?: WaitFor): Promise<SeriesLine>;
  metrics(): Promise<Metrics>;
  /** Replaces the configuration file; nothing is reloaded by that. */
  rewrite(config: unknown): void;
}

interface WaitFor {
  readonly target?: string;
  readonly timeoutMs?: number;
}

/** A `/metrics` page. */
interface Metrics {
  readonly text: string;
  /** The sum of the samples with this name that have these labels; undefined when there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

interface MonitorOptions {
  /** What the file holds: text as it is, anything else as JSON, which is YAML. */
  readonly config: unknown;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** Default: a free one. */
  readonly port?: number;
  /** Folder of the journal, within the world's own; the same one again is a restart. Default `monitor`. */
  readonly data?: string;
}

/** Processes, servers and folders of one test, with one way to end them all. */
export interface World {
  readonly dir: string;
  service(options?: { env?: Readonly<Record<string, string>>; data?: string }): Promise<ServiceHandle>;
  /** Starts the monitor, waits until it listens. */
  monitor(options: MonitorOptions): Promise<MonitorHandle>;
  /** Customers of a service. `rate`: requests a second. */
  load(url: string, rate?: number): RunningLoad;
  prometheus(options: { binary: string; targets: readonly string[] }): Promise<RunningPrometheus>;
  spawn(args: readonly string[], env?: Readonly<Record<string, string>>): Spawned;
  /** Anything else that has to be undone at the end. */
  onEnd(undo: () => unknown): void;
  file(name: string, content: unknown): string;
  /** Ends everything, however the test went, in reverse order. */
  end(): Promise<void>;
}

export function createWorld(): World {
  const dir = mkdtempSync(join(tmpdir(), "helius-e2e-"));
  const undo: (() => unknown)[] = [];
  let services = 0;
  const file = (name: string, content: unknown): string => {
    const path = join(dir, name);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, null, 2));
    return path;
  };
  const spawnOne = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Spawned => {
    const spawned = spawnHelius({ args, env, cwd: dir });
    undo.push(() => spawned.destroy());
    return spawned;
  };
  return {
    dir,
    file,
    spawn: spawnOne,
    onEnd: (step) => void undo.push(step),
    async service({ env = {}, data = `service-${++services}` } = {}) {
      const folder = join(dir, data);
      mkdirSync(folder, { recursive: true });
      const process = spawnOne(["service", "product-api", "--web.listen-address=127.0.0.1:0"], {
        ADMIN_TOKEN: TOKEN,
        HELIUS_DATA_DIR: folder,
        ...env,
      });
      const { port } = await process.line("service listening", { timeoutMs: 60_000 });
      return serviceHandle({ process, name: `127.0.0.1:${port}`, token: env.ADMIN_TOKEN ?? TOKEN });
    },
    async monitor({ config, env = {}, flags = [], port = 0, data = "monitor" }) {
      const path = file(`${data}.yml`, config);
      const own = [`--config.file=${path}`, `--web.listen-address=127.0.0.1:${port}`];
      const process = spawnOne(["monitor", ...own, `--data-dir=${join(dir, data)}`, ...flags], {
        ADMIN_TOKEN: TOKEN,
        ...env,
      });
      const { url } = await process.line("monitor started");
      return monitorHandle({ process, url: String(url), path, file, name: `${data}.yml` });
    },
    load(url, rate = 40) {
      const load = startLoad({ baseUrl: url, ratePerSecond: rate, timeoutMs: 7000 });
      undo.push(() => Promise.race([load.stop(), new Promise((resolve) => setTimeout(resolve, 500))]));
      return load;
    },
    async prometheus({ binary, targets }) {
      const prometheus = await startPrometheus({ binary, config: scrapeConfig(targets) });
      undo.push(() => prometheus.kill());
      return prometheus;
    },
    async end() {
      const failures: unknown[] = [];
      for (const step of undo.splice(0).reverse())
        await Promise.resolve(step()).catch((e) => failures.push(e));
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
      if (failures.length > 0) throw new AggregateError(failures, "the world did not end cleanly");
    },
  };
}

/** Every second, the targets as job `product-api`. */
function scrapeConfig(targets: readonly string[]): string {
  return `global: { scrape_interval: 1s, scrape_timeout: 900ms }
scrape_configs:
  - job_name: product-api
    static_configs: [{ targets: ${JSON.stringify(targets)} }]
`;
}

function serviceHandle(options: { process: Spawned; name: string; token: string }): ServiceHandle {
  const { process, name, token } = options;
  const url = `http://${name}`;
  const call = async (method: string, path: string): Promise<Record<string, unknown>> => {
    const response = await fetch(`${url}${path}`, { method, headers: { "x-admin-token": token } });
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
  return {
    url,
    name,
    process,
    inject: async (query) => void (await call("POST", `/admin/fault?${query}`)),
    faults: async () =>
      (await call("GET", "/admin/faults")).faults as Record<string, Record<string, unknown>>,
    mitigateByHand: async () => void (await call("POST", "/admin/mitigate")),
    autoMitigations: () => process.all("mitigation executed").filter((line) => line.mode === "auto"),
  };
}

function monitorHandle(options: {
  process: Spawned;
  url: string;
  path: string;
  file: World["file"];
  name: string;
}): MonitorHandle {
  const { process, url } = options;
  /** A monitor that has ended will show nothing more: say why, now. */
  const alive = (): true => {
    if (process.running()) return true;
    throw new Error(
      `the monitor has ended: ${process.stderr().slice(-2000)}${process.stdout().slice(-1000)}`,
    );
  };
  const cycles = () => process.all("prediction cycle");
  const pick = (lines: readonly LogLine[], metric: string, target: string): SeriesLine[] =>
    lines
      .flatMap((line) => line.signals as SeriesLine[])
      .filter((line) => line.metric === metric && line.target === target);
  return {
    url,
    process,
    file: options.path,
    cycles,
    series: (metric, target = "product-api") => pick(cycles(), metric, target),
    async moreCycles(count) {
      const from = cycles().length;
      await waitFor(() => alive() && cycles().length >= from + count, {
        what: `${count} more cycles`,
        timeoutMs: 3000 * count + 30_000,
      });
    },
    seriesWhere(metric, holds, { target = "product-api", timeoutMs = 60_000 } = {}) {
      const from = cycles().length;
      return waitFor(() => alive() && pick(cycles().slice(from), metric, target).find(holds), {
        what: `a cycle in which ${target} ${metric} fits ${holds}; last: ${JSON.stringify(pick(cycles(), metric, target).at(-1))}`,
        timeoutMs,
      });
    },
    metrics: async () => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return { text, value: (name, labels = {}) => valueIn(text, name, labels) };
    },
    rewrite: (config) => void options.file(options.name, config),
  };
}

function valueIn(text: string, name: string, labels: Readonly<Record<string, string>>): number | undefined {
  let sum: number | undefined;
  for (const line of text.split("\n")) {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (parts?.[1] !== name) continue;
    const own = new Map([...(parts[2] ?? "").matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1], m[2]]));
    if (Object.entries(labels).every(([label, value]) => own.get(label) === value))
      sum = (sum ?? 0) + Number(parts[3]);
  }
  return sum;
}

/** A configuration quick enough to watch: a cycle and rates over a few seconds. */
export function quickConfig(options: {
  readonly targets: readonly object[];
  readonly order?: readonly string[];
  readonly prometheusUrl?: string;
  readonly cooldownS?: number;
  readonly extra?: Readonly<Record<string, unknown>>;
}): Record<string, unknown> {
  const { targets, order = ["scrape"], prometheusUrl, cooldownS = 60, extra = {} } = options;
  return {
    cycle_interval_seconds: 1,
    sources: {
      order,
      rate_window_seconds: 5,
      max_sample_age_seconds: 5,
      ...(prometheusUrl === undefined ? {} : { prometheus: { url: prometheusUrl } }),
    },
    predict: { cooldown_seconds: cooldownS },
    // A young Node process grows for a minute: a limit it would reach by that alone is no test of anything.
    signals: { memory: { limit: 1_000_000_000 } },
    mitigate: "helius",
    targets,
    ...extra,
  };
}
