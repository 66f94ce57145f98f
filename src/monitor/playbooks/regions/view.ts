import type { RegionHistory, RegionPast } from "./history.ts";
import { floods, LEAST_USUAL } from "./usual.ts";

/** How far ahead a backlog is extended to tell who makes it, seconds. */
const AHEAD_S = 30;
/** Two steps must have been high within this, and so many usual steps, milliseconds: one that jumps is no flood. */
const HIGH_MS = 120_000;
const HIGH_STEPS = 4;
/** Rates behind a smoothed one at least. */
const LEAST_RATES = 2;

/** One region as it is now. Unknown is undefined, never zero. Rates in messages a second. */
export interface RegionNumbers {
  readonly region: string;
  /** Messages that wait. */
  readonly backlog: number;
  readonly growth: number;
  /** Backlog in half a minute, if it goes on like that, messages; and its share of all regions', 0 to 1. */
  readonly ahead: number;
  readonly share: number;
  /** Smoothed inbound rate. */
  readonly inbound?: number;
  /** Its usual inbound rate, by its own past. */
  readonly usual?: number;
  /** Inbound and outbound rate over the last steps only. */
  readonly recent?: number;
  readonly recentOut?: number;
  /** What leaves: smoothed inbound less growth. */
  readonly outbound?: number;
  /** For how long at most half of what comes has been leaving, seconds. */
  readonly starvedS?: number;
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

/** A region whose backlog is in the newest reading. */
interface Known {
  readonly past: RegionPast;
  /** When the newest reading was taken, monotonic milliseconds. */
  readonly atMs: number;
  readonly messages: number;
  readonly ahead: number;
  readonly times: number | undefined;
}

/** Takes the newest reading and the past together. */
export function viewOf(history: RegionHistory): View {
  const known: Known[] = [];
  const unknown: string[] = [];
  for (const past of history.regions.values()) {
    if (!past.queues) continue;
    const { backlog, growth } = past;
    if (backlog === undefined || backlog.atMs !== history.sampledAtMs) unknown.push(past.name);
    else {
      const { messages, atMs } = backlog;
      const ahead = Math.max(0, messages + growth.value * AHEAD_S);
      known.push({ past, atMs, messages, ahead, times: timesOf(past, atMs) });
    }
  }
  const total = known.reduce((sum, { ahead }) => sum + ahead, 0);
  return {
    regions: known.map((own): RegionNumbers => {
      const others = known.flatMap((k) => (k === own ? [] : (k.times ?? [])));
      return numbersOf(own, { total, common: Math.max(1, lowerMedian(others) ?? 1), history });
    }),
    unknown,
    backlog: known.reduce((sum, { messages }) => sum + messages, 0),
    ahead: total,
  };
}

interface Beside {
  readonly history: RegionHistory;
  readonly total: number;
  readonly common: number;
}

function numbersOf({ past, atMs, messages, ahead, times }: Known, beside: Beside): RegionNumbers {
  const { history, total, common } = beside;
  const inbound = levelOf(past, atMs);
  const usual = past.usual.rate;
  const since = past.starvedSinceMs;
  return {
    region: past.name,
    backlog: messages,
    growth: past.growth.value,
    ahead,
    share: total > 0 ? ahead / total : 0,
    ...(usual === undefined ? {} : { usual }),
    ...(times === undefined ? {} : { times, common }),
    ...(inbound === undefined ? {} : { inbound, ...recentOf(past) }),
    ...(inbound === undefined || past.outbound.count < LEAST_RATES ? {} : { outbound: past.outbound.value }),
    ...(since === undefined || past.starvedSteps < LEAST_RATES ? {} : { starvedS: (atMs - since) / 1000 }),
    flooding: inbound !== undefined && floods(past.usual, inbound, common) && isHigh(past, atMs, history),
  };
}

/** The smoothed rate, where the newest reading had a count and enough rates stand behind it. */
function levelOf({ inbound, ratedAtMs }: RegionPast, atMs: number): number | undefined {
  return ratedAtMs === atMs && inbound.count >= LEAST_RATES ? inbound.value : undefined;
}

function timesOf(past: RegionPast, atMs: number): number | undefined {
  const level = levelOf(past, atMs);
  const usual = past.usual.rate;
  return level === undefined || usual === undefined ? undefined : level / Math.max(usual, LEAST_USUAL);
}

function isHigh({ highAtMs: [before] }: RegionPast, atMs: number, { stepMs = 0 }: RegionHistory): boolean {
  return before !== undefined && atMs - before <= Math.max(HIGH_MS, HIGH_STEPS * stepMs);
}

function recentOf({ rates }: RegionPast): { readonly recent: number; readonly recentOut?: number } {
  const seconds = rates.reduce((sum, step) => sum + step.seconds, 0);
  const recent = rates.reduce((sum, step) => sum + step.perSecond * step.seconds, 0) / seconds;
  const grown = rates.reduce((sum, step) => sum + (step.grown ?? Number.NaN) * step.seconds, 0) / seconds;
  return Number.isNaN(grown) ? { recent } : { recent, recentOut: Math.max(0, recent - grown) };
}

function lowerMedian(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}
