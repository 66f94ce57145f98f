import { formatNumber } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import { gapLimitMs, MAX_REGIONS, type RegionHistory, type RegionPast } from "./history.ts";
import { floods, LEAST_USUAL, YOUNG_S } from "./usual.ts";

/** How far ahead a backlog is extended to tell who makes it, seconds. */
const AHEAD_S = 30;
/** Backlog ahead, all regions together, below which there is nothing to contain, messages. */
const LEAST_BACKLOG = 10;
/** Two steps must have been high within this, and so many usual steps, milliseconds: one that jumps is no flood. */
const HIGH_MS = 120_000;
const HIGH_STEPS = 4;
/** Share of the backlog that a flooding region must have, the largest. */
const FLOOD_SHARE = 1 / 3;
/** Share of its surplus from which on what others send less is traffic that moved. */
const MOVED_SHARE = 0.5;
/** Share of the backlog that a region must have alone to be chosen without a flood. */
const ALONE_SHARE = 0.8;
/** A stalled one is served at most this share of what another is; the others are served when so much of theirs leaves. */
const SERVED_SHARE = 0.5;
/** Steps that a stalled region must have been starved for, beside the window: a moment's hesitation is no stall. */
const STARVED_STEPS = 1.5;
/** Its inbound is usual while below so many times the usual. */
const USUAL_TIMES = 2;
/** How much more than another region a region must have grown since before the watch; counts that say something. */
const OUTGREW_TIMES = 4;
const LEAST_TOTAL = 100;
/** What the others' counters had counted must be worth so many seconds of their present rate: a young counter tells nothing. */
const LEAST_AGE_S = 600;

/** Which rule chose a region. */
type RegionRule = "flood" | "stalled" | "outgrew";

/** Why no region stands out. */
type NoRegion = "unknown" | "no_backlog" | "none_stands_out";

/** One region as it is now. Unknown is undefined, never zero. Rates in messages a second. */
interface RegionNumbers {
  readonly region: string;
  /** Messages that wait. */
  readonly backlog: number;
  readonly growth: number;
  /** Backlog in half a minute, if it goes on like that, messages; and its share of all regions', 0 to 1. */
  readonly ahead: number;
  readonly share: number;
  /** Smoothed inbound rate, and that of the last step. */
  readonly inbound: number | undefined;
  readonly newest: number | undefined;
  /** Its usual inbound rate, by its own past. */
  readonly usual: number | undefined;
  /** What leaves; and whether that has been little of what comes for the window. */
  readonly outbound: number | undefined;
  readonly starved: boolean;
  /** How many times its usual it sends, and how many times theirs the others send (median; at least 1). */
  readonly times: number | undefined;
  readonly common: number;
  /** It sends far more than it ever does, also against what the others do. */
  readonly flooding: boolean;
  /** In a young watch: its rate against all that it had sent before, per second. */
  readonly grown: number | undefined;
}

/** The region to isolate, or why there is none: one clause for people with the numbers; and all numbers behind it. */
export type RegionChoice =
  | {
      readonly region: string;
      readonly rule: RegionRule;
      readonly why: string;
      readonly regions: readonly RegionNumbers[];
    }
  | {
      readonly region?: undefined;
      readonly rule: NoRegion;
      readonly none: string;
      readonly regions: readonly RegionNumbers[];
    };

/**
 * Which region of a target makes its backlog, if one stands out. Whoever is isolated is refused everything, so when in
 * doubt there is none, and the rate limit alone is cut. It is the one with the largest backlog or none, by the first of
 * three rules that holds:
 *
 * 1. `flood`: it sends at least 3 times its own usual rate, also after what the others have grown by (so that a cause
 *    common to all isolates nobody, and a region that is always big is left alone), and that is new traffic, not another
 *    region's that moved. Of several, the one with most backlog: each is a cause, and isolating one relieves all.
 * 2. `stalled`: its inbound is usual, but it alone is backlogged (80 %), little of it has been leaving for the window
 *    (20 s), and every other region is served. Then its own downstream is sick, and holding its devices back is milder than a
 *    buffer that fills up to refuse them. A region that is served as well as any other is not chosen, however large its
 *    backlog: that is how the biggest region looks when the consumer as a whole is slow, and isolating it would punish
 *    it for its size.
 * 3. `outgrew`, only in the first ten minutes of a watch, when the flood may have been on before it and be taken for
 *    usual: measured by what each counter had counted before, it sends 4 times more than any other region.
 *
 * A region without a past is chosen by none of them. Backlog is compared as it will be in half a minute: one that
 * drains is nobody's fault any more. Readings that are stale or leave out a region decide nothing.
 */
