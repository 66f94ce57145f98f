import { actionPlugins } from "../actions/index.ts";
import type { Config } from "../config/types.ts";
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

/** The kinds that a configuration uses, by section; of signals those of any target. */
export function kindsInUse(
  { targets, sources, store }: Config,
  notifiers: readonly string[],
): Record<keyof typeof pluginsBySection, readonly string[]> {
  const kinds = (plugins: readonly Plugin[]) => plugins.map(({ kind }) => kind);
  const watched = new Set(targets.flatMap(({ signals }) => signals.map(({ name }) => name)));
  return {
    signals: kinds(signalPlugins).filter((kind) => watched.has(kind)),
    sources: sources.order,
    actions: kinds(actionPlugins),
    guards: kinds(GUARDS),
    notify: notifiers,
    store: [store.kind],
  };
}
