import type { RegionHistory, RegionPast } from "./history.ts";
import { floods, LEAST_USUAL } from "./usual.ts";

/** How far ahead a backlog is extended to tell who makes it, seconds. */
const AHEAD_S = 60;
/** Of the newest three rates, how many must be high, and how many times the usual. */
const HIGH_RATES = 2;
const HIGH_TIMES = 2;
/** Rates behind the smoothed level at least. */
const LEAST_RATES = 2;

/** One region as it is now. Unknown is undefined, never zero. Rates in messages a second. */
export interface RegionNumbers {
  readonly region: string;
  /** Messages that wait. */
  readonly backlog: number;
  readonly growth: number;
  /** Backlog in a minute, if it goes on like that, messages; and its share of all regions', 0 to 1. */
  readonly ahead: number;
  readonly share: number;
  /** Smoothed inbound rate. */
  readonly inbound?: number;
  /** Its usual inbound rate, by its own past. */
  readonly usual?: number;
  /** Inbound less growth: what leaves, over the last steps. */
  readonly outbound?: number;
  /** How many times its usual it sends, and how many times theirs the others send (median; at least 1). */
  readonly times?: number;
  readonly common?: number;
  /** It sends far more than it ever does, also against what the others do. */
  readonly flooding: boolean;
}

/** The regions with a backlog as they are now, and those whose backlog is not known. */
export interface View {
  readonly regions: readonly RegionNumbers[];
  readonly unknown: readonly string[];
  readonly backlog: number;
  readonly ahead: number;
}

/** Takes the newest reading and the past together. */
export function viewOf(history: RegionHistory): View {
  const queues = [...history.regions.values()].filter((past) => past.queues);
  const isKnown = (past: RegionPast) =>
    past.seenAtMs === history.sampledAtMs && past.backlogs.at(-1)?.atMs === history.sampledAtMs;
  const known = queues.filter(isKnown);
  const ahead = known.map(aheadOf);
  const total = ahead.reduce((sum, value) => sum + value, 0);
  const times = known.map((past) => timesOf(past, history));
  return {
    regions: known.map((past, at): RegionNumbers => {
      const own = { ahead: ahead[at] ?? 0, total, times: times[at] };
      const others = times.flatMap((value, other) => (other === at || value === undefined ? [] : [value]));
      return numbersOf(past, { ...own, common: Math.max(1, lowerMedian(others) ?? 1), history });
    }),
    unknown: queues.filter((past) => !isKnown(past)).map(({ name }) => name),
    backlog: known.reduce((sum, past) => sum + (past.backlogs.at(-1)?.backlog ?? 0), 0),
    ahead: total,
  };
}

interface Beside {
  readonly history: RegionHistory;
  readonly ahead: number;
  readonly total: number;
  readonly times: number | undefined;
  readonly common: number;
}

function numbersOf(past: RegionPast, { history, ahead, total, times, common }: Beside): RegionNumbers {
  const growth = growthOf(past);
  const inbound = levelOf(past, history);
  const recent = inbound === undefined ? undefined : recentRate(past);
  const usual = past.usual.rate;
  return {
    region: past.name,
    backlog: past.backlogs.at(-1)?.backlog ?? 0,
    growth,
    ahead,
    share: total > 0 ? ahead / total : 0,
    ...(inbound === undefined ? {} : { inbound }),
    ...(usual === undefined ? {} : { usual }),
    ...(recent === undefined ? {} : { outbound: Math.max(0, recent - growth) }),
    ...(times === undefined ? {} : { times, common }),
    flooding: inbound !== undefined && floods(past.usual, inbound, common) && isHigh(past, common),
  };
}

/** The smoothed rate, where the newest reading had a count and enough rates stand behind it. */
function levelOf(past: RegionPast, history: RegionHistory): number | undefined {
  return past.ratedAtMs === history.sampledAtMs && past.levelOf >= LEAST_RATES ? past.level : undefined;
}

function timesOf(past: RegionPast, history: RegionHistory): number | undefined {
  const level = levelOf(past, history);
  const usual = past.usual.rate;
  return level === undefined || usual === undefined ? undefined : level / Math.max(usual, LEAST_USUAL);
}

/** A single reading that jumps is no flood. */
function isHigh(past: RegionPast, common: number): boolean {
  const least = HIGH_TIMES * common * Math.max(past.usual.rate ?? 0, LEAST_USUAL);
  return past.rates.filter(({ perSecond }) => perSecond >= least).length >= HIGH_RATES;
}

function growthOf({ backlogs }: RegionPast): number {
  const first = backlogs[0];
  const last = backlogs.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return (last.backlog - first.backlog) / ((last.atMs - first.atMs) / 1000);
}

function aheadOf(past: RegionPast): number {
  return Math.max(0, (past.backlogs.at(-1)?.backlog ?? 0) + growthOf(past) * AHEAD_S);
}

/** Inbound over the very steps that the growth of the backlog is taken over. */
function recentRate({ rates, backlogs }: RegionPast): number | undefined {
  const steps = rates.slice(-Math.max(1, backlogs.length - 1));
  const seconds = steps.reduce((sum, step) => sum + step.seconds, 0);
  if (steps.length < backlogs.length - 1 || seconds === 0) return undefined;
  return steps.reduce((sum, step) => sum + step.perSecond * step.seconds, 0) / seconds;
}

function lowerMedian(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}
