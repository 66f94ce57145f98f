import type { Unusable } from "../../kernel/observation.ts";
import type { Target } from "../../kernel/target.ts";
import type { VectorRow } from "./answer.ts";

/** What one answer says of one target. */
export type Reading =
  | {
      readonly ok: true;
      readonly value: number;
      readonly evaluatedMs: number;
      readonly instance: string | undefined;
    }
  | { readonly ok: false; readonly status: Unusable; readonly detail: string; readonly idle: boolean };

/** An idle service has no quantile and no share. */
const IDLE = "value is NaN (no traffic in the window)";

/**
 * One reading a target, by `keyOf` its labels. `job`: exactly one row each, a second one makes that target `invalid`.
 * `worst_instance`: the largest of one row an instance; an instance without traffic (NaN) is passed over, any other flaw
 * spoils its target only.
 */
export function readTargets(
  rows: readonly VectorRow[],
  aggregate: Target["aggregate"],
): ReadonlyMap<string, Reading> {
  return aggregate === "job" ? readWhole(rows) : readWorstInstances(rows);
}

/** Key of a count: its target, or one instance of it. */
export function countKey(key: string, instance: string | undefined): string {
  return `${key}\n${instance ?? ""}`;
}

/** Counts that are finite and not negative, by `countKey`. */
export function readCounts(rows: readonly VectorRow[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { key, instance, value } of rows)
    if (value !== undefined && value >= 0) counts.set(countKey(key, instance), value);
  return counts;
}

function readWhole(rows: readonly VectorRow[]): ReadonlyMap<string, Reading> {
  const readings = new Map<string, Reading>();
  for (const row of rows)
    readings.set(row.key, readings.has(row.key) ? duplicate("a target") : readingOf(row));
  return readings;
}

function readWorstInstances(rows: readonly VectorRow[]): ReadonlyMap<string, Reading> {
  const readings = new Map<string, Reading>();
  const seen = new Map<string, Set<string>>();
  for (const row of rows) {
    const { key, instance } = row;
    const instances = seen.get(key);
    if (!instances) {
      seen.set(key, new Set([instance]));
      readings.set(key, readingOf(row));
      continue;
    }
    const previous = readings.get(key);
    const reading = instances.has(instance) ? duplicate(`instance ${instance}`) : worse(previous, row);
    if (reading !== previous) readings.set(key, reading);
    instances.add(instance);
  }
  return readings;
}

function worse(previous: Reading | undefined, row: VectorRow): Reading {
  if (!previous || isIdle(previous)) return readingOf(row);
  // The common case first, and without building anything: a good value that is not the largest.
  if (previous.ok && row.value !== undefined && row.value >= 0 && row.value <= previous.value)
    return previous;
  const reading = readingOf(row);
  return !previous.ok || isIdle(reading) ? previous : reading;
}

function isIdle(reading: Reading): boolean {
  return !reading.ok && reading.idle;
}

function readingOf({ value, evaluatedMs, problem, instance }: VectorRow): Reading {
  if (value === undefined) {
    if (problem === "nan") return { ok: false, status: "missing", detail: IDLE, idle: true };
    if (problem === "missing") return unusable("missing", "value is empty or infinite");
    return unusable("invalid", "value is not a number");
  }
  if (value < 0) return unusable("invalid", `value is negative: ${value}`);
  return { ok: true, value: value + 0, evaluatedMs, instance: instance === "" ? undefined : instance };
}

function duplicate(what: string): Reading {
  return unusable("invalid", `more than one series for ${what}: aggregate the query with by ($by)`);
}

function unusable(status: Unusable, detail: string): Reading {
  return { ok: false, status, detail, idle: false };
}