export function chooseRegion(history: RegionHistory, now: Instant): RegionChoice {
  const regions = numbersOf(history, now).sort(byBacklog);
  const none = (rule: NoRegion, why: string): RegionChoice => ({ rule, none: why, regions });
  const unknown = whatIsUnknown(history, now);
  if (unknown !== undefined) return none("unknown", unknown);
  const [worst, ...others] = regions;
  if (worst === undefined) return none("unknown", "no region with a backlog is shown");
  const { region } = worst;
  if (others.length === 0)
    return none("none_stands_out", `${region} is the only region: to isolate it would refuse everything`);
  const [backlog, ahead] = [sumOf(regions, "backlog"), sumOf(regions, "ahead")];
  if (ahead < LEAST_BACKLOG)
    return none("no_backlog", `backlog of ${formatNumber(backlog)}, ${formatNumber(ahead)} in half a minute`);
  for (const [rule, whyIt] of RULES) {
    const why = whyIt(worst, others, regions);
    if (why !== undefined) return { region, rule, why, regions };
  }
  return none(...whyNone(worst, regions));
}

type Regions = readonly RegionNumbers[];

/** What speaks for the region with the largest backlog, in this order. */
const RULES: readonly [
  RegionRule,
  (worst: RegionNumbers, others: Regions, all: Regions) => string | undefined,
][] = [
  ["flood", whyFlood],
  ["stalled", whyStalled],
  ["outgrew", whyOutgrew],
];

function whatIsUnknown(history: RegionHistory, now: Instant): string | undefined {
  const { source, sampledAtMs, left, regions } = history;
  if (source === undefined) return "no reading of the regions yet";
  const [ageMs, limitMs] = [now.monoMs - sampledAtMs, gapLimitMs(history)];
  if (ageMs > limitMs)
    return `newest reading is ${Math.round(ageMs / 1000)} s old, limit ${Math.round(limitMs / 1000)} s`;
  if (left > 0) return `${left + MAX_REGIONS} regions, at most ${MAX_REGIONS} are compared`;
  const missing = [...regions.values()].find((past) => past.queues && !isShown(past, history));
  return missing === undefined ? undefined : `backlog of ${missing.name} is not known now`;
}

function isShown({ last }: RegionPast, { sampledAtMs }: RegionHistory): boolean {
  return last.atMs === sampledAtMs && last.backlog >= 0;
}

/** The regions whose backlog is known now. */
function numbersOf(history: RegionHistory, now: Instant): RegionNumbers[] {
  const known = [...history.regions.values()]
    .filter((past) => isShown(past, history))
    .map((past) => ({
      past,
      ahead: Math.max(0, past.last.backlog + AHEAD_S * past.growth.value),
      ...inboundOf(past),
    }));
  const all = known.reduce((total, { ahead }) => total + ahead, 0);
  return known.map(({ past, ahead, inbound, times }) => {
    const { last, usual, firstTotal, firstAtMs, highAtMs } = past;
    const others = known.flatMap((k) => (k.past === past ? [] : (k.times ?? []))).sort((a, b) => a - b);
    const common = Math.max(1, others[(others.length - 1) >> 1] ?? 1);
    const highMs = Math.max(HIGH_MS, HIGH_STEPS * history.stepMs);
    const isHigh = highAtMs.length > 1 && last.atMs - (highAtMs[0] as number) <= highMs;
    const starvedMs = Math.max(1000 * history.windowS, STARVED_STEPS * history.stepMs);
    const isYoung = now.monoMs - firstAtMs <= 1000 * YOUNG_S && firstTotal >= LEAST_TOTAL;
    return {
      region: past.name,
      backlog: last.backlog,
      growth: past.growth.value,
      ahead,
      share: all > 0 ? ahead / all : 0,
      inbound,
      newest: inbound === undefined ? undefined : last.inbound,
      usual: usual.rate,
      outbound: inbound === undefined || Number.isNaN(last.growth) ? undefined : past.outbound.value,
      starved: last.atMs - past.starvedSinceMs >= starvedMs,
      times,
      common,
      flooding: isHigh && inbound !== undefined && floods(usual, inbound, common),
      grown: inbound !== undefined && isYoung ? inbound / firstTotal : undefined,
    };
  });
}

/** The smoothed rate, where the last step's is known and it is not the only one; and how many times the usual that is. */
function inboundOf({ last, inbound, usual }: RegionPast): { inbound?: number; times?: number } {
  if (Number.isNaN(last.inbound) || inbound.steps < 2) return {};
  const { value } = inbound;
  return usual.rate === undefined
    ? { inbound: value }
    : { inbound: value, times: value / Math.max(usual.rate, LEAST_USUAL) };
}

function byBacklog(a: RegionNumbers, b: RegionNumbers): number {
  return b.ahead - a.ahead || (a.region < b.region ? -1 : 1);
}

function sumOf(regions: readonly RegionNumbers[], what: "backlog" | "ahead"): number {
  return regions.reduce((total, region) => total + region[what], 0);
}

