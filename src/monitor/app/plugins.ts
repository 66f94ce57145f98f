import { actionPlugins } from "../actions/index.ts";
import { GUARDS } from "../guards/index.ts";
import type { MetricSpec, Plugin } from "../kernel/plugin.ts";
import { NOTIFIED } from "../notify/fan-out.ts";
import { notifierPlugins } from "../notify/index.ts";
import { signalPlugins } from "../signals/index.ts";
import { sourcePlugins } from "../sources/index.ts";
import { storePlugins } from "../store/index.ts";

/** Every plug-in by the section of its settings, in use or not: what reference, metrics and status are made of. */
export const pluginsBySection = {
  signals: signalPlugins,
  sources: sourcePlugins,
  actions: actionPlugins,
  guards: GUARDS,
  notify: notifierPlugins,
  store: storePlugins,
} as const satisfies Readonly<Record<string, readonly Plugin[]>>;

const { guards: _measuredByReports, ...measuredByThemselves } = pluginsBySection;

/** What plug-ins register; the metrics of guards are set from the report of a cycle. */
export const pluginMetrics: readonly MetricSpec[] = [
  ...Object.values(measuredByThemselves).flatMap((plugins: readonly Plugin[]) =>
    plugins.flatMap(({ metrics }) => metrics),
  ),
  NOTIFIED,
];
