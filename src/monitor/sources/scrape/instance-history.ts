import type { RecipeData, RecipeSeries } from "./calculate.ts";
import type { Exposition, ExpositionSample } from "./parser.ts";

/** Samples kept of one series in one window; scrapes that come closer together only renew the current value. */
const SAMPLES_PER_WINDOW = 240;
/** Series of interest that one instance may have; a page with more is refused. */
const MAX_SERIES_PER_INSTANCE = 20_000;
/** How far a page's own timestamp may lie ahead of our clock, milliseconds. */
const MAX_FUTURE_MS = 5_000;

interface StoredSeries extends RecipeSeries {
  readonly labels: ExpositionSample["labels"];
  readonly times: number[];
  readonly values: number[];
  current: number;
  /** Number of the page it was last seen on. */
  page: number;
}

/** When a page was asked for: both clocks, as durations are taken on one and page timestamps on the other. */
export interface PageTime {
  readonly monoMs: number;
  readonly wallMs: number;
}

/**
 * The samples of one instance within the rate window: bounded in time, in samples a series and in series.
 * Times are on the monotonic clock, so a step of the wall clock makes no rate wrong.
 */
export class InstanceHistory implements RecipeData {
  readonly #windowMs: number;
  readonly #series = new Map<string, Map<string, StoredSeries>>();
  #declared: ReadonlySet<string> = new Set();
  #page = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /**
   * Takes in one page. Returns what is wrong with it, if anything: then nothing of it is kept.
   * A page's own timestamps are honoured; too old or future ones make it unusable.
   */
  add({ samples, declared }: Exposition, time: PageTime): string | undefined {
    if (samples.length > MAX_SERIES_PER_INSTANCE) {
      return `page has ${samples.length} series of interest, at most ${MAX_SERIES_PER_INSTANCE} are accepted`;
    }
    const problem = flawIn(samples, time, this.#windowMs);
    if (problem !== undefined) return problem;
    this.#page += 1;
    this.#declared = declared;
    for (const sample of samples) this.#store(sample, time);
    this.expire(time.monoMs);
    return undefined;
  }

  /** Drops samples that have left the window, and series without any. */
  expire(monoMs: number): void {
    const oldest = monoMs - this.#windowMs;
    for (const [name, family] of this.#series) {
      for (const [key, series] of family) {
        let expired = 0;
        while ((series.times[expired] ?? Number.POSITIVE_INFINITY) <= oldest) expired += 1;
        if (expired > 0) {
          series.times.splice(0, expired);
          series.values.splice(0, expired);
        }
        if (series.times.length === 0) family.delete(key);
      }
      if (family.size === 0) this.#series.delete(name);
    }
  }

  series(metric: string): readonly RecipeSeries[] {
    return [...(this.#series.get(metric)?.values() ?? [])];
  }

  current(metric: string): readonly number[] {
    const values: number[] = [];
    for (const series of this.#series.get(metric)?.values() ?? []) {
      if (series.page === this.#page) values.push(series.current);
    }
    return values;
  }

  /** Newest values of a metric on the newest page, summed by the value of a label; series without the label are left out. */
  currentBy(metric: string, label: string): ReadonlyMap<string, number> {
    const sums = new Map<string, number>();
    for (const series of this.#series.get(metric)?.values() ?? []) {
      const part = series.labels.find(([name]) => name === label)?.[1];
      if (series.page !== this.#page || part === undefined || part === "") continue;
      sums.set(part, (sums.get(part) ?? 0) + series.current);
    }
    return sums;
  }

  declared(metric: string): boolean {
    return this.#declared.has(metric);
  }

  /** Samples held, over all series. */
  get size(): number {
    let size = 0;
    for (const family of this.#series.values())
      for (const series of family.values()) size += series.times.length;
    return size;
  }

  #store({ name, labels, value, timestampMs }: ExpositionSample, time: PageTime): void {
    let family = this.#series.get(name);
    if (!family) {
      family = new Map();
      this.#series.set(name, family);
    }
    const key = keyOf(labels);
    let series = family.get(key);
    if (!series) {
      series = { labels, le: boundOf(labels), times: [], values: [], current: value, page: this.#page };
      family.set(key, series);
    }
    series.current = value;
    series.page = this.#page;
    const at = time.monoMs - (timestampMs === undefined ? 0 : time.wallMs - timestampMs);
    const previous = series.times.at(-1);
    if (previous === undefined || at - previous >= this.#windowMs / SAMPLES_PER_WINDOW) {
      series.times.push(at);
      series.values.push(value);
    }
  }
}

function flawIn(samples: readonly ExpositionSample[], time: PageTime, windowMs: number): string | undefined {
  const seen = new Set<string>();
  for (const { name, labels, timestampMs } of samples) {
    const key = `${name}\n${keyOf(labels)}`;
    if (seen.has(key)) return `series ${name} is given twice with the same labels`;
    seen.add(key);
    if (timestampMs === undefined) continue;
    const ageMs = time.wallMs - timestampMs;
    if (ageMs > windowMs) return `timestamp of ${name} is ${(ageMs / 1000).toFixed(1)} s old`;
    if (ageMs < -MAX_FUTURE_MS)
      return `timestamp of ${name} is ${(-ageMs / 1000).toFixed(1)} s in the future`;
  }
  return undefined;
}

function keyOf(labels: ExpositionSample["labels"]): string {
  let key = "";
  for (const [name, value] of labels) key += `${name}=${value.length}:${value},`;
  return key;
}

function boundOf(labels: ExpositionSample["labels"]): number | undefined {
  const text = labels.find(([name]) => name === "le")?.[1];
  if (text === undefined || text === "") return undefined;
  const bound = text === "+Inf" ? Number.POSITIVE_INFINITY : Number(text);
  return Number.isNaN(bound) ? undefined : bound;
}
