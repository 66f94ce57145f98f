import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { excerpt, exchange } from "../../../common/net/exchange.ts";
import { type RunningPlatform, startPlatform } from "../../../services/platform/platform.ts";
import { freePort } from "../../ports.ts";
import { startAlertClock } from "../alert-clock/clock.ts";
import type { Drill, Stage } from "../drill.ts";
import { createInstruments, type Instruments, startObserver } from "../instruments.ts";
import type { Heal, Pace } from "../pace.ts";
import type { Act } from "../recording.ts";
import { startTraffic, type Traffic } from "../traffic.ts";
import { type DrillMlflow, startDrillMlflow } from "./mlflow.ts";
import { startDrillMonitor } from "./monitor.ts";
import { type DrillPrometheus, startDrillPrometheus } from "./prometheus.ts";

/** Where a run is, for whoever watches. */
export interface DrillProgress {
  readonly phase: "starting" | "quiet" | "incident" | "counting";
  /** Seconds into the phase and its length, where it has one. */
  readonly atS?: number;
  readonly ofS?: number;
  readonly queue?: number | undefined;
  readonly level?: number | undefined;
}

export interface RunOptions {
  readonly drill: Drill;
  readonly heal: Heal;
  readonly pace: Pace;
  /** The installed Prometheus and Alertmanager in the loop. */
  readonly prometheus: boolean;
  /** Folder for data and logs, which is kept; undefined: a temporary one. */
  readonly folder: string | undefined;
  /** Ends the run early; it then rejects with the reason. */
  readonly stop: AbortSignal;
  readonly onProgress: (progress: DrillProgress) => void;
  /** Told of what happens, a line each. */
  readonly onNote: (line: string) => void;
}

/** How often the observer looks, milliseconds. */
const LOOK_MS = 200;
/** Young processes are slow and grow: so long they work before anything is watched, milliseconds. */
const WARM_UP_MS = 10_000;
const ADMIN_MS = 5_000;
/** Variables of this process that its services get; anything else might make the drill another one. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "LANG", "NODE_OPTIONS", "HELIUS_REVISION"];
/** Where nobody listens: a Prometheus that is gone. */
const NOBODY = "http://127.0.0.1:9";

/** Everything that runs in a drill. */
export interface Scene {
  readonly stage: Stage;
  readonly platform: RunningPlatform;
  readonly traffic: Traffic;
  readonly instruments: Instruments;
  readonly observer: ReturnType<typeof startObserver>;
  readonly acts: readonly Act[];
  /** The gateway's own data. */
  readonly gatewayData: string;
  /** Ends the monitor and what feeds it. */
  readonly endActing: () => Promise<void>;
}

/** Starts everything, and leaves in `undo` how to end it. */
export async function setScene(options: RunOptions, folder: string, undo: (() => unknown)[]): Promise<Scene> {
  const { drill } = options;
  const token = randomBytes(16).toString("hex");
  const mlflow = await startSurroundings(options, folder, token, undo);
  const { platform, mqttPort, addresses } = await startServices(options, { folder, token, mlflow });
  undo.push(() => platform.stop());
  const running = startTraffic({
    urls: platform.urls,
    mqttUrl: `mqtt://127.0.0.1:${mqttPort}`,
    failover: drill.failover ?? {},
    telemetryRate: options.pace.rate(drill.telemetryRate),
  });
  const traffic = { ...running, stop: once(() => running.stop()) };
  undo.push(traffic.stop);
  await sleep(WARM_UP_MS, undefined, { signal: options.stop });
  const dispatcher = new Agent({ connections: 8 });
  undo.push(() => dispatcher.destroy());
  const { acts, prometheus, endActing } = await startActing(options, {
    folder,
    token,
    platform,
    mlflow,
    undo,
  });
  const instruments = createInstruments({
    urls: platform.urls,
    mlflowUrl: mlflow?.url,
    dispatcher,
    waits: traffic.waits,
    predictions: traffic.predictions,
  });
  const observer = startObserver({ instruments, meter: drill.meter(instruments), everyMs: LOOK_MS });
  undo.push(() => observer.stop());
  const stage = stageOf({ options, platform, traffic, token, mlflow, prometheus, undo });
  const port = addresses.get("telemetry-gateway")?.port;
  const gatewayData = join(folder, "telemetry-gateway", `telemetry-gateway-${port}`);
  return { stage, platform, traffic, instruments, observer, acts, gatewayData, endActing };
}

