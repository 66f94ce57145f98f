import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { actionPlugins } from "../actions/index.ts";
import { sectionOf } from "../config/plugins.ts";
import type { Config } from "../config/types.ts";
import type { LoopSettings } from "../cycle/types.ts";
import type { Action } from "../kernel/action.ts";
import type { MetricSource } from "../kernel/observation.ts";
import type { Meters } from "../kernel/plugin.ts";
import type { Clock } from "../kernel/time.ts";
import type { Escalator } from "../kernel/verification.ts";
import { createAlertmanagerEscalator } from "../notify/alertmanager.ts";
import { createPrometheusSource } from "../sources/prometheus/index.ts";
import { createScrapeSource } from "../sources/scrape/index.ts";

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
      horizonS: p.horizonS,
      probStrong: p.probStrong,
      probConfirmMin: p.probConfirmMin,
      minR2: p.minR2,
      preTimeoutRatio: p.preTimeoutRatio,
    },
    sensitivity: p.sensitivity,
    constants: p.constants,
    linearWindow: p.windowSamples,
    rateWindowMs: config.sources.rateWindowMs,
    autoHeal: config.autoHeal,
    cycleMs: config.cycleMs,
    observeDeadlineMs: Math.max(config.sources.prometheus.timeoutMs, config.sources.scrape.timeoutMs),
    warmUpMs: WARM_UP_MS,
    warmUpDeadlineMs: WARM_UP_DEADLINE_MS,
    actDeadlineMs: ACT_DEADLINE_MS,
    intentTtlMs: INTENT_TTL_MS,
    playbooks: config.playbooks,
    alertStaleMs: config.containment.alertStaleMs,
    regionWindowS: config.containment.regionWindowS,
    guards: config.guards,
    verification: config.verification,
    escalation: {
      resendMs: config.escalation.resendMs,
      lastsMs: OUTLASTS_RESENDS * config.escalation.resendMs,
      timeoutMs: config.escalation.timeoutMs,
      externalUrl: config.web.externalUrl,
    },
  };
}

export interface OpenSources {
  readonly list: readonly MetricSource[];
  close(): Promise<void>;
}

/** The configured sources, preferred first. A new source is a line here and a folder. */
export function openSources(config: Config, clock: Clock): OpenSources {
  const s = config.sources;
  const common = { maxResponseBytes: s.maxResponseBytes, rateWindowMs: s.rateWindowMs };
  const open = {
    prometheus: () =>
      createPrometheusSource({
        ...common,
        baseUrl: s.prometheus.url,
        timeoutMs: s.prometheus.timeoutMs,
        maxSampleAgeMs: s.maxSampleAgeMs,
        maxFutureMs: MAX_FUTURE_MS,
      }),
    scrape: () =>
      createScrapeSource({ ...common, path: s.scrape.path, timeoutMs: s.scrape.timeoutMs, clock }),
  };
  const opened = s.order.map((name) => open[name]());
  return {
    list: opened,
    close: async () => void (await Promise.all(opened.map((source) => source.close()))),
  };
}

/** Who calls people, where the configuration names an Alertmanager. */
export interface OpenEscalator extends Escalator {
  /** From the next telling on; one under way ends as it began. */
  reconfigure(config: Config["escalation"]): void;
}

const MAX_TELL_RETRY_MS = 2000;

export function openEscalator(config: Config["escalation"]): OpenEscalator {
  const open = ({ alertmanagerUrl: url, timeoutMs }: Config["escalation"]): Escalator | undefined =>
    url === undefined
      ? undefined
      : createAlertmanagerEscalator({
          url,
          timeoutMs,
          maxRetryDelayMs: MAX_TELL_RETRY_MS,
          random: Math.random,
          now: Date.now,
        });
  let current = { config, escalator: open(config) };
  return {
    // Where nobody is to be told, an escalation is only logged and shown: there is nothing to try again.
    tell: async (alerts, signal) =>
      (await current.escalator?.tell(alerts, signal)) ?? { status: "delivered", skewMs: 0 },
    reconfigure(next) {
      if (JSON.stringify(next) === JSON.stringify(current.config)) return;
      void current.escalator?.close();
      current = { config: next, escalator: open(next) };
    },
    close: async () => void (await current.escalator?.close()),
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
  const dispatcher = new Agent({ connect: { timeout: 10_000 }, headersTimeout: 0, bodyTimeout: 0 });
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
