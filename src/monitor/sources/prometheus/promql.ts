/** Characters with a meaning in RE2, the regular expressions of PromQL. */
const RE2_META = /[\\.+*?()|[\]{}^$]/g;

export interface PromqlValues {
  /** Values of the `job` label to select; at least one. */
  readonly jobs: readonly string[];
  /** Grouping labels, e.g. `["job", "instance"]`. */
  readonly by: readonly string[];
  /** Rate window in milliseconds; a whole number of milliseconds above zero. */
  readonly windowMs: number;
}

/**
 * Alternation that matches exactly these label values, ready to stand inside a quoted PromQL string.
 *
 * PromQL anchors every matcher itself, so `a|b` matches `a` and `b` and nothing longer. No group is added around it:
 * Prometheus turns a bare alternation of literals into index look-ups, and a group would defeat that.
 * @internal for its tests
 */
export function jobAlternation(jobs: readonly string[]): string {
  const pattern = jobs.map((job) => job.replace(RE2_META, "\\$&")).join("|");
  // Quotes become hex escapes, which hold in PromQL strings of either quote; \' inside "…" would be an error.
  return pattern
    .replaceAll("\\", "\\\\")
    .replaceAll('"', "\\x22")
    .replaceAll("'", "\\x27")
    .replaceAll("\n", "\\n");
}

/** A PromQL duration, in seconds where it is whole seconds. @internal for its tests */
export function promqlDuration(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** Fills `$jobs`, `$by` and `$window`. */
export function renderPromql(template: string, { jobs, by, windowMs }: PromqlValues): string {
  const values: Record<string, string> = {
    $jobs: jobAlternation(jobs),
    $by: by.join(", "),
    $window: promqlDuration(windowMs),
  };
  return template.replace(/\$(?:jobs|by|window)\b/g, (placeholder) => values[placeholder] ?? placeholder);
}

/**
 * For each job, its least trustworthy instance: one that is down, otherwise the one scraped longest ago.
 * The value is the time of the last scrape in Unix seconds, negative when that scrape failed.
 *
 * An instant query stamps every result with the evaluation time, whatever the age of the samples below it;
 * `timestamp()` of a plain selector is the exception and tells the sample's own time.
 */
export function freshnessPromql(jobs: readonly string[]): string {
  const up = `up{job=~"${jobAlternation(jobs)}"}`;
  return `bottomk by (job) (1, timestamp(${up}) * (2 * ${up} - 1))`;
}

/** A metric summed over everything but the job and the label that names its part; series without the label are no part. */
export function partsPromql(metric: string, label: string, jobs: readonly string[]): string {
  return `sum by (job, ${label}) (${metric}{job=~"${jobAlternation(jobs)}", ${label}!=""})`;
}
