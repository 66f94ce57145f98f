import type { Unusable } from "../../kernel/observation.ts";
import type { VectorRow } from "./answer.ts";

/** When a target was last scraped, by its least trustworthy instance. */
export type Freshness =
  | { readonly ok: true; readonly scrapedMs: number }
  | {
      readonly ok: false;
      readonly status: Unusable;
      readonly detail: string;
      /** The instance, where its last scrape failed. */
      readonly down?: string;
    };

export interface FreshnessLimits {
  /** Wall clock at the answer, milliseconds since the Unix epoch. */
  readonly nowMs: number;
  readonly maxSampleAgeMs: number;
  readonly maxFutureMs: number;
}

/** Reads the answer to `Template.scraped`: for each target, usable or why not. */
export function readFreshness(
  rows: readonly VectorRow[],
  limits: FreshnessLimits,
): ReadonlyMap<string, Freshness> {
  const result = new Map<string, Freshness>();
  for (const { key, value, instance } of rows) {
    if (result.has(key)) result.set(key, invalid("more than one answer about its last scrape"));
    else if (value === undefined || value === 0)
      result.set(key, invalid("time of its last scrape is not a number"));
    else result.set(key, judge(value, instance === "" ? "it" : instance, limits));
  }
  return result;
}

/** Reads the answer to a query of `agesOf`: for each target, the time of the oldest sample that is used. */
export function readAges(
  rows: readonly VectorRow[],
  metric: string,
  limits: FreshnessLimits,
): ReadonlyMap<string, Freshness> {
  const result = new Map<string, Freshness>();
  for (const { key, value } of rows) {
    if (result.has(key) || value === undefined || value <= 0)
      result.set(key, invalid(`time of ${metric} is not a number`));
    else result.set(key, judgeTime(`newest sample of ${metric}`, Math.round(value * 1000), limits));
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
    const detail = `Prometheus could not scrape ${instance} (up is 0)`;
    return { ok: false, status: "unreachable", detail, down: instance };
  }
  return time;
}

function invalid(detail: string): Freshness {
  return { ok: false, status: "invalid", detail };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
