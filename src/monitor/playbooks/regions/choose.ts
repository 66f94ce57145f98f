import { formatNumber } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import { gapLimitMs, MAX_REGIONS, type RegionHistory } from "./history.ts";
import { type RegionNumbers, type View, viewOf } from "./view.ts";

/** Backlog ahead, all regions together, below which there is nothing to contain, messages. */
const LEAST_BACKLOG = 10;
/** Share of the backlog that a flooding region must have, the largest. */
const FLOOD_SHARE = 1 / 3;
/** Share of its surplus that must be more traffic in all, not traffic that came over from other regions. */
const NEW_SHARE = 0.5;
/** Share of the backlog that a region must have alone to be chosen without a flood. */
const ALONE_SHARE = 0.8;
/** What leaves is at most this share of what another region is served. */
const STALLED_SHARE = 0.5;
/** Its inbound is usual while below so many times the usual. */
const USUAL_TIMES = 2;
/** The others are served when so much of what comes for them leaves. */
const SERVED_SHARE = 0.5;
/** Growth of the others from which on a rise is common to all. */
const COMMON_TIMES = 2;
/** A watch is young for this long, milliseconds: what it took for usual may have been the flood itself. */
const YOUNG_MS = 600_000;
/** How much more than another region a region must have grown since before the watch; counts that say something. */
const OUTGREW_TIMES = 4;
const LEAST_TOTAL = 100;
/** What the others' counters had counted must be worth so many seconds of their present rate: a young counter tells nothing. */
const LEAST_AGE_S = 600;

/** Which rule chose a region. */
type RegionRule = "flood" | "stalled" | "outgrew";

/** Why no region stands out. */
type NoRegion =
  | "no_reading"
  | "reading_stale"
  | "too_many_regions"
  | "region_unknown"
  | "one_region"
  | "no_backlog"
  | "backlog_shrinking"
  | "inbound_unknown"
  | "no_past"
  | "common_cause"
  | "traffic_moved"
  | "flood_without_backlog"
  | "backlog_shared"
  | "served_alike";

/** The region to isolate, or why there is none; `why` is one clause for people, `regions` the numbers behind it. */
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
      /** Why no region stands out. */
      readonly none: string;
      readonly regions: readonly RegionNumbers[];
    };

/**
 * Which region of a target makes its backlog, if one stands out. Whoever is isolated is refused everything, so when in
 * doubt there is none, and the rate limit alone is cut. Three rules, the first that speaks:
 *
 * 1. `flood`: it sends at least 3 times its own usual rate, also after what the others have grown by (so that a cause
 *    common to all isolates nobody, and a region that is always big is left alone); that is new traffic, not another
 *    region's that moved; and its backlog is the largest. Of several, the one with most backlog: each is a cause, and
 *    isolating one relieves all.
 * 2. `stalled`: its inbound is usual, but it alone is backlogged (80 %), little of it has been leaving for the window
 *    (20 s), and every other region is served. Then its own downstream is sick, and holding its devices back is milder than a
 *    buffer that fills up to refuse them. A region that is served as well as any other is not chosen, however large its
 *    backlog: that is how the biggest region looks when the consumer as a whole is slow, and isolating it would punish
 *    it for its size. Nor are regions that are backlogged alike.
 * 3. `outgrew`, only in the first ten minutes of a watch, when the flood may have been on before it and be taken for
 *    usual: measured by what each counter had counted before, it sends 4 times more than any other region.
 *
 * A region without a past is chosen by none of them. Backlog is compared as it will be in half a minute: one that
 * drains is nobody's fault any more. Readings that are stale or leave out a region decide nothing.
 */
export function chooseRegion(history: RegionHistory, now: Instant): RegionChoice {
  const view = viewOf(history);
  const none = (rule: NoRegion, why: string): RegionChoice => ({ rule, none: why, regions: view.regions });
  const hindered = hindrance(history, view, now);
  if (hindered !== undefined) return none(...hindered);
  const worst = [...view.regions].sort(byBacklog)[0];
  if (worst === undefined) return none("no_reading", "no region with a backlog is shown");
  const idle = nothingToChoose(view, worst);
  if (idle !== undefined) return none(...idle);
  const chosen =
    flood(view, worst) ?? stalled(view, worst, history) ?? outgrew(view, worst, { history, now });
  if (chosen !== undefined) return { ...chosen, regions: view.regions };
  return none(...noneStandsOut(view, worst));
}

