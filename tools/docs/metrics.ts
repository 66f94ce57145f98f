import type { Registry } from "prom-client";
import { createRegistry } from "../../src/common/telemetry/registry.ts";
import { pluginMetrics } from "../../src/monitor/app/plugins.ts";
import { createGuardMetrics } from "../../src/monitor/report/guard-metrics.ts";
import { createMetricsReporter } from "../../src/monitor/report/metrics.ts";
import { registerMetrics } from "../../src/monitor/report/plugin-metrics.ts";
import { code, table, withGenerated } from "./tables.ts";

/** docs/metrics.md with the table of what cycles and plug-ins report written anew from what they register. */
export function metricsReference(text: string): string {
  const reports = metrics((registry) => {
    createMetricsReporter(registry);
    registerMetrics(registry, pluginMetrics);
  });
  return withGenerated(text, { reports });
}

/** docs/guards.md with the table of their metrics. */
export function guardMetricsReference(text: string): string {
  return withGenerated(text, { metrics: metrics(createGuardMetrics) });
}

interface Registered {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

function metrics(register: (registry: Registry) => unknown): string {
  const registry = createRegistry({ processMetrics: false });
  register(registry);
  const all = registry.getMetricsAsArray() as unknown as readonly Registered[];
  return table(
    ["metric", "type", "labels", "meaning"],
    all.map(({ name, type, labelNames, help }) => [
      code(name),
      type,
      labelNames.map(code).join(", "),
      help.replace(/\.$/, ""),
    ]),
  );
}
