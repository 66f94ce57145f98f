import { actionPlugins } from "../../../monitor/actions/index.ts";
import { sectionOf } from "../../../monitor/config/plugins.ts";
import type { Config } from "../../../monitor/config/types.ts";
import type { Action } from "../../../monitor/kernel/action.ts";
import type { MetricSource } from "../../../monitor/kernel/observation.ts";
import { NO_METERS } from "../../../monitor/kernel/plugin.ts";
import type { Notifier } from "../../../monitor/kernel/verification.ts";
import { createAlertmanagerNotifier } from "../../../monitor/notify/alertmanager/index.ts";
import { createPrometheusSource } from "../../../monitor/sources/prometheus/index.ts";
import type { VirtualNetwork } from "../engine/network.ts";
import { ADMIN_TOKEN } from "../scenario.ts";
import { history, type Limits, portSource, type Seen } from "./metrics.ts";
import type { Machine, Process } from "./process.ts";
import type { World } from "./world.ts";

/** As the composition root has it: how far a sample may lie ahead, milliseconds. */
const MAX_FUTURE_MS = 10_000;

/** What the real clients of one process need of its world. */
export interface Adapters {
  readonly world: World;
  readonly config: Config;
  readonly machine: Machine;
  readonly process: Process;
  readonly network: VirtualNetwork;
  readonly seen: Seen;
}

/** The metric source: the real client on the world's network, or what it would say, at its port. */
export function openSource({ world, config, network, seen }: Adapters): MetricSource {
  const { sources } = config;
  const limits: Limits = { maxSampleAgeMs: sources.maxSampleAgeMs, maxFutureMs: MAX_FUTURE_MS };
  if (!world.scenario.http) return portSource({ world, seen, limits });
  const source = createPrometheusSource({
    ...limits,
    baseUrl: sources.prometheus.url,
    timeoutMs: sources.prometheus.timeoutMs,
    maxResponseBytes: sources.maxResponseBytes,
    rateWindowMs: sources.rateWindowMs,
    random: () => 0.5,
    dispatcher: network,
  });
  return { ...source, history: (request) => history(request, world) };
}

/** The real actions, by kind. */
export function openActions({ world, config, network, process }: Adapters): Readonly<Record<string, Action>> {
  const { time } = world;
  const context = {
    tokens: () => [ADMIN_TOKEN],
    random: () => 0.5,
    sleep: (ms: number) => process.through(time.sleep(ms)),
    dispatcher: network,
    now: () => time.now,
    meters: NO_METERS,
  };
  return Object.fromEntries(
    actionPlugins.map((plugin) => [plugin.kind, plugin.create(context, config.actions[sectionOf(plugin)])]),
  );
}

/** The real caller of people. */
export function openNotifier({ config, machine, network }: Adapters): Notifier {
  return createAlertmanagerNotifier({
    url: "http://alertmanager:9093",
    timeoutMs: config.notify.timeoutMs,
    maxRetryDelayMs: 2000,
    random: () => 0.5,
    now: () => machine.now().wallMs,
    dispatcher: network,
  });
}