type Chosen = { readonly region: string; readonly rule: RegionRule; readonly why: string };
type Reason = readonly [NoRegion, string];
/** A region whose rate is known now, and usually. */
type Measured = RegionNumbers & { readonly inbound: number; readonly usual: number; readonly times: number };

function isMeasured(region: RegionNumbers): region is Measured {
  return region.inbound !== undefined && region.usual !== undefined && region.times !== undefined;
}

/** What of the readings forbids to choose at all. */
function hindrance(history: RegionHistory, view: View, now: Instant): Reason | undefined {
  if (history.sampledAtMs === undefined) return ["no_reading", "no reading of the regions yet"];
  const ageMs = now.monoMs - history.sampledAtMs;
  if (ageMs > gapLimitMs(history)) {
    const limitS = Math.round(gapLimitMs(history) / 1000);
    return ["reading_stale", `newest reading is ${Math.round(ageMs / 1000)} s old, limit ${limitS} s`];
  }
  if (history.left > 0)
    return ["too_many_regions", `${history.left + MAX_REGIONS} regions, at most ${MAX_REGIONS} are compared`];
  const [missing] = view.unknown;
  return missing === undefined ? undefined : ["region_unknown", `backlog of ${missing} is not known now`];
}

/** Why there is nobody to choose from, or nothing to choose anybody for. */
function nothingToChoose(view: View, worst: RegionNumbers): Reason | undefined {
  if (view.regions.length === 1)
    return ["one_region", `${worst.region} is the only region: to isolate it would refuse everything`];
  if (view.ahead >= LEAST_BACKLOG) return undefined;
  if (view.backlog >= LEAST_BACKLOG)
    return ["backlog_shrinking", `backlog of ${count(view.backlog)} will be gone in half a minute`];
  return ["no_backlog", `backlog of ${count(view.backlog)}, nothing to contain`];
}

function flood(view: View, worst: RegionNumbers): Chosen | undefined {
  const flooding = floodingOf(view).filter((r) => !isMoved(r, view));
  const [first, ...rest] = flooding;
  // Who floods has the largest backlog: a fair consumer serves all others first.
  if (first === undefined || first !== worst || first.share < FLOOD_SHARE) return undefined;
  const also = rest.map((r) => `${r.region} floods too (${inboundOf(r)})`);
  return {
    region: first.region,
    rule: "flood",
    why: [inboundOf(first), backlogOf(first, view), ...also].join("; "),
  };
}

/** Regions that flood, the one with most backlog first. */
function floodingOf(view: View): Measured[] {
  return view.regions
    .filter(isMeasured)
    .filter((r) => r.flooding)
    .sort(byBacklog);
}

function byBacklog(a: RegionNumbers, b: RegionNumbers): number {
  return b.ahead - a.ahead || (a.region < b.region ? -1 : 1);
}

/** Whether what a region sends too much is what others send too little, by the smoothed rates or by the newest. */
function isMoved(region: RegionNumbers, view: View): boolean {
  return (["inbound", "recent"] as const).some((measure) => {
    const surplusOf = ({ usual, [measure]: now }: RegionNumbers) =>
      now === undefined || usual === undefined ? 0 : now - usual;
    const surplus = surplusOf(region);
    const lost = view.regions.reduce((sum, r) => sum + Math.min(0, surplusOf(r)), 0);
    return surplus > 0 && surplus + lost < NEW_SHARE * surplus;
  });
}

function stalled(view: View, worst: RegionNumbers, { windowS }: RegionHistory): Chosen | undefined {
  // A moment's hesitation is no stall.
  if (worst.share < ALONE_SHARE || (worst.starvedS ?? 0) < windowS) return undefined;
  if (!isMeasured(worst) || worst.outbound === undefined || worst.times >= USUAL_TIMES) return undefined;
  const others = view.regions.filter((r) => r !== worst);
  const served = others.filter(isServed);
  if (served.length < others.length) return undefined;
  const best = served.reduce((a, b) => (b.outbound > a.outbound ? b : a));
  // Both as they have been and as they are now: a smoothed rate lags where a region has just come back.
  if (!isLeftBehind(worst.outbound, best.outbound)) return undefined;
  if (!isLeftBehind(worst.recentOut, best.recentOut)) return undefined;
  const leaves = `${rate(worst.outbound)} leaves while ${best.region} is served ${rate(best.outbound)}`;
  return {
    region: worst.region,
    rule: "stalled",
    why: `${backlogOf(worst, view)}; ${inboundOf(worst)}, but only ${leaves}`,
  };
}

