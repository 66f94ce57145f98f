import { Counter, Gauge, type Registry } from "prom-client";
import type { Meter, Meters, MetricSpec } from "../kernel/plugin.ts";

/**
 * Registers what plug-ins declare, also what is not in use: the list of metrics is the same for every configuration.
 * A name that is declared twice is one metric.
 */
export function registerMetrics(registry: Registry, specs: readonly MetricSpec[]): Meters {
  const meters = new Map<string, Meter>();
  for (const spec of specs) if (!meters.has(spec.name)) meters.set(spec.name, meterOf(registry, spec));
  return (name) => {
    const meter = meters.get(name);
    if (meter === undefined) throw new RangeError(`no plug-in declares the metric ${name}`);
    return meter;
  };
}

function meterOf(registry: Registry, { name, type, help, labels }: MetricSpec): Meter {
  const what = { name, help, labelNames: [...labels], registers: [registry] };
  const wrong = () => {
    throw new RangeError(`${name} is a ${type}`);
  };
  if (type === "counter") {
    const counter = new Counter(what);
    return { inc: (of, by = 1) => counter.inc(of, by), set: wrong, reset: () => counter.reset() };
  }
  const gauge = new Gauge(what);
  return { inc: wrong, set: (of, value) => gauge.set(of, value), reset: () => gauge.reset() };
}
