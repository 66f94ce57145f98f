import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Counter, Gauge, type Registry } from "prom-client";
import type { TokenSet } from "../../common/security/tokens.ts";
import { readBuildInfo } from "../../common/telemetry/build-info.ts";
import { type Log, openLog } from "../../common/telemetry/logger.ts";
import {
  createRegistry,
  registerBuildInfo,
  registerDroppedLines,
  registerTokenFile,
} from "../../common/telemetry/registry.ts";
import { bindings, flagOf } from "../config/bindings.ts";
import { type ConfigInput, isExposed, loadConfig } from "../config/load.ts";
import type { Config } from "../config/types.ts";
import { createLoop, type Loop } from "../cycle/tick.ts";
import type { Reporter } from "../cycle/types.ts";
import { healedBy } from "../kernel/containment.ts";
import type { Meters } from "../kernel/plugin.ts";
import type { Store } from "../kernel/store.ts";
import { errorMessage } from "../kernel/text.ts";
import type { Clock } from "../kernel/time.ts";
import { fanOut } from "../report/fan-out.ts";
import { createLogReporter } from "../report/log.ts";
import { createMetricsReporter } from "../report/metrics.ts";
import { registerMetrics } from "../report/plugin-metrics.ts";
import { createStatusBoard, type StatusBoard } from "../report/status.ts";
import { type MonitorServer, startMonitorServer } from "../web/server.ts";
import { alertsApi } from "./alerts.ts";
import { logRejectedCalls } from "./api-audit.ts";
import { systemClock } from "./clock.ts";
import { controlsApi } from "./controls.ts";
import { createViews, type Views } from "./page.ts";
import { pluginMetrics } from "./plugins.ts";
import { startScheduler } from "./scheduler.ts";
import { adminTokens, webTokens } from "./token.ts";
import {
  loopSettings,
  type OpenNotifier,
  type OpenSources,
  openActions,
  openNotifier,
  openSources,
  openStore,
} from "./wiring.ts";

export interface RunningMonitor {
  readonly url: string;
  readonly port: number;
  /** Undefined when the new configuration is in force, else why not; the old one then stays. */
  reload(): Promise<string | undefined>;
  /** Opens the log file again, after somebody has moved it. */
  reopenLog(): void;
  /** Lets the cycle under way end, journals, closes everything in reverse order; bounded. */
  close(): Promise<void>;
}

export interface MonitorOptions {
  readonly input: ConfigInput;
  /** Changes what was loaded, at the start and at every reload. */
  readonly adjust?: (config: Config) => Config;
  /** Told beside the log and the metrics. */
  readonly reporters?: readonly Reporter[];
  /** Nothing on standard output: the log goes to its file alone. */
  readonly quiet?: boolean;
}

const JOB = "predictive-monitor";
/** Longest wait for the cycle under way at a stop, milliseconds: an action's deadline and some. */
const DRAIN_MS = 20_000;

/**
 * The monitor, wired: configuration, journal, sources, actions, loop, endpoints.
 * @throws ConfigError, StoreError, ListenError
 */
export async function startMonitor(options: MonitorOptions): Promise<RunningMonitor> {
  const { input, adjust } = options;
  const load = () => (adjust === undefined ? loadConfig(input) : adjust(loadConfig(input)));
  const config = load();
  const current = { config };
  const undo: (() => unknown)[] = [];
  const unwind = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const log = openLog({
      job: JOB,
      level: config.log.level,
      format: config.log.format,
      file: config.log.file,
      fileMaxBytes: config.log.fileMaxBytes,
      ...(options.quiet === true ? { stream: { write: () => {} } } : {}),
    });
    undo.push(() => log.close());
    for (const { path } of bindings.filter((b) => b.secret && input.flags[b.path] !== undefined))
      log.logger.warn(
        { flag: `--${flagOf(path)}` },
        "secret given as a flag: everybody on this machine can read it in the list of processes",
      );
    const parts = openParts({ current, log, undo, options });
    await parts.loop.start();
    const reload = reloader({ load, parts, current });
    const server = await serve({ parts, get: () => current.config, reload });
    undo.push(() => server.close());
    const scheduler = startScheduler({
      cycleMs: config.cycleIntervalMs,
      monoMs: () => parts.clock.now().monoMs,
      run: async () => {
        // Looked at once a cycle, so that a bad file is told of before the token is needed.
        parts.tokens.problem();
        parts.webTokens.problem();
        await parts.loop.tick();
      },
      onMissed: () => parts.missed.inc(),
      onError: (error) => parts.log.logger.error({ err: error }, "prediction cycle failed"),
    });
    parts.setCycle = (ms) => scheduler.setCycle(ms);
    undo.push(async () => {
      parts.loop.stopActing();
      if ((await scheduler.stop(DRAIN_MS)) !== "idle") log.logger.error("stopped in the middle of a cycle");
    });
    log.logger.info(startFields(config, server), "monitor started");
    tellWatchedOnly(config, log);
    return {
      url: server.url,
      port: server.port,
      reload,
      reopenLog: () => log.reopen(),
      close: async () => {
        log.logger.info("monitor stopping");
        await unwind();
      },
    };
  } catch (error) {
    await unwind();
    throw error;
  }
}