function whyFlood(worst: RegionNumbers, others: Regions, regions: Regions): string | undefined {
  // Who floods has the largest backlog: a fair consumer serves all others first.
  if (!worst.flooding || isMoved(worst, regions) || worst.share < FLOOD_SHARE) return undefined;
  const also = others
    .filter((r) => r.flooding && !isMoved(r, regions))
    .map((r) => `${r.region} floods too (${describeInbound(r)})`);
  return [describeInbound(worst), describeBacklog(worst, regions), ...also].join("; ");
}

/** Whether what a region sends too much is what others send too little, by the smoothed rates or by the newest. */
function isMoved(region: RegionNumbers, regions: Regions): boolean {
  return (["inbound", "newest"] as const).some((measure) => {
    const surplusOf = ({ [measure]: now, usual }: RegionNumbers) =>
      now === undefined || usual === undefined ? 0 : now - usual;
    const lost = regions.reduce((total, r) => total + Math.max(0, -surplusOf(r)), 0);
    return surplusOf(region) > 0 && lost > MOVED_SHARE * surplusOf(region);
  });
}

function whyStalled(worst: RegionNumbers, others: Regions, regions: Regions): string | undefined {
  const { share, starved, outbound, times } = worst;
  if (share < ALONE_SHARE || !starved || outbound === undefined) return undefined;
  if (times === undefined || times >= USUAL_TIMES) return undefined;
  const served = ({ inbound = 0, outbound: out }: RegionNumbers) =>
    out !== undefined && out >= SERVED_SHARE * inbound;
  if (!others.every(served)) return undefined;
  const best = others.reduce((a, b) => ((b.outbound ?? 0) > (a.outbound ?? 0) ? b : a));
  // Where nothing leaves the best served either, it is nobody's own downstream; one that has just come back sends less yet.
  if (!best.outbound || !(outbound / Math.min(1, times) <= SERVED_SHARE * best.outbound)) return undefined;
  const leaves = `${rate(outbound)} leaves while ${best.region} is served ${rate(best.outbound)}`;
  return `${describeBacklog(worst, regions)}; ${describeInbound(worst)}, but only ${leaves}`;
}

function whyOutgrew(worst: RegionNumbers, others: Regions, regions: Regions): string | undefined {
  const { grown = 0, share } = worst;
  const most = Math.max(0, ...others.map((r) => r.grown ?? 0));
  if (share < FLOOD_SHARE || most === 0 || most * LEAST_AGE_S > 1) return undefined;
  if (grown < OUTGREW_TIMES * most) return undefined;
  const than = `${formatNumber(grown / most)} times more than any other region against all that came before the watch began`;
  return `inbound ${rate(worst.inbound)}, ${than}; ${describeBacklog(worst, regions)}`;
}

/** Nobody was chosen: the nearest to it says why. */
function whyNone(worst: RegionNumbers, regions: Regions): [NoRegion, string] {
  const has = `${worst.region} has most backlog (${describeBacklog(worst, regions)})`;
  if (worst.inbound === undefined) return ["unknown", `${has}, but what comes in is not known`];
  if (worst.times === undefined)
    return ["unknown", `${has}, but no past to compare inbound ${rate(worst.inbound)} with`];
  const flooding = regions.find((r) => r.flooding);
  const leaves = worst.outbound === undefined ? "" : `, ${rate(worst.outbound)} leaves`;
  if (flooding === undefined)
    return [
      "none_stands_out",
      `${has}, but neither floods nor is left behind alone (${describeInbound(worst)}${leaves})`,
    ];
  const but = isMoved(flooding, regions)
    ? "others send as much less: traffic moved, it is not new"
    : `has little of the backlog (${describeBacklog(flooding, regions)})`;
  return ["none_stands_out", `${flooding.region} floods (${describeInbound(flooding)}), but ${but}`];
}

/** "inbound 480/s, 24 times its usual 20/s". */
function describeInbound(region: RegionNumbers): string {
  const { inbound, usual, times = 0, common } = region;
  if (times < 1.5) return `inbound ${rate(inbound)} of its usual ${rate(usual)}`;
  const others = common >= 1.5 ? `, where the others send ${formatNumber(common)} times theirs` : "";
  return `inbound ${rate(inbound)}, ${formatNumber(times)} times its usual ${rate(usual)}${others}`;
}

/** "backlog 900 of 950 (95 %), growing 460/s". */
function describeBacklog(region: RegionNumbers, regions: Regions): string {
  const { backlog: own, growth } = region;
  const all = sumOf(regions, "backlog");
  const share = all > 0 ? ` (${Math.round((100 * own) / all)} %)` : "";
  const trend =
    Math.abs(growth) > 0.05 ? `, ${growth > 0 ? "growing" : "shrinking"} ${rate(Math.abs(growth))}` : "";
  return `backlog ${formatNumber(own)} of ${formatNumber(all)}${share}${trend}`;
}

function rate(perSecond = Number.NaN): string {
  return `${formatNumber(perSecond)}/s`;
}
