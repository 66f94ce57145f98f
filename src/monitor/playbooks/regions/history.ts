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
/** Time constant of smoothed rates in steps, inbound and outbound, from the window to this. Growth has the longest always. */
const SMOOTH_STEPS = 4;
const SMOOTH_OUT_STEPS = 1;
const SMOOTH_MOST_S = 60;
/** Window of a history that is told no other, seconds: what a source's noise and a moment's hesitation need. */
const WINDOW_S = 20;
/** The newest rate is taken over so many steps, as long as they are no longer than this together, seconds. */
const RECENT = 3;
const RECENT_S = 10;
/** Passing on at most this share of what comes, with a growing backlog, is to be starved. */
const STARVED_SHARE = 0.5;
/** Timestamps further off than this are of a clock that jumped, milliseconds. */
const MAX_AGE_MS = 3_600_000;

/** A step whose rate is so many times the usual is high. */
const HIGH_TIMES = 2;
/** Counts beyond this are sampleProblem, and their sums would not be exact. */
const MOST = Number.MAX_SAFE_INTEGER;

/** An exponentially weighted mean; its first values count alike, so that a fresh one is not the first value's echo. */
interface Smoothed {
  value: number;
  count: number;
}

interface RateStep {
  readonly perSecond: number;
  readonly seconds: number;
  /** Growth of the backlog over the same step, where it is known. */
  readonly grown: number | undefined;
}

/** What is known of one region; times are monotonic milliseconds, rates messages a second. Constant size. */
export interface RegionPast {
  readonly name: string;
  readonly firstAtMs: number;
  /** Cumulative count when the watch began; undefined when the counter began again since. */
  firstTotal: number | undefined;
  /** When it was last shown. */
  seenAtMs: number;
  /** It has had a backlog: only such a part can be the cause of one. */
  queues: boolean;
  /** The newest backlog; undefined while it is unknown. */
  backlog: { readonly messages: number; readonly atMs: number } | undefined;
  growth: Smoothed;
  anchor: { readonly total: number; readonly atMs: number } | undefined;
  /** The newest rates in a row, oldest first, and when the last was computed. */
  rates: RateStep[];
  ratedAtMs: number | undefined;
  /** When the newest two high steps were. */
  highAtMs: readonly [number | undefined, number | undefined];
  inbound: Smoothed;
  /** Inbound less growth: what leaves. */
  outbound: Smoothed;
  /** Since when, and for how many steps, little of what comes has been leaving. */
  starvedSinceMs: number | undefined;
  starvedSteps: number;
  readonly usual: Usual;
}

/** The past of the regions of one target. Constant memory: at most `MAX_REGIONS`. All but the window is changed by `observeParts` only. */
export interface RegionHistory {
  readonly regions: Map<string, RegionPast>;
  /** Least time constant of smoothed rates, and how long a region must have been starved, seconds; at most 60. */
  windowS: number;
  source: string | undefined;
  /** When the newest reading was taken, monotonic milliseconds. */
  sampledAtMs: number | undefined;
  /** Usual distance of readings, milliseconds. */
  stepMs: number | undefined;
  /** Regions of the newest reading that found no room. */
  left: number;
}

/** An empty history, for the regions of one target. */
export function createRegionHistory(): RegionHistory {
  return {
    regions: new Map(),
    windowS: WINDOW_S,
    source: undefined,
    sampledAtMs: undefined,
    stepMs: undefined,
    left: 0,
  };
}

/** How old the newest reading may be, and how far apart two readings for a rate between them, milliseconds. */
export function gapLimitMs(history: RegionHistory): number {
  return Math.max(GAP_MS, GAP_STEPS * (history.stepMs ?? 0));
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
  const last = history.sampledAtMs;
  if (history.source !== parts.source) {
    // Two sources may see different instances: their counts are not comparable.
    for (const past of history.regions.values()) lift(past);
    history.source = parts.source;
  } else if (last !== undefined) {
    const stepMs = atMs - last;
    if (stepMs < LEAST_STEP_MS) return;
    const usualMs = history.stepMs ?? stepMs;
    // A single gap must not pass for the new pace, a new pace must be learned.
    history.stepMs = usualMs + 0.2 * (Math.min(stepMs, 4 * usualMs) - usualMs);
  }
  const { windowS, stepMs = 0 } = history;
  const step: Step = { atMs, limitMs: gapLimitMs(history), stepMs, windowS };
  history.sampledAtMs = atMs;
  forget(history, atMs);
  history.left = 0;
  for (const reading of parts.parts) {
    const past = pastOf(history, reading.part, atMs);
    if (past === undefined) history.left += 1;
    else take(past, reading, step);
  }
}

interface Step {
  readonly atMs: number;
  readonly limitMs: number;
  /** Usual distance of readings. */
  readonly stepMs: number;
  readonly windowS: number;
}

function smoothS(steps: number, { stepMs, windowS }: Step): number {
  return Math.min(SMOOTH_MOST_S, Math.max(windowS, (steps * stepMs) / 1000));
}