function startFields(config: Config, server: MonitorServer): Record<string, string | number> {
  return {
    url: server.url,
    config_file: config.file ?? "none",
    mode: config.autoHeal ? "auto" : "shadow",
    cycle_seconds: config.cycleIntervalMs / 1000,
    horizon_seconds: config.predict.horizonMs / 1000,
    sources: config.sources.order.join(","),
    targets: config.targets.map((t) => t.name).join(","),
  };
}

/** Nobody should wait for the healing of what nothing is stated to heal. */
function tellWatchedOnly({ targets, playbooks }: Config, log: Log): void {
  const watched = targets.filter(({ mitigation }) => mitigation === undefined);
  for (const detail of new Set(watched.map((t) => healedBy(t, playbooks)))) {
    const names = watched.filter((t) => healedBy(t, playbooks) === detail).map(({ name }) => name);
    log.logger.info({ targets: names.join(","), detail }, "targets watched only");
  }
}

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly board: StatusBoard;
  readonly views: Views;
  readonly loop: Loop;
  readonly missed: Counter;
  readonly reloadOk: Gauge;
  readonly store: Store;
  readonly meters: Meters;
  readonly tokens: TokenSet;
  readonly actions: ReturnType<typeof openActions>;
  readonly webTokens: TokenSet;
  readonly notifier: OpenNotifier;
  /** From a configuration; the ones before are closed by whoever replaces them. */
  readonly openSources: (config: Config) => OpenSources;
  sources: OpenSources;
  setCycle: (ms: number) => void;
}

function openParts(input: {
  current: { readonly config: Config };
  log: Log;
  undo: (() => unknown)[];
  options: MonitorOptions;
}): Parts {
  const { current, log, undo, options } = input;
  const { config } = current;
  const clock = systemClock();
  const registry = createRegistry();
  const build = readBuildInfo(options.input.env);
  registerBuildInfo({ registry, name: "predict_build_info", build });
  registerDroppedLines(registry, log);
  const registers = [registry];
  const missed = new Counter({
    name: "predict_cycles_missed_total",
    help: "Cycles that were due and did not start: another was still running, or the process was held up.",
    registers,
  });
  const reloadOk = new Gauge({
    name: "predict_config_last_reload_successful",
    help: "1 if the last configuration reload succeeded.",
    registers,
  });
  reloadOk.set(1);
  const common = { env: options.input.env, logger: log.logger };
  const exposed = isExposed(config.web);
  const ownWebToken = config.web.token !== undefined || config.web.tokenFile !== undefined;
  const tokens = adminTokens({ ...common, admin: config.admin, exposed: exposed && !ownWebToken });
  registerTokenFile(registry, tokens);
  const meters = registerMetrics(registry, pluginMetrics);
  const store = openStore(config, clock, meters);
  undo.push(() => store.close());
  const board = createStatusBoard(Date.now);
  const views = createViews({
    board,
    build,
    store,
    loop: () => loop,
    config: () => current.config,
    notifiers: () => notifier.kinds(),
  });
  undo.push(() => views.replay.close());
  const told = [board, views.feed, ...(options.reporters ?? [])];
  const reporter = fanOut(
    [createLogReporter(log.logger), createMetricsReporter(registry), ...told],
    (error) => log.logger.error({ err: error }, "a reporter failed"),
  );
  const notice = reporter.notice.bind(reporter);
  const openFrom = (from: Config) => openSources(from, { clock, meters, notice });
  const sources = openFrom(config);
  const actions = openActions({ tokens: () => tokens.all(), settings: config.actions, meters });
  undo.push(() => actions.close());
  const notifier = openNotifier(config.notify, meters);
  undo.push(() => notifier.close());
  const loop: Loop = createLoop(
    {
      clock,
      sources: sources.list,
      store,
      actions: actions.byKind,
      reporter,
      notifier,
      newId: randomUUID,
      deadline: (ms) => AbortSignal.timeout(ms),
    },
    loopSettings(config),
  );
  const parts: Parts = {
    clock,
    log,
    registry,
    board,
    views,
    loop,
    missed,
    reloadOk,
    store,
    meters,
    tokens,
    actions,
    notifier,
    webTokens: webTokens({ ...common, web: config.web, adminTokens: tokens, exposed }),
    openSources: openFrom,
    sources,
    setCycle: () => {},
  };
  undo.push(() => parts.sources.close());
  return parts;
}