/** What is not known is not behind; and where nothing leaves the best served either, it is nobody's own downstream. */
function isLeftBehind(own: number | undefined, best: number | undefined): boolean {
  return own !== undefined && best !== undefined && best > 0 && own <= STALLED_SHARE * best;
}

function isServed(region: RegionNumbers): region is RegionNumbers & { readonly outbound: number } {
  const { growth, outbound } = region;
  return outbound !== undefined && outbound >= SERVED_SHARE * (outbound + Math.max(0, growth));
}

function outgrew(
  view: View,
  worst: RegionNumbers,
  { history, now }: { readonly history: RegionHistory; readonly now: Instant },
): Chosen | undefined {
  if (worst.inbound === undefined || worst.share < FLOOD_SHARE) return undefined;
  const grown = ({ region, inbound }: RegionNumbers): number | undefined => {
    const past = history.regions.get(region);
    if (past?.firstTotal === undefined || past.firstTotal < LEAST_TOTAL || inbound === undefined)
      return undefined;
    return now.monoMs - past.firstAtMs > YOUNG_MS ? undefined : inbound / past.firstTotal;
  };
  const own = grown(worst);
  const others = view.regions.flatMap((r) => (r === worst ? [] : (grown(r) ?? [])));
  const most = Math.max(0, ...others);
  if (own === undefined || most === 0 || own < OUTGREW_TIMES * most) return undefined;
  if (most * LEAST_AGE_S > 1) return undefined;
  const than = `${formatNumber(own / most)} times more than any other region against all that came before the watch began`;
  return {
    region: worst.region,
    rule: "outgrew",
    why: `inbound ${rate(worst.inbound)}, ${than}; ${backlogOf(worst, view)}`,
  };
}

/** Nobody was chosen: the nearest to it says why. */
function noneStandsOut(view: View, worst: RegionNumbers): Reason {
  const [flooding] = floodingOf(view);
  if (flooding !== undefined) {
    const what = `${flooding.region} floods (${inboundOf(flooding)})`;
    return isMoved(flooding, view)
      ? ["traffic_moved", `${what}, but others send as much less: traffic moved, it is not new`]
      : ["flood_without_backlog", `${what}, but has little of the backlog (${backlogOf(flooding, view)})`];
  }
  const { region, inbound, common = 1 } = worst;
  const has = `${region} has most backlog (${backlogOf(worst, view)})`;
  if (inbound === undefined) return ["inbound_unknown", `${has}, but what comes in is not known`];
  if (!isMeasured(worst)) return ["no_past", `${has}, but no past to compare inbound ${rate(inbound)} with`];
  const { times } = worst;
  if (common >= COMMON_TIMES && times >= COMMON_TIMES)
    return ["common_cause", `all regions send more than usual: ${region} ${inboundOf(worst)}`];
  const sends =
    times < 1.5 ? `sends as usual (${inboundOf(worst)})` : `is not flooding (${inboundOf(worst)})`;
  if (worst.share < ALONE_SHARE)
    return ["backlog_shared", `several regions are backlogged; ${has}, and ${sends}`];
  return ["served_alike", `${has}, but ${sends} and is served no worse than the others`];
}

/** "inbound 480/s, 24 times its usual 20/s". */
function inboundOf({ inbound, usual, times, common = 1 }: Measured): string {
  const others = common >= 1.5 ? `, where the others send ${formatNumber(common)} times theirs` : "";
  if (times >= 1.5)
    return `inbound ${rate(inbound)}, ${formatNumber(times)} times its usual ${rate(usual)}${others}`;
  return `inbound ${rate(inbound)} of its usual ${rate(usual)}`;
}

/** "backlog 900 of 950 (95 %), growing 460/s". */
function backlogOf({ backlog, growth }: RegionNumbers, view: View): string {
  const share = view.backlog > 0 ? ` (${Math.round((100 * backlog) / view.backlog)} %)` : "";
  const trend =
    growth > 0.05 ? `, growing ${rate(growth)}` : growth < -0.05 ? `, shrinking ${rate(-growth)}` : "";
  return `backlog ${count(backlog)} of ${count(view.backlog)}${share}${trend}`;
}

function rate(perSecond: number): string {
  return `${formatNumber(perSecond)}/s`;
}

function count(messages: number): string {
  return formatNumber(messages);
}
