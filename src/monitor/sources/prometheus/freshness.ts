import type { Unusable } from "../../kernel/observation.ts";
import { readRow } from "./vector.ts";

/** When a job was last scraped, by its least trustworthy instance. */
export type Freshness =
  | { readonly ok: true; readonly scrapedMs: number }
  | { readonly ok: false; readonly status: Unusable; readonly detail: string };

export interface FreshnessLimits {
  /** Wall clock at the answer, milliseconds since the Unix epoch. */
  readonly nowMs: number;
  readonly maxSampleAgeMs: number;
  readonly maxFutureMs: number;
}

/** Reads the answer to `freshnessPromql`: for each job, usable or why not. */
export function readFreshness(
  rows: readonly unknown[],
  limits: FreshnessLimits,
): ReadonlyMap<string, Freshness> {
  const result = new Map<string, Freshness>();
  for (const raw of rows) {
    const row = readRow(raw);
    if (!row) continue;
    if (result.has(row.job)) {
      result.set(row.job, invalid(`more than one answer about the last scrape of job ${row.job}`));
    } else if (row.value === undefined || row.value === 0) {
      result.set(row.job, invalid(`time of the last scrape of job ${row.job} is not a number`));
    } else {
      result.set(row.job, judge(row.value, row.instance, limits));
    }
  }
  return result;
}

/** Whether a moment told by the source is acceptable: neither too old nor in the future. */
export function judgeTime(what: string, atMs: number, limits: FreshnessLimits): Freshness {
  const ageMs = limits.nowMs - atMs;
  if (ageMs >= -limits.maxFutureMs && ageMs <= limits.maxSampleAgeMs) return { ok: true, scrapedMs: atMs };
  if (ageMs < -limits.maxFutureMs) {
    return invalid(`${what} is ${seconds(-ageMs)} s in the future (clock skew)`);
  }
  const limit = seconds(limits.maxSampleAgeMs);
  return { ok: false, status: "stale", detail: `${what} is ${seconds(ageMs)} s old, limit ${limit} s` };
}

function judge(signed: number, instance: string, limits: FreshnessLimits): Freshness {
  const time = judgeTime(`last scrape of ${instance}`, Math.round(Math.abs(signed) * 1000), limits);
  if (time.ok && signed < 0) {
    return { ok: false, status: "unreachable", detail: `Prometheus could not scrape ${instance} (up is 0)` };
  }
  return time;
}

function invalid(detail: string): Freshness {
  return { ok: false, status: "invalid", detail };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
