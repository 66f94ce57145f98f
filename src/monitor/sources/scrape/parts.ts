import type { PartReading, PartsRecipe } from "../../kernel/parts.ts";
import type { Target } from "../../kernel/target.ts";

/** The newest page of one instance, as parts are read from it. */
export interface PartsData {
  /** Newest values of a metric, summed by the value of a label. */
  currentBy(metric: string, label: string): ReadonlyMap<string, number>;
}

export type SummedParts =
  | { readonly ok: true; readonly parts: readonly PartReading[] }
  | { readonly ok: false; readonly status: "missing" | "invalid"; readonly detail: string };

/** Names of the metrics that the parts of these targets are read from. */
export function partsMetrics(targets: readonly Target[]): Set<string> {
  return new Set(targets.flatMap(({ parts }) => (parts ? [parts.backlogMetric, parts.inboundMetric] : [])));
}

/** The parts of one target, summed over its instances; a sum that is NaN or infinite is unknown, so it is left out. */
export function sumParts(recipe: PartsRecipe, instances: readonly PartsData[]): SummedParts {
  const { label, backlogMetric, inboundMetric } = recipe;
  const backlogs = sumBy(backlogMetric, label, instances);
  const inbounds = sumBy(inboundMetric, label, instances);
  const readings: PartReading[] = [];
  for (const part of [...new Set([...backlogs.keys(), ...inbounds.keys()])].sort()) {
    const backlog = backlogs.get(part);
    const inboundTotal = inbounds.get(part);
    if ((backlog ?? 0) < 0 || (inboundTotal ?? 0) < 0) {
      const metric = (backlog ?? 0) < 0 ? backlogMetric : inboundMetric;
      return { ok: false, status: "invalid", detail: `${metric} of ${part} is negative` };
    }
    const known = {
      ...(Number.isFinite(backlog) ? { backlog } : {}),
      ...(Number.isFinite(inboundTotal) ? { inboundTotal } : {}),
    };
    if (Object.keys(known).length > 0) readings.push({ part, ...known });
  }
  if (readings.length > 0) return { ok: true, parts: readings };
  const detail = `${backlogMetric} and ${inboundMetric} have no value with label ${label}`;
  return { ok: false, status: "missing", detail };
}

function sumBy(metric: string, label: string, instances: readonly PartsData[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const instance of instances)
    for (const [part, value] of instance.currentBy(metric, label))
      sums.set(part, (sums.get(part) ?? 0) + value);
  return sums;
}
