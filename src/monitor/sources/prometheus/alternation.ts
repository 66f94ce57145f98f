import type { VectorRow } from "./answer.ts";
import { STARTS_SPAN } from "./promql.ts";

/** How long counters that were seen to alternate are not trusted, milliseconds. */
const STICKY_MS = 300_000;

/**
 * Counters that fell twice in one rate window, or fell and have returned above all they were before: for targets that do
 * not tell when their process started.
 * @param one selector of the counters.
 */
export function fallsPromql(one: string): string {
  const range = `${one}[$window]`;
  return `max by ($id) ((resets(${range}) >= 2) or (resets(${range}) >= 1 and ${one} >= max_over_time(${range})))`;
}

/** Which targets were seen to answer with several processes, and how that was seen. */
export class Alternation {
  readonly #seen = new Map<string, { readonly untilMs: number; readonly why: string }>();
  readonly #startless = new Set<string>();

  /** Takes in an answer to `startsPromql`. @param keys of all targets that it asked for. */
  starts(rows: readonly VectorRow[], keys: Iterable<string>, nowMs: number): void {
    const told = new Map(rows.map(({ key, value }) => [key, value ?? 0]));
    for (const key of keys) {
      const times = told.get(key);
      if (times === undefined) this.#startless.add(key);
      else {
        this.#startless.delete(key);
        if (!(times > 0)) this.#seen.delete(key);
        else this.#note(key, nowMs, `process_start_time_seconds went back ${times} times in ${STARTS_SPAN}`);
      }
    }
  }

  /** Takes in an answer to `fallsPromql`. */
  falls(rows: readonly VectorRow[], metric: string, nowMs: number): void {
    for (const { key, value } of rows)
      if (value !== undefined && this.#startless.has(key))
        this.#note(key, nowMs, `${metric} falls and returns`);
  }

  /** Targets whose counters have to be looked at. */
  startless(keys: Iterable<string>): string[] {
    return [...keys].filter((key) => this.#startless.has(key));
  }

  /** Why a target is not to be trusted. */
  why(key: string, nowMs: number): string | undefined {
    const seen = this.#seen.get(key);
    if (seen === undefined || nowMs >= seen.untilMs) return undefined;
    return `several processes answer under one address: ${seen.why}; give each replica a target of its own in Prometheus`;
  }

  #note(key: string, nowMs: number, why: string): void {
    this.#seen.set(key, { untilMs: nowMs + STICKY_MS, why });
  }
}
