/** Spans of the past that are kept of one region; when they are full, two become one until each is `SPAN_S` long. */
const SPANS = 60;
/** Longest one span gets, seconds: two hours in all. */
const SPAN_S = 120;
/** Spans, and seconds, from which on there is a past to compare with. */
const LEAST_SPANS = 5;
const LEAST_S = 20;
/** A region that was silent so far, seconds: it may be one that sends now and then. */
const LEAST_SILENT_S = 300;
/** How far over `high` a level must be. */
const OVER_HIGH = 1.5;
/** How many times its usual rate a region must send to flood: by a past of nearly nothing, and by one of `KNOWN_S`. */
const FLOOD_TIMES_NEW = 10;
const FLOOD_TIMES = 3;
const KNOWN_S = 180;
/** How the growth of all others counts: the more they grow, the more they differ in it by themselves. */
const COMMON_POWER = 1.25;
/** A new height is held back: what rises so far, times the usual, may be the beginning of a flood; for so long, seconds. */
const HELD_TIMES = 1.5;
const HELD_S = 300;
/** A flood that is over within this was a burst, seconds: regions do that by themselves, e.g. on the minute. */
const BURST_S = 60;
/** Below this share of the usual rate a region is cut off. */
const AWAY_SHARE = 0.1;
/** A usual rate is taken to be at least this, messages a second: ten times nearly nothing is still nearly nothing. */
export const LEAST_USUAL = 0.1;
/** How far the halves of a new past may differ: what is still rising or has only just been seen is not usual yet. */
const STEADY_TIMES = 1.5;
/** What is far from usual is not learned before it has lasted so long, milliseconds: twice the known past, within these. */
const RELEARN_LEAST_MS = 120_000;
const RELEARN_MOST_MS = 4 * 3_600_000;

interface Span {
  /** Integral of the level over the span, messages. */
  readonly sum: number;
  readonly seconds: number;
  /** The highest level in it. */
  readonly top: number;
}

/**
 * What a region's inbound rate usually is: spans of its smoothed past, in constant memory. Their median is the usual
 * rate, so up to half of the past may be odd without bending it; the second highest of their tops is what the region
 * reaches by itself. Flood and outage are not learned at all, unless they last: then they are how it is now, and the
 * past is forgotten.
 */
export interface Usual {
  spans: Span[];
  /** The rates of the spans, ascending. */
  rates: number[];
  open: Span;
  /** A rise to new heights: learned when it has ended or lasted, unless it was a flood and no mere burst. */
  held: Span;
  heldFlood: boolean;
  /** Length of the spans together, seconds. */
  knownS: number;
  /** Length a span must reach to be closed, seconds. */
  spanS: number;
  /** Messages a second; undefined while there is too little past. */
  rate: number | undefined;
  high: number;
  /** Since when the level has been far from usual, monotonic milliseconds. */
  awaySinceMs: number | undefined;
}

const EMPTY: Span = { sum: 0, seconds: 0, top: 0 };

export function createUsual(): Usual {
  return {
    spans: [],
    rates: [],
    open: EMPTY,
    held: EMPTY,
    heldFlood: false,
    knownS: 0,
    spanS: 0,
    rate: undefined,
    high: 0,
    awaySinceMs: undefined,
  };
}

/** Whether `level` (messages a second) is far above what the region does by itself; `common`: how much all others grew. */
export function floods(usual: Usual, level: number, common = 1): boolean {
  if (usual.rate === undefined) return false;
  const shared = common ** COMMON_POWER;
  const newness = Math.max(0, 1 - usual.knownS / KNOWN_S);
  const times = FLOOD_TIMES + (FLOOD_TIMES_NEW - FLOOD_TIMES) * newness;
  return (
    level >= times * shared * Math.max(usual.rate, LEAST_USUAL) && level >= OVER_HIGH * shared * usual.high
  );
}

/** Learns that the smoothed rate was `level` for `seconds` up to `atMs` (monotonic). */
export function learn(
  usual: Usual,
  sample: { readonly level: number; readonly seconds: number; readonly atMs: number },
): void {
  const { level, seconds, atMs } = sample;
  const span = { sum: level * seconds, seconds, top: level };
  const isFlood = floods(usual, level);
  if (isFlood || isAway(usual, level)) {
    usual.awaySinceMs ??= atMs;
    if (atMs - usual.awaySinceMs < relearnMs(usual)) {
      if (isFlood) hold(usual, span, true);
      return;
    }
    Object.assign(usual, createUsual());
  }
  usual.awaySinceMs = undefined;
  if (isNewHeight(usual, level)) {
    hold(usual, span, false);
    if (usual.held.seconds >= HELD_S) settle(usual);
    return;
  }
  settle(usual);
  admit(usual, span);
}

