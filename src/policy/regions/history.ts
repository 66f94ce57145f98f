import type { PartReading } from "../../domain/containment.ts";
import type { PartsObservation } from "../../domain/observation.ts";
import type { Instant } from "../../domain/time.ts";
import { createUsual, learn, type Usual } from "./usual.ts";

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
/** Time constant of the smoothed inbound rate, seconds: bursts of a minute's period are one level. */
const SMOOTH_S = 60;
/** Steps that the newest rate and the growth of the backlog are taken over. */
const RECENT = 3;
/** Timestamps further off than this are of a clock that jumped, milliseconds. */
const MAX_AGE_MS = 3_600_000;

interface Step {
  readonly atMs: number;
  readonly backlog: number;
}

interface RateStep {
  readonly perSecond: number;
  readonly seconds: number;
}

/** What is known of one region; times are monotonic milliseconds. Constant size. */
export interface RegionPast {
  readonly name: string;
  readonly firstAtMs: number;
  /** Cumulative count when the watch began; undefined when the counter began again since. */
  firstTotal: number | undefined;
  /** When it was last shown. */
  seenAtMs: number;
  /** Backlog of the newest readings in a row, oldest first; empty while it is unknown. */
  backlogs: Step[];
  /** It has had a backlog: only such a part can be the cause of one. */
  queues: boolean;
  anchor: { readonly total: number; readonly atMs: number } | undefined;
  /** The newest rates in a row, oldest first. */
  rates: RateStep[];
  /** When the newest rate was computed. */
  ratedAtMs: number | undefined;
  /** Smoothed inbound rate, messages a second, and from how many rates. */
  level: number;
  levelOf: number;
  readonly usual: Usual;
}

/** The past of the regions of one target. Constant memory: at most `MAX_REGIONS`. Changed by `observeParts` only. */
export interface RegionHistory {
  readonly regions: Map<string, RegionPast>;
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
  return { regions: new Map(), source: undefined, sampledAtMs: undefined, stepMs: undefined, left: 0 };
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
  const limitMs = gapLimitMs(history);
  history.sampledAtMs = atMs;
  forget(history, atMs);
  history.left = 0;
  for (const reading of parts.parts) {
    const past = pastOf(history, reading.part, atMs);
    if (past === undefined) history.left += 1;
    else take(past, reading, { atMs, limitMs });
  }
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
    backlogs: [],
    queues: false,
    anchor: undefined,
    rates: [],
    ratedAtMs: undefined,
    level: 0,
    levelOf: 0,
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
  past.anchor = undefined;
  past.backlogs = [];
  past.rates = [];
  past.levelOf = 0;
}

function take(past: RegionPast, reading: PartReading, step: { atMs: number; limitMs: number }): void {
  const { atMs, limitMs } = step;
  if (atMs - past.seenAtMs > limitMs) lift(past);
  past.seenAtMs = atMs;
  if (isCount(reading.backlog)) {
    past.queues = true;
    past.backlogs = [...past.backlogs.slice(1 - RECENT), { atMs, backlog: reading.backlog }];
  } else past.backlogs = [];
  if (isCount(reading.inboundTotal)) takeTotal(past, reading.inboundTotal, step);
}

function takeTotal(past: RegionPast, total: number, { atMs, limitMs }: { atMs: number; limitMs: number }) {
  const { anchor } = past;
  past.anchor = { total, atMs };
  if (anchor === undefined) {
    if (past.ratedAtMs === undefined) past.firstTotal = total;
    return;
  }
  if (total < anchor.total || atMs - anchor.atMs > limitMs) {
    if (total < anchor.total) past.firstTotal = undefined;
    past.rates = [];
    past.levelOf = 0;
    return;
  }
  const seconds = (atMs - anchor.atMs) / 1000;
  const perSecond = (total - anchor.total) / seconds;
  past.ratedAtMs = atMs;
  past.rates = [...past.rates.slice(1 - RECENT), { perSecond, seconds }];
  past.levelOf += 1;
  // The first few count alike, so that a fresh level is their mean and not the first one's echo.
  const weight = Math.max(1 / past.levelOf, 1 - Math.exp(-seconds / SMOOTH_S));
  past.level += weight * (perSecond - past.level);
  learn(past.usual, { level: past.level, seconds, atMs });
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && value >= 0 && value < Number.POSITIVE_INFINITY;
}
