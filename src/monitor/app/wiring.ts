import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { actionPlugins } from "../actions/index.ts";
import { sectionOf } from "../config/plugins.ts";
import type { Config } from "../config/types.ts";
import type { LoopSettings } from "../cycle/types.ts";
import type { Action } from "../kernel/action.ts";
import type { MetricSource } from "../kernel/observation.ts";
import type { Meters } from "../kernel/plugin.ts";
import { type Store, StoreError } from "../kernel/store.ts";
import type { Clock } from "../kernel/time.ts";
import type { Notifier } from "../kernel/verification.ts";
import { openNotifiers } from "../notify/fan-out.ts";
import { sourcePlugins } from "../sources/index.ts";
import type { SourceContext, SourcePlugin } from "../sources/shared/context.ts";
import { storePlugins } from "../store/index.ts";

/** How far a sample may lie ahead of our clock, milliseconds. */
const MAX_FUTURE_MS = 10_000;
/** History a start reads: noise has a half-life of an hour, a sawtooth needs several swings. */
const WARM_UP_MS = 2 * 3_600_000;
/** Longest time a start waits for it, milliseconds. */
const WARM_UP_DEADLINE_MS = 30_000;
/** Longest time an action may take over all instances of its target, milliseconds. */
const ACT_DEADLINE_MS = 15_000;
/** An intent older than this is history, not a plan, milliseconds. */
const INTENT_TTL_MS = 60_000;

/** An escalation that is not renewed goes out after so many intervals: one lost telling must not end it. */
const OUTLASTS_RESENDS = 4;

/** The part of the configuration that the loop needs. */
export function loopSettings(config: Config): LoopSettings {
  const { predict: p } = config;
  return {
    targets: config.targets,
    rules: {
      horizonS: p.horizonMs / 1000,
      probStrong: p.probStrong,
      probConfirmMin: p.probConfirmMin,
      minR2: p.minR2,
      preTimeoutRatio: p.preTimeoutRatio,
    },
    sensitivity: p.sensitivity,
    constants: p.constants ?? {},
    linearWindow: p.windowSamples,
    rateWindowMs: config.sources.rateWindowMs,
    maxSampleAgeMs: config.sources.maxSampleAgeMs,
    autoHeal: config.autoHeal,
    cycleMs: config.cycleIntervalMs,
    observeDeadlineMs: Math.max(...sourcePlugins.map(({ kind }) => config.sources[kind].timeoutMs)),
    warmUpMs: WARM_UP_MS,
    warmUpDeadlineMs: WARM_UP_DEADLINE_MS,
    actDeadlineMs: ACT_DEADLINE_MS,
    intentTtlMs: INTENT_TTL_MS,
    playbooks: config.playbooks,
    alertStaleMs: config.alerts.staleMs,
    regionWindowS: config.regions.windowMs / 1000,
    guards: config.guards,
    verification: config.verification,
    escalation: {
      resendMs: config.notify.resendMs,
      lastsMs: OUTLASTS_RESENDS * config.notify.resendMs,
      timeoutMs: config.notify.timeoutMs,
      externalUrl: config.web.externalUrl,
    },
  };
}

export interface OpenSources {
  readonly list: readonly MetricSource[];
  close(): Promise<void>;
}

/** The configured sources, preferred first. */
export function openSources(
  config: Config,
  { clock, meters, notice }: Pick<SourceContext, "clock" | "notice"> & { readonly meters: Meters },
): OpenSources {
  const { order, maxResponseBytes, rateWindowMs, maxSampleAgeMs } = config.sources;
  const common = {
    clock,
    meters,
    notice,
    maxResponseBytes,
    rateWindowMs,
    maxSampleAgeMs,
    maxFutureMs: MAX_FUTURE_MS,
  };
  const plugins: readonly SourcePlugin[] = sourcePlugins;
  const opened = order.flatMap((kind) =>
    plugins
      .filter((plugin) => plugin.kind === kind)
      .map((plugin) => {
        const settings = config.sources[plugin.kind] as { readonly timeoutMs: number };
        return plugin.create({ ...common, timeoutMs: settings.timeoutMs }, settings);
      }),
  );
  return {
    list: opened,
    close: async () => void (await Promise.all(opened.map((source) => source.close()))),
  };
}

/** The store of the configuration. @throws StoreError */
export function openStore({ store, dataDir }: Config, clock: Clock, meters: Meters): Store {
  const plugin = storePlugins.find(({ kind }) => kind === store.kind);
  if (plugin === undefined) throw new StoreError(`there is no store ${store.kind}`);
  const retention = { maxEntries: store.maxEntries, maxAgeMs: store.maxAgeMs };
  return plugin.create({ clock, meters, dataDir, retention }, store[plugin.kind]);
}

/** Who calls people. */
export interface OpenNotifier extends Notifier {
  /** Those that the configuration turns on. */
  kinds(): readonly string[];
  /** From the next call on; one under way ends as it began. */
  reconfigure(config: Config["notify"]): void;
}

export function openNotifier(config: Config["notify"], meters: Meters): OpenNotifier {
  const open = (settings: Config["notify"]) =>
    openNotifiers({
      context: { timeoutMs: settings.timeoutMs, random: Math.random, now: Date.now, meters },
      settings,
    });
  let current = { config, notifiers: open(config) };
  return {
    kinds: () => current.notifiers.kinds,
    notify: (alerts, signal) => current.notifiers.notify(alerts, signal),
    reconfigure(next) {
      if (JSON.stringify(next) === JSON.stringify(current.config)) return;
      void current.notifiers.close();
      current = { config: next, notifiers: open(next) };
    },
    close: () => current.notifiers.close(),
  };
}

export interface OpenActions {
  /** Always the same map: after a change of the configuration it holds other actions. */
  readonly byKind: ReadonlyMap<string, Action>;
  /** From the next call on, what is configured of actions is this; calls under way end as they began. */
  reconfigure(config: Config["actions"]): void;
  close(): Promise<void>;
}

/** Every kind of action. */
export function openActions(given: {
  readonly tokens: () => readonly string[];
  readonly settings: Config["actions"];
  readonly meters: Meters;
}): OpenActions {
  // One for all, so that a change of the configuration closes nothing under a call. An attempt's own deadline ends a
  // silent connection; these are only coarse.
  const dispatcher = new Agent({ connect: { timeout: 10_000 } });
  const context = {
    tokens: given.tokens,
    meters: given.meters,
    dispatcher,
    random: Math.random,
    sleep: async (ms: number) => void (await sleep(ms)),
  };
  const byKind = new Map<string, Action>();
  const reconfigure = (settings: Config["actions"]): void => {
    for (const plugin of actionPlugins)
      byKind.set(plugin.kind, plugin.create(context, settings[sectionOf(plugin)]));
  };
  reconfigure(given.settings);
  return { byKind, reconfigure, close: () => dispatcher.destroy() };
}
