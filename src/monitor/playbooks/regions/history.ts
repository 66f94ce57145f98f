import type { PartsObservation } from "../../kernel/observation.ts";
import type { PartReading } from "../../kernel/parts.ts";
import type { Instant } from "../../kernel/time.ts";
import { createUsual, LEAST_USUAL, learn, type Usual } from "./usual.ts";

/** Regions that are compared at most; with more, none is chosen. */
export const MAX_REGIONS = 64;
/** Readings closer together than this are one, milliseconds: the noise of their rate would drown it. */
const LEAST_STEP_MS = 500;
/** A reading is too old, or a gap too long for a rate, beyond this and beyond so many usual steps. */
const GAP_MS = 60_000;
const GAP_STEPS = 4;
/** A region that is not shown any more is forgotten after this, and after so many usual steps. */
const FORGET_MS = 600_000;
const FORGET_STEPS = 10;
/** Time constant of smoothed rates in steps, inbound and outbound, from the window to this, seconds. Growth has this always. */
const INBOUND_STEPS = 4;
const OUTBOUND_STEPS = 1;
const SMOOTH_MOST_S = 60;
/** Window of a history that is told no other, seconds: what a source's noise and a moment's hesitation need. */
const WINDOW_S = 20;
/** Passing on at most this share of what comes, with a growing backlog, is to be starved. */
const STARVED_SHARE = 0.5;
/** A step whose rate is so many times the usual is high. */
const HIGH_TIMES = 2;
/** Timestamps further off than this are of a clock that jumped, milliseconds. */
const MAX_AGE_MS = 3_600_000;

/** An exponentially weighted mean; its first values count alike, so that a fresh one is not the first value's echo. */
interface Mean {
  readonly value: number;
  readonly steps: number;
}

/** The counts of one reading, and the rates since the one before; NaN is unknown. */
interface Shown {
  readonly atMs: number;
  readonly total: number;
  readonly backlog: number;
  readonly inbound: number;
  readonly growth: number;
}

const NOTHING: Mean = { value: 0, steps: 0 };
const UNKNOWN = { total: Number.NaN, backlog: Number.NaN, inbound: Number.NaN, growth: Number.NaN };

/** What is known of one region; times are monotonic milliseconds, rates messages a second. Constant size. */
export interface RegionPast {
  readonly name: string;
  readonly firstAtMs: number;
  /** Cumulative count when the watch began; NaN when the counter began again since. */
  firstTotal: number;
  /** As it was last shown. */
  last: Shown;
  /** It has had a backlog: only such a part can be the cause of one. */
  queues: boolean;
  inbound: Mean;
  /** Inbound less growth: what leaves. */
  outbound: Mean;
  /** Of the backlog. */
  growth: Mean;
  /** Since when little of what comes has been leaving; NaN: it is not so. */
  starvedSinceMs: number;
  /** When the newest two high steps were. */
  highAtMs: readonly number[];
  readonly usual: Usual;
}

/** The past of the regions of one target. Constant memory: at most `MAX_REGIONS`. All but the window is changed by `observeParts` only. */
export interface RegionHistory {
  readonly regions: Map<string, RegionPast>;
  /** Least time constant of smoothed rates, and how long a region must have been starved, seconds; at most 60. */
  windowS: number;
  source: string | undefined;
  /** When the newest reading was taken, monotonic milliseconds. */
  sampledAtMs: number;
  /** Usual distance of readings, milliseconds; 0 before there are two. */
  stepMs: number;
  /** Regions of the newest reading that found no room. */
  left: number;
}

/** An empty history, for the regions of one target. */
export function createRegionHistory(): RegionHistory {
  const sampledAtMs = Number.NEGATIVE_INFINITY;
  return { regions: new Map(), windowS: WINDOW_S, source: undefined, sampledAtMs, stepMs: 0, left: 0 };
}

/** How old the newest reading may be, and how far apart two readings for a rate between them, milliseconds. */
export function gapLimitMs({ stepMs }: RegionHistory): number {
  return Math.max(GAP_MS, GAP_STEPS * stepMs);
}

/**
 * Takes in one reading, O(regions). One without data, one that was taken in before, or one that names a region twice
 * changes nothing. Rates are per monotonic time between the moments the samples were taken, so neither a step of the
 * wall clock nor a source that is asked more often than it scrapes bends them. A counter that fell, a longer gap and
 * another source give no rate, and the count starts from there.
 */
