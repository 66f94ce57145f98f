import type { HistorySample } from "../../../monitor/kernel/observation.ts";
import type { Series } from "../../../monitor/kernel/target.ts";
import { EPOCH_MS } from "../engine/time.ts";
import type { ActiveFaults } from "../faults/active.ts";
import type { SignalName, TargetSpec } from "../scenario.ts";
import type { Truth } from "./truth.ts";

/** A series as Prometheus knows it. */
export interface Known {
  readonly index: number;
  readonly target: number;
  readonly job: string;
  readonly signal: SignalName;
  readonly windowed: boolean;
  readonly levels: { readonly slo: number; readonly limit: number };
}

/** One value as it is served: a number, or what stands in its place in the JSON. */
export interface ServedRow {
  readonly value: number | "NaN" | "+Inf" | "" | null;
  readonly twice: boolean;
  /** Undefined: nothing is wrong with it. */
  readonly flaw: string | undefined;
}

/** When a job was last scraped, as it is served. */
export interface ServedScrape {
  /** On Prometheus' clock, milliseconds since the Unix epoch. */
  readonly wallMs: number;
  /** World time. */
  readonly atMs: number;
  readonly up: boolean;
}

interface Scraped {
  readonly up: boolean;
  readonly atMs: number;
  readonly gone: boolean;
}

/** What happens to an answer as a whole. */
const TRANSPORT = [
  "prom_refused",
  "prom_500",
  "prom_hangs",
  "prom_drips",
  "prom_slow",
  "prom_html",
  "prom_bad_json",
  "prom_truncated",
  "prom_error",
  "prom_warnings",
  "prom_redirect",
  "prom_huge",
] as const;
export type Transport = (typeof TRANSPORT)[number];

const VALUES = [
  ["prom_nan", "NaN"],
  ["prom_infinite", "+Inf"],
  ["prom_null", null],
  ["prom_empty_text", ""],
  ["prom_negative", -1],
] as const;

const SCRAPE_MS = 15_000;
const HOUR = 3_600_000;

/** The Prometheus of a world: what it scraped, and what becomes of that on the way out. */
export class PrometheusModel {
  readonly #faults: ActiveFaults;
  readonly #truth: Truth;
  readonly #targets: readonly TargetSpec[];
  readonly #rateWindowMs: number;
  readonly #now: () => number;
  /** How far its wall clock is off, beside its faults. */
  wallOffsetMs = 0;

  constructor(input: {
    faults: ActiveFaults;
    truth: Truth;
    targets: readonly TargetSpec[];
    rateWindowMs: number;
    now: () => number;
  }) {
    this.#faults = input.faults;
    this.#truth = input.truth;
    this.#targets = input.targets;
    this.#rateWindowMs = input.rateWindowMs;
    this.#now = input.now;
  }

