import { setTimeout as sleep } from "node:timers/promises";
import { actionFactories } from "../actions/index.ts";
import type { Config } from "../config/types.ts";
import type { Action } from "../domain/action.ts";
import type { MetricSource } from "../domain/observation.ts";
import type { Clock } from "../domain/time.ts";
import type { LoopSettings } from "../loop/types.ts";
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
    setting: p.setting,
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
    playbooks: [],
    alertStaleMs: 900_000,
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

export interface OpenActions {
  readonly byKind: ReadonlyMap<string, Action>;
  close(): Promise<void>;
}

/** Every kind of action. */
export function openActions(tokens: () => readonly string[]): OpenActions {
  const service = actionFactories.service({
    tokens,
    attemptTimeoutMs: 4000,
    totalTimeoutMs: 12_000,
    retry: { maxAttempts: 3, baseMs: 250, maxMs: 2000 },
    maxResponseBytes: 65_536,
    random: Math.random,
    sleep: async (ms: number) => void (await sleep(ms)),
  });
  return { byKind: new Map(Object.entries(service.byKind)), close: () => service.close() };
}