function pastOf(history: RegionHistory, name: string, atMs: number): RegionPast | undefined {
  const known = history.regions.get(name);
  if (known !== undefined) return known;
  if (history.regions.size >= MAX_REGIONS) return undefined;
  const past: RegionPast = {
    name,
    firstAtMs: atMs,
    firstTotal: undefined,
    seenAtMs: atMs,
    queues: false,
    backlog: undefined,
    growth: nothing(),
    anchor: undefined,
    rates: [],
    ratedAtMs: undefined,
    highAtMs: [undefined, undefined],
    inbound: nothing(),
    outbound: nothing(),
    starvedSinceMs: undefined,
    starvedSteps: 0,
    usual: createUsual(),
  };
  history.regions.set(name, past);
  return past;
}

function forget(history: RegionHistory, atMs: number): void {
  const limitMs = Math.max(FORGET_MS, FORGET_STEPS * (history.stepMs ?? 0));
  for (const [name, past] of history.regions)
    if (atMs - past.seenAtMs > limitMs) history.regions.delete(name);
}

/** Takes the counts off the line they hang on; what was learned stays. */
function lift(past: RegionPast): void {
  past.backlog = undefined;
  past.growth = nothing();
  past.anchor = undefined;
  past.rates = [];
  past.inbound = nothing();
  past.outbound = nothing();
  past.starvedSinceMs = undefined;
  past.starvedSteps = 0;
}

function take(past: RegionPast, reading: PartReading, step: Step): void {
  if (step.atMs - past.seenAtMs > step.limitMs) lift(past);
  past.seenAtMs = step.atMs;
  const grown = takeBacklog(past, reading.backlog, step);
  const rate = isCount(reading.inboundTotal) ? takeTotal(past, reading.inboundTotal, step) : undefined;
  if (rate === undefined) return;
  past.rates = newest([...past.rates, { ...rate, grown }]);
  if (rate.perSecond >= HIGH_TIMES * Math.max(past.usual.rate ?? Infinity, LEAST_USUAL))
    past.highAtMs = [past.highAtMs[1], step.atMs];
  learn(past.usual, { level: past.inbound.value, seconds: rate.seconds, atMs: step.atMs });
  if (grown === undefined) return;
  const smoothed = { seconds: rate.seconds, smoothS: smoothS(SMOOTH_OUT_STEPS, step) };
  smooth(past.outbound, { ...smoothed, value: Math.max(0, rate.perSecond - grown) });
  // After a burst a backlog only falls: one that is starved goes on growing.
  const isStarved = recentGrowth(past) > 0 && past.outbound.value <= STARVED_SHARE * past.inbound.value;
  past.starvedSinceMs = isStarved ? (past.starvedSinceMs ?? step.atMs - 1000 * rate.seconds) : undefined;
  past.starvedSteps = isStarved ? past.starvedSteps + 1 : 0;
}

function newest(rates: readonly RateStep[]): RateStep[] {
  return rates.slice(-RECENT).filter((_, at, all) => {
    const seconds = all.slice(at).reduce((sum, step) => sum + step.seconds, 0);
    return seconds <= RECENT_S || at === all.length - 1;
  });
}

/** Growth over the newest steps; 0 where it is not known. */
function recentGrowth({ rates }: RegionPast): number {
  return rates.reduce((sum, { grown = 0, seconds }) => sum + grown * seconds, 0);
}

/** Growth of the backlog over this step, messages a second; undefined where it is not known. */
function takeBacklog(past: RegionPast, messages: number | undefined, { atMs }: Step): number | undefined {
  const before = past.backlog;
  if (!isCount(messages)) {
    past.backlog = undefined;
    past.growth = nothing();
    return undefined;
  }
  past.queues = true;
  past.backlog = { messages, atMs };
  if (before === undefined) return undefined;
  const seconds = (atMs - before.atMs) / 1000;
  const grown = (messages - before.messages) / seconds;
  smooth(past.growth, { value: grown, seconds, smoothS: SMOOTH_MOST_S });
  return grown;
}

/** Inbound rate over this step; undefined where it is not known. */
function takeTotal(
  past: RegionPast,
  total: number,
  step: Step,
): { readonly perSecond: number; readonly seconds: number } | undefined {
  const { anchor } = past;
  const { atMs, limitMs } = step;
  past.anchor = { total, atMs };
  if (anchor === undefined) {
    if (past.ratedAtMs === undefined) past.firstTotal = total;
    return undefined;
  }
  if (total < anchor.total) {
    // The process began again: this step's rate is unknown, what was known before still holds.
    past.firstTotal = undefined;
    return undefined;
  }
  if (atMs - anchor.atMs > limitMs) {
    past.rates = [];
    past.inbound = nothing();
    past.outbound = nothing();
    return undefined;
  }
  const seconds = (atMs - anchor.atMs) / 1000;
  const perSecond = (total - anchor.total) / seconds;
  past.ratedAtMs = atMs;
  smooth(past.inbound, { value: perSecond, seconds, smoothS: smoothS(SMOOTH_STEPS, step) });
  return { perSecond, seconds };
}

function nothing(): Smoothed {
  return { value: 0, count: 0 };
}

function smooth(
  mean: Smoothed,
  { value, seconds, smoothS }: { readonly value: number; readonly seconds: number; readonly smoothS: number },
): void {
  mean.count += 1;
  const weight = Math.max(1 / mean.count, 1 - Math.exp(-seconds / smoothS));
  mean.value += weight * (value - mean.value);
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && value >= 0 && value <= MOST;
}