  /** The fault that strikes this answer as a whole. */
  transport(): Transport | undefined {
    for (const kind of TRANSPORT) if (this.#faults.meet(kind) !== undefined) return kind;
    return undefined;
  }

  /** Its wall clock now. */
  wallMs(): number {
    return EPOCH_MS + this.#now() + this.#offset();
  }

  #offset(): number {
    let offset = this.wallOffsetMs;
    if (this.#faults.meet("prom_ahead") !== undefined) offset += HOUR;
    if (this.#faults.meet("prom_behind") !== undefined) offset -= HOUR;
    return offset;
  }

  /** The last scrape of a target; undefined: it knows no such job. */
  scrape(target: number): ServedScrape | undefined {
    return this.#scrapeOf(this.#scraped(target));
  }

  #scrapeOf({ up, atMs, gone }: Scraped): ServedScrape | undefined {
    return gone ? undefined : { up, atMs, wallMs: EPOCH_MS + atMs + this.#offset() };
  }

  /** The last scrape of a series' target, and its value then. */
  served(series: Known): { readonly scrape: ServedScrape; readonly row: ServedRow } | undefined {
    const scraped = this.#scraped(series.target);
    const scrape = this.#scrapeOf(scraped);
    const row = this.#rowOf(series, scraped);
    return scrape === undefined || row === undefined ? undefined : { scrape, row };
  }

  #scraped(target: number): Scraped {
    const phase = (target * 3700) % SCRAPE_MS;
    const before = (ms: number) => Math.floor((ms - phase) / SCRAPE_MS) * SCRAPE_MS + phase;
    let atMs = before(this.#now());
    const frozen = this.#faults.meet("prom_frozen") ?? this.#faults.meet("prom_not_scraped", target);
    if (frozen !== undefined) atMs = Math.min(atMs, before(frozen.event.atMs));
    const gone = this.#gone(target) || this.#faults.meet("prom_absent", target) !== undefined;
    return { up: this.#faults.meet("prom_scrape_failed", target) === undefined, atMs, gone };
  }

  #gone(target: number): boolean {
    if (this.#faults.meet("prom_empty") !== undefined) return true;
    return target % 2 === 0 && this.#faults.meet("prom_half_empty") !== undefined;
  }

  /** The value of a series; undefined: there is no such series. */
  row(series: Known): ServedRow | undefined {
    return this.#rowOf(series, this.#scraped(series.target));
  }

  #rowOf(series: Known, { atMs, gone, up }: Scraped): ServedRow | undefined {
    const { target } = series;
    if (gone) return undefined;
    for (const [kind, value] of VALUES)
      if (this.#faults.meet(kind) !== undefined) return { value, twice: false, flaw: kind };
    const twice = this.#faults.meet("prom_duplicate", target) !== undefined;
    if (series.signal !== "memory" && series.signal !== "backlog" && this.#truth.idle(target, atMs))
      return { value: "NaN", twice, flaw: "no traffic" };
    const flaw = twice ? "two series" : up ? undefined : "up is 0";
    return { value: this.valueAt(series, atMs), twice, flaw };
  }

  /** As it would be stored of a scrape at this moment: over the rate window where it is a rate. */
  valueAt(series: Known, atMs: number): number {
    const { target, signal, index, levels, windowed } = series;
    const read = (ms: number) => this.#truth.value({ target, signal, index, levels }, Math.max(0, ms));
    if (!windowed) return read(atMs);
    const w = this.#rateWindowMs;
    return (read(atMs) + read(atMs - 0.33 * w) + read(atMs - 0.66 * w)) / 3;
  }

  /** Requests in the rate window. */
  support(target: number): number {
    return this.#truth.idle(target, this.#now()) ? 0 : 600;
  }

  /** Backlog and inbound count of each region of a target. */
  parts(target: number, limit: number): { part: string; backlog: number; inboundTotal: number }[] {
    const { atMs } = this.#scraped(target);
    return (this.#targets[target]?.regions ?? []).map((part) => ({
      part,
      backlog: Math.round(2 + limit * this.#truth.level(target, "backlog", atMs, part)),
      inboundTotal: this.#truth.inbound(target, part, atMs),
    }));
  }

  /** The past, on its clock. */
  history(series: Known, grid: { fromMs: number; toMs: number; stepMs: number }): HistorySample[] {
    const samples: HistorySample[] = [];
    const offset = this.#offset();
    for (let ms = Math.ceil(grid.fromMs / grid.stepMs) * grid.stepMs; ms <= grid.toMs; ms += grid.stepMs) {
      const atMs = ms - EPOCH_MS - offset;
      if (atMs < 0 || atMs > this.#now() || this.#truth.idle(series.target, atMs)) continue;
      samples.push({ timestampMs: ms, value: this.valueAt(series, atMs) });
    }
    return samples;
  }
}

/** The plan of a loop as Prometheus knows it. */
export function knownSeries(plan: readonly Series[], targets: readonly TargetSpec[]): Known[] {
  return plan.map(({ index, target, signal }) => ({
    index,
    target: targets.findIndex((t) => t.name === target.name),
    job: target.job,
    signal: signal.name as SignalName,
    windowed: signal.windowed,
    levels: signal.thresholds,
  }));
}