function isAway(usual: Usual, level: number): boolean {
  return usual.rate !== undefined && usual.rate > LEAST_USUAL && level < AWAY_SHARE * usual.rate;
}

function isNewHeight(usual: Usual, level: number): boolean {
  if (usual.rate === undefined) return false;
  return level > HELD_TIMES * Math.max(usual.rate, LEAST_USUAL) && level > usual.high;
}

function hold(usual: Usual, span: Span, isFlood: boolean): void {
  usual.held = add(usual.held, span);
  usual.heldFlood ||= isFlood;
}

/** What was held back is learned, or dropped where it was a flood. */
function settle(usual: Usual): void {
  const { held, heldFlood } = usual;
  usual.held = EMPTY;
  usual.heldFlood = false;
  if (held.seconds > 0 && (!heldFlood || held.seconds <= BURST_S)) admit(usual, held);
}

function admit(usual: Usual, span: Span): void {
  usual.open = add(usual.open, span);
  if (usual.open.seconds < usual.spanS) return;
  const { spans, rates } = usual;
  spans.push(usual.open);
  insert(rates, rateOf(usual.open));
  usual.open = EMPTY;
  if (spans.length > SPANS) {
    if (usual.spanS < SPAN_S) pairUp(usual);
    else rates.splice(placeOf(rates, rateOf(spans.shift() as Span)), 1);
  }
  usual.knownS = lengthOf(usual.spans);
  summarise(usual);
}

function add(a: Span, b: Span): Span {
  return { sum: a.sum + b.sum, seconds: a.seconds + b.seconds, top: Math.max(a.top, b.top) };
}

function relearnMs(usual: Usual): number {
  return Math.min(RELEARN_MOST_MS, Math.max(RELEARN_LEAST_MS, 2000 * usual.knownS));
}

function lengthOf(spans: readonly Span[]): number {
  let sum = 0;
  for (const { seconds } of spans) sum += seconds;
  return sum;
}

/** Two spans become one: half as many, twice as long. */
function pairUp(usual: Usual): void {
  const pairs: Span[] = [];
  for (let at = 0; at < usual.spans.length; at += 2) {
    const [a = EMPTY, b = EMPTY] = usual.spans.slice(at, at + 2);
    pairs.push(add(a, b));
  }
  usual.spans = pairs;
  usual.rates = ratesOf(pairs);
  usual.spanS = Math.min(SPAN_S, lengthOf(pairs) / pairs.length);
}

function summarise(usual: Usual): void {
  const { spans } = usual;
  if (spans.length < LEAST_SPANS || usual.knownS < LEAST_S) return;
  const median = medianOf(usual.rates);
  if (usual.rate === undefined) {
    if (median < LEAST_USUAL && usual.knownS < LEAST_SILENT_S) return;
    const half = Math.floor(spans.length / 2);
    const [before, after] = [spans.slice(0, half), spans.slice(half)].map((part) =>
      Math.max(medianOf(ratesOf(part)), LEAST_USUAL),
    ) as [number, number];
    if (Math.max(before, after) > STEADY_TIMES * Math.min(before, after)) return;
  }
  usual.rate = median;
  // The second highest: once is no habit.
  usual.high = secondHighest(spans);
}

function rateOf({ sum, seconds }: Span): number {
  return sum / seconds;
}

/** Ascending. */
function ratesOf(spans: readonly Span[]): number[] {
  return spans.map(rateOf).sort((a, b) => a - b);
}

/** Where in ascending rates the first lies that is at least `rate`. */
function placeOf(rates: readonly number[], rate: number): number {
  let low = 0;
  let high = rates.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((rates[mid] as number) < rate) low = mid + 1;
    else high = mid;
  }
  return low;
}

function insert(rates: number[], rate: number): void {
  rates.splice(placeOf(rates, rate), 0, rate);
}

/** The lower median; of at least one. @param rates ascending. */
function medianOf(rates: readonly number[]): number {
  return rates[Math.floor((rates.length - 1) / 2)] as number;
}

/** Of at least two spans. */
function secondHighest(spans: readonly Span[]): number {
  let highest = Number.NEGATIVE_INFINITY;
  let second = Number.NEGATIVE_INFINITY;
  for (const { top } of spans) {
    second = Math.max(second, Math.min(highest, top));
    highest = Math.max(highest, top);
  }
  return second;
}