/** What takes effect only at a start: changing it is refused, not ignored. */
function needsRestart(old: Config, next: Config): string[] {
  const keys: string[] = [];
  if (old.dataDir !== next.dataDir) keys.push("data_dir");
  if (JSON.stringify(old.store) !== JSON.stringify(next.store)) keys.push("store");
  if (old.web.host !== next.web.host || old.web.port !== next.web.port) keys.push("web.listen_address");
  if (JSON.stringify(old.log) !== JSON.stringify(next.log)) keys.push("log");
  if (JSON.stringify(old.admin) !== JSON.stringify(next.admin)) keys.push("admin");
  if (old.web.token !== next.web.token || old.web.tokenFile !== next.web.tokenFile) keys.push("web.token");
  return keys;
}

function reloader(input: {
  load: () => Config;
  parts: Parts;
  current: { config: Config };
}): () => Promise<string | undefined> {
  const { parts, current } = input;
  return async () => {
    const old = current.config;
    let wrong: string | undefined;
    try {
      const next = input.load();
      const fixed = needsRestart(old, next);
      if (fixed.length > 0) wrong = `${fixed.join(", ")} cannot change while the monitor runs; restart it`;
      else {
        const changed =
          JSON.stringify([old.sources, old.cycleIntervalMs]) !==
          JSON.stringify([next.sources, next.cycleIntervalMs]);
        const before = parts.sources;
        if (changed) parts.sources = parts.openSources(next);
        parts.actions.reconfigure(next.actions);
        parts.notifier.reconfigure(next.notify);
        parts.loop.reconfigure(loopSettings(next), changed ? parts.sources.list : undefined);
        parts.setCycle(next.cycleIntervalMs);
        current.config = next;
        if (changed) await before.close();
      }
    } catch (error) {
      wrong = errorMessage(error);
    }
    parts.reloadOk.set(wrong === undefined ? 1 : 0);
    if (wrong === undefined) {
      parts.log.logger.info(configFields(current.config), "configuration reloaded");
      tellWatchedOnly(current.config, parts.log);
    } else parts.log.logger.error({ error: wrong }, "configuration reload failed, keeping the old one");
    return wrong;
  };
}

function configFields(config: Config): Record<string, string | number> {
  return {
    config_file: config.file ?? "none",
    mode: config.autoHeal ? "auto" : "shadow",
    targets: config.targets.length,
  };
}

/** Names that the monitor is called by beside addresses: of this machine, of its settings. The same list until a reload. */
function hostsOf(get: () => Config): () => readonly string[] {
  const listed = ({ web }: Config) => [
    hostname(),
    web.host,
    ...(web.externalUrl === undefined ? [] : [new URL(web.externalUrl).hostname]),
    ...web.allowedHosts,
  ];
  let known = { web: get().web, hosts: listed(get()) };
  return () => {
    if (get().web !== known.web) known = { web: get().web, hosts: listed(get()) };
    return known.hosts;
  };
}

function serve(input: {
  parts: Parts;
  get: () => Config;
  reload: () => Promise<string | undefined>;
}): Promise<MonitorServer> {
  const { parts, get } = input;
  const { views } = parts;
  const startedMs = parts.clock.now().monoMs;
  const { host, port } = get().web;
  return startMonitorServer({
    host,
    port,
    api: {
      ...alertsApi({ loop: parts.loop, clock: parts.clock, logger: parts.log.logger }),
      controls: views.shown(controlsApi({ loop: parts.loop, clock: parts.clock, logger: parts.log.logger })),
      registry: parts.registry,
      hosts: hostsOf(get),
      tokens: parts.webTokens,
      onRefusal: logRejectedCalls(parts.log.logger),
      get lifecycle() {
        return get().web.enableLifecycle;
      },
      reload: input.reload,
      unready: () => (parts.board.latest() === undefined ? "waiting for the first cycle" : undefined),
      unhealthy: () => {
        const last = parts.board.latest();
        const idleMs = parts.clock.now().monoMs - (last === undefined ? startedMs : last.at.monoMs);
        const allowedMs = 5 * get().cycleIntervalMs + DRAIN_MS;
        return idleMs > allowedMs ? `no cycle ended for ${Math.round(idleMs / 1000)} s` : undefined;
      },
      status: () => views.status(),
      page: views.page,
      replay: views.replay,
    },
  });
}