export function observeParts(history: RegionHistory, parts: PartsObservation, now: Instant): void {
  if (parts.status !== "ok") return;
  const ageMs = now.wallMs - parts.timestampMs;
  if (!(Math.abs(ageMs) <= MAX_AGE_MS)) return;
  if (new Set(parts.parts.map(({ part }) => part)).size < parts.parts.length) return;
  const atMs = now.monoMs - ageMs;
  const { regions } = history;
  if (history.source !== parts.source) {
    // Two sources may see different instances: their counts are not comparable.
    for (const past of regions.values()) restart(past, { ...UNKNOWN, atMs: past.last.atMs });
    history.source = parts.source;
  } else {
    const stepMs = atMs - history.sampledAtMs;
    if (stepMs < LEAST_STEP_MS) return;
    const usualMs = history.stepMs || stepMs;
    // A single gap must not pass for the new pace, a new pace must be learned.
    history.stepMs = usualMs + 0.2 * (Math.min(stepMs, 4 * usualMs) - usualMs);
  }
  history.sampledAtMs = atMs;
  const forgetMs = Math.max(FORGET_MS, FORGET_STEPS * history.stepMs);
  for (const [name, { last }] of regions) if (atMs - last.atMs > forgetMs) regions.delete(name);
  history.left = 0;
  for (const reading of parts.parts) {
    const past = regions.get(reading.part);
    if (past !== undefined) take(history, past, reading);
    else if (regions.size < MAX_REGIONS) regions.set(reading.part, begin(reading, atMs));
    else history.left += 1;
  }
}

function shown({ inboundTotal, backlog }: PartReading, atMs: number): Shown {
  return { ...UNKNOWN, atMs, total: countOf(inboundTotal), backlog: countOf(backlog) };
}

/** NaN for what is no count, or one whose sums would not be exact. */
function countOf(value: number | undefined): number {
  return value !== undefined && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
}

function begin(reading: PartReading, atMs: number): RegionPast {
  const last = shown(reading, atMs);
  return {
    name: reading.part,
    firstAtMs: atMs,
    firstTotal: last.total,
    last,
    queues: last.backlog >= 0,
    inbound: NOTHING,
    outbound: NOTHING,
    growth: NOTHING,
    starvedSinceMs: Number.NaN,
    highAtMs: [],
    usual: createUsual(),
  };
}

/** Takes the counts off the line they hang on; what was learned stays. */
function restart(past: RegionPast, last: Shown): void {
  past.last = last;
  past.inbound = past.outbound = past.growth = NOTHING;
  past.starvedSinceMs = Number.NaN;
}

function take(history: RegionHistory, past: RegionPast, reading: PartReading): void {
  const { sampledAtMs: atMs, stepMs, windowS } = history;
  const { last, usual } = past;
  const now = shown(reading, atMs);
  past.queues ||= now.backlog >= 0;
  if (atMs - last.atMs > gapLimitMs(history)) {
    restart(past, now);
    return;
  }
  const seconds = (atMs - last.atMs) / 1000;
  // A count that fell is a process that began again: this step's rate is unknown, what was known before still holds.
  const fell = now.total < last.total;
  if (fell) past.firstTotal = Number.NaN;
  const inbound = fell ? Number.NaN : (now.total - last.total) / seconds;
  const growth = (now.backlog - last.backlog) / seconds;
  past.last = { ...now, inbound, growth };
  const over = (steps: number) => Math.min(SMOOTH_MOST_S, Math.max(windowS, (steps * stepMs) / 1000));
  past.inbound = smoothed(past.inbound, inbound, seconds / over(INBOUND_STEPS));
  past.outbound = smoothed(past.outbound, Math.max(0, inbound - growth), seconds / over(OUTBOUND_STEPS));
  past.growth = smoothed(past.growth, growth, seconds / SMOOTH_MOST_S);
  // After a burst a backlog only falls: one that is starved goes on growing.
  const isStarved = past.growth.value > 0 && past.outbound.value <= STARVED_SHARE * past.inbound.value;
  past.starvedSinceMs = isStarved ? past.starvedSinceMs || last.atMs : Number.NaN;
  if (Number.isNaN(inbound)) return;
  if (inbound >= HIGH_TIMES * Math.max(usual.rate ?? Infinity, LEAST_USUAL))
    past.highAtMs = [...past.highAtMs.slice(-1), atMs];
  learn(usual, past.inbound.value, seconds);
}

function smoothed({ value, steps }: Mean, newest: number, age: number): Mean {
  if (Number.isNaN(newest)) return { value, steps };
  const weight = Math.max(1 / (steps + 1), 1 - Math.exp(-age));
  return { value: value + weight * (newest - value), steps: steps + 1 };
}
