import { isObject } from "../../../common/net/json.ts";
import type { Series, Target } from "../../kernel/target.ts";
import { labelOf } from "./answer.ts";
import type { QueryClient } from "./client.ts";
import type { Spans } from "./groups.ts";
import { described, identityNames, identityOf, keyOf, type Names } from "./identity.ts";

/** How often Prometheus is asked for its targets; and how soon again where something cannot be found, milliseconds. */
const REFRESH_MS = 600_000;
const RETRY_MS = 60_000;
/** A rate needs two scrapes in its window; in one that is widened there are four. */
const LEAST = 2;
const WIDENED = 4;

/** What Prometheus says of the instances of one target. */
export interface Scraping {
  /** The longest of their scrape intervals, milliseconds; undefined where it is not told. */
  intervalMs: number | undefined;
  /** Why the last scrape of one of them failed. */
  lastError: string | undefined;
  /** Whether none of them was ever scraped. */
  untouched: boolean;
}

interface Options {
  readonly client: Pick<QueryClient, "get">;
  readonly configured: Spans;
  readonly notice: (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

/** How often each target is scraped, from Prometheus itself, and how long rate windows and ages must therefore be. */
export class Intervals {
  readonly #options: Options;
  #known = new Map<string, Scraping>();
  readonly #measured = new Map<string, number>();
  readonly #told = new Map<string, number>();
  #askedMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();
  /** Grows when spans have changed. */
  version = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** The configured spans, or longer ones where a target is scraped so rarely that these would hold nothing. */
  spansOf(target: Target): Spans {
    const { configured } = this.#options;
    const intervalMs = this.#intervalOf(keyOfTarget(target));
    if (intervalMs === undefined) return configured;
    const enough = (ms: number) => (ms >= LEAST * intervalMs ? ms : WIDENED * intervalMs);
    return { windowMs: enough(configured.windowMs), ageMs: enough(configured.ageMs) };
  }

  /** What is known of the scraping of a target. */
  scrapingOf(names: Names, identity: readonly string[]): Scraping | undefined {
    return this.#known.get(fullKey(names, identity));
  }

  /**
   * Reads the targets when it is time. Waited for only when nothing is known yet, or something is missing: an endpoint
   * that hangs must not cost a cycle.
   * @param missing something cannot be found, so sooner.
   */
  async refresh(
    plan: readonly Series[],
    monoMs: number,
    signal: AbortSignal,
    missing = false,
  ): Promise<void> {
    const first = this.#askedMs === Number.NEGATIVE_INFINITY;
    if (monoMs - this.#askedMs >= (missing ? RETRY_MS : REFRESH_MS)) {
      this.#askedMs = monoMs;
      this.#running = this.#read(plan, signal);
    }
    if (first || missing) await this.#running;
  }

  async #read(plan: readonly Series[], signal: AbortSignal): Promise<void> {
    const answer = await this.#options.client.get("/api/v1/targets?state=active", signal);
    // Thanos and Mimir have no such list: then intervals are measured where a rate finds too few samples.
    if (!answer.ok) return;
    const targets = [...new Set(plan.map(({ target }) => target))];
    this.#known = readTargets(answer.text, targets);
    this.#settle(targets);
  }

  /** What the samples themselves show, where Prometheus does not tell. */
  measured(target: Target, intervalMs: number): void {
    const key = keyOfTarget(target);
    if (this.#known.get(key)?.intervalMs !== undefined) return;
    const before = this.#measured.get(key);
    if (before !== undefined && Math.abs(before - intervalMs) < 0.2 * before) return;
    this.#measured.set(key, intervalMs);
    this.#settle([target]);
  }

  #intervalOf(key: string): number | undefined {
    return this.#known.get(key)?.intervalMs ?? this.#measured.get(key);
  }

  #settle(targets: readonly Target[]): void {
    const { configured, notice } = this.#options;
    for (const target of targets) {
      const key = keyOfTarget(target);
      const intervalMs = this.#intervalOf(key);
      if (intervalMs === undefined || intervalMs === this.#told.get(key)) continue;
      this.#told.set(key, intervalMs);
      this.version += 1;
      const { windowMs, ageMs } = this.spansOf(target);
      if (windowMs === configured.windowMs && ageMs === configured.ageMs) continue;
      notice("scraped too rarely for the configured window, widened", {
        source: "prometheus",
        target: target.name,
        scrape_interval_seconds: intervalMs / 1000,
        rate_window_seconds: windowMs / 1000,
        configured_rate_window_seconds: configured.windowMs / 1000,
        max_sample_age_seconds: ageMs / 1000,
        configured_max_sample_age_seconds: configured.ageMs / 1000,
      });
    }
  }
}

function keyOfTarget(target: Target): string {
  const names = identityNames(target);
  return fullKey(names, identityOf(target, names));
}

function fullKey(names: Names, identity: readonly string[]): string {
  return described(names, identity);
}

/** The answer of `/api/v1/targets`, by target; what is not as documented is passed over. */
function readTargets(text: string, targets: readonly Target[]): Map<string, Scraping> {
  const found = new Map<string, Scraping>();
  const wanted = Map.groupBy(targets, (target) => identityNames(target).join(","));
  const keys = [...wanted.values()].map((some) => ({
    names: identityNames(some[0] as Target),
    of: new Set(some.map((target) => keyOf(identityOf(target, identityNames(target))))),
  }));
  for (const { labels, ...more } of activeTargets(text)) {
    for (const { names, of } of keys) {
      const identity = names.map((name) => labelOf(labels, name) ?? "");
      if (!of.has(keyOf(identity))) continue;
      const key = fullKey(names, identity);
      const before = found.get(key) ?? { intervalMs: undefined, lastError: undefined, untouched: true };
      const intervalMs = durationMs(more.scrapeInterval);
      const longest = Math.max(before.intervalMs ?? 0, intervalMs ?? 0);
      found.set(key, {
        intervalMs: longest === 0 ? undefined : longest,
        lastError: before.lastError ?? (textOf(more.lastError) || undefined),
        untouched: before.untouched && textOf(more.lastScrape).startsWith("0001-01-01"),
      });
    }
  }
  return found;
}

function activeTargets(text: string): (Record<string, unknown> & { labels: Record<string, unknown> })[] {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return [];
  }
  const data = isObject(answer) ? answer.data : undefined;
  const list = isObject(data) && Array.isArray(data.activeTargets) ? (data.activeTargets as unknown[]) : [];
  return list.flatMap((one) => (isObject(one) && isObject(one.labels) ? { ...one, labels: one.labels } : []));
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `1m30s` in milliseconds. */
function durationMs(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^(?:\d+(?:ms|[smhd]))+$/.test(value)) return undefined;
  return [...value.matchAll(/(\d+)(ms|[smhd])/g)].reduce(
    (sum, [, digits, unit]) => sum + Number(digits) * (UNITS[unit as string] as number),
    0,
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
