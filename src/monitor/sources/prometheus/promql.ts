import type { Names } from "./identity.ts";

/** Characters with a meaning in RE2, the regular expressions of PromQL. */
const RE2_META = /[\\.+*?()|[\]{}^$]/g;

export interface PromqlValues {
  /** Labels to select and to group by, `job` first. */
  readonly names: Names;
  /** Values of those labels, one list a target; at least one. */
  readonly identities: readonly (readonly string[])[];
  /** Whether `$by` keeps every instance apart. */
  readonly byInstance: boolean;
  /** Rate window in milliseconds; a whole number of milliseconds above zero. */
  readonly windowMs: number;
  /** Oldest sample that counts, milliseconds. */
  readonly ageMs: number;
}

/**
 * Alternation that matches exactly these label values, ready to stand inside a quoted PromQL string.
 *
 * PromQL anchors every matcher itself, so `a|b` matches `a` and `b` and nothing longer. No group is added around it:
 * Prometheus turns a bare alternation of literals into index look-ups, and a group would defeat that.
 */
export function alternation(values: readonly string[]): string {
  const pattern = values.map((value) => value.replace(RE2_META, "\\$&")).join("|");
  // Quotes become hex escapes, which hold in PromQL strings of either quote; \' inside "…" would be an error.
  return pattern
    .replaceAll("\\", "\\\\")
    .replaceAll('"', "\\x22")
    .replaceAll("'", "\\x27")
    .replaceAll("\n", "\\n");
}

/** A PromQL duration, in seconds where it is whole seconds. */
export function promqlDuration(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/**
 * Fills the placeholders: `$jobs` and `$by`, `$window`, and those of the source itself, `$id` (labels that tell targets
 * apart) and `$age`. Where a matcher is just `"$jobs"`, the matchers of the other labels stand beside it.
 */
export function renderPromql(template: string, values: PromqlValues): string {
  const { names, identities, byInstance } = values;
  const distinct = (at: number) => alternation([...new Set(identities.map((one) => one[at] as string))]);
  const jobs = distinct(0);
  const matchers = [`"${jobs}"`, ...names.slice(1).map((name, i) => `${name}=~"${distinct(i + 1)}"`)];
  const id = names.join(", ");
  const others: Record<string, string> = {
    $jobs: jobs,
    $by: byInstance ? `${id}, instance` : id,
    $id: id,
    $window: promqlDuration(values.windowMs),
    $age: `${values.ageMs / 1000}`,
  };
  return template
    .replace(/(["'`])\$jobs\1/g, () => matchers.join(", "))
    .replace(/\$(?:jobs|by|id|window|age)\b/g, (placeholder) => others[placeholder] as string);
}

/** Start times are compared over this. */
export const STARTS_SPAN = "10m";
/** Start times that differ by less are one that is rounded, seconds. */
const SAME_START_S = 5;

/**
 * For each target that tells when its process started: how often that went back in the last minutes. It cannot: then
 * several processes answer under one address.
 * @param matchers of the series.
 */
export function startsPromql(matchers: string): string {
  const start = `process_start_time_seconds{${matchers}}[${STARTS_SPAN}]`;
  const apart = `(max_over_time(${start}) - min_over_time(${start}) > bool ${SAME_START_S})`;
  return `max by ($id) (resets(${start}) * ${apart})`;
}