async function startSurroundings(
  { drill, onNote }: RunOptions,
  folder: string,
  token: string,
  undo: (() => unknown)[],
): Promise<DrillMlflow | undefined> {
  if (drill.surroundings.mlflow !== true) return undefined;
  const mlflow = await startDrillMlflow({ folder, token, onNote });
  undo.push(() => mlflow.stop());
  return mlflow;
}

async function startServices(
  { drill, pace, onNote }: RunOptions,
  {
    folder,
    token,
    mlflow,
  }: { readonly folder: string; readonly token: string; readonly mlflow: DrillMlflow | undefined },
) {
  const mqttPort = await freePort();
  const addresses = new Map<string, { host: string; port: number }>();
  for (const name of drill.services) addresses.set(name, { host: "127.0.0.1", port: await freePort() });
  const platform = await startPlatform({
    env: {
      ...Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])),
      ADMIN_TOKEN: token,
      ...(mlflow === undefined ? {} : { MLFLOW_TRACKING_URI: mlflow.url }),
      ...drill.env(pace),
    },
    addresses,
    mqttPort,
    dataDir: folder,
    logDir: join(folder, "logs"),
    onLine: () => {},
    print: onNote,
  });
  return { platform, mqttPort, addresses };
}

interface Acting {
  readonly folder: string;
  readonly token: string;
  readonly platform: RunningPlatform;
  readonly mlflow: DrillMlflow | undefined;
  readonly undo: (() => unknown)[];
}

/** The monitor, and what tells it of alerts: Prometheus and Alertmanager, or the clock that stands in for them. */
async function startActing(options: RunOptions, { folder, token, platform, mlflow, undo }: Acting) {
  const { drill, pace, heal, onNote } = options;
  const port = await freePort();
  const prometheus = options.prometheus
    ? await startDrillPrometheus({
        folder,
        pace,
        token,
        targets: new Map([...platform.urls].map(([job, url]) => [job, new URL(url).host])),
        monitor: `127.0.0.1:${port}`,
      })
    : undefined;
  undo.push(() => prometheus?.stop());
  const acts: Act[] = [];
  const gone = drill.surroundings.askPrometheus === true ? NOBODY : undefined;
  const monitor = await startDrillMonitor({
    drill,
    pace,
    heal,
    token,
    port,
    urls: platform.urls,
    prometheusUrl: prometheus?.url ?? gone,
    kubeconfig: mlflow?.kubeconfig,
    folder,
    onAct: (act) => {
      acts.push(act);
      onNote(`monitor: ${act.what}`);
    },
  });
  const clock =
    prometheus === undefined
      ? startAlertClock({
          urls: platform.urls,
          webhookUrl: `${monitor.url}/api/v1/alerts/webhook`,
          token,
          speed: pace.speed,
          onNote,
        })
      : undefined;
  const endActing = once(async () => {
    await clock?.stop();
    await monitor.close();
  });
  undo.push(endActing);
  return { acts, prometheus, endActing };
}

function stageOf(of: {
  readonly options: RunOptions;
  readonly platform: RunningPlatform;
  readonly traffic: Traffic;
  readonly token: string;
  readonly mlflow: DrillMlflow | undefined;
  readonly prometheus: DrillPrometheus | undefined;
  readonly undo: (() => unknown)[];
}): Stage {
  const { options, platform, traffic, token, mlflow, prometheus, undo } = of;
  const timers = new Set<NodeJS.Timeout>();
  undo.push(() => timers.forEach((timer) => void clearTimeout(timer)));
  return {
    pace: options.pace,
    fleets: traffic.fleets,
    fault: (service, query) => adminCall(`${platform.urls.get(service)}/admin/fault?${query}`, token),
    takeAway: async (service) => platform.services.get(service)?.stop(0),
    hangMlflow: () => mlflow?.hang(),
    takePrometheusAway: async () => prometheus?.kill(),
    after(seconds, then) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        then();
      }, 1_000 * seconds);
      timers.add(timer);
    },
  };
}

function once(step: () => Promise<unknown>): () => Promise<void> {
  let done: Promise<unknown> | undefined;
  return async () => {
    done ??= step();
    await done;
  };
}

/** Throws when the service does not do as it is told: a drill without its incident shows nothing. */
async function adminCall(url: string, token: string): Promise<void> {
  const headers = { "x-admin-token": token };
  const result = await exchange({ url, method: "POST", headers, timeoutMs: ADMIN_MS, maxBytes: 65_536 });
  if (!result.ok) throw new Error(`POST ${url}: ${result.detail}`);
  if (result.status !== 200)
    throw new Error(`POST ${url}: HTTP ${result.status} ${excerpt(result.body, 200)}`);
}
