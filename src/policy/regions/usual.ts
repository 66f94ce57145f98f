/** Spans of the past that are kept of one region; when they are full, two become one until each is `SPAN_S` long. */
const SPANS = 60;
/** Longest one span gets, seconds: two hours in all. */
const SPAN_S = 120;
/** Spans, and seconds, from which on there is a past to compare with. */
const LEAST_SPANS = 5;
const LEAST_S = 20;
/** Quantile of the past that counts as how high a region goes by itself. */
const HIGH = 0.95;
/** How far over `high` a level must be. */
const OVER_HIGH = 1.3;
/** How many times its usual rate a region must send to flood. */
const FLOOD_TIMES = 3;
/** Below this share of the usual rate a region is cut off. */
const AWAY_SHARE = 0.1;
/** A usual rate is taken to be at least this, messages a second: ten times nearly nothing is still nearly nothing. */
export const LEAST_USUAL = 0.1;
/** What is far from usual is not learned before it has lasted so long, milliseconds: twice the known past, within these. */
const RELEARN_LEAST_MS = 600_000;
const RELEARN_MOST_MS = 4 * 3_600_000;

interface Span {
  /** Integral of the level over the span, messages. */
  readonly sum: number;
  readonly seconds: number;
}

/**
 * What a region's inbound rate usually is: spans of its smoothed past, in constant memory. Their median is the usual
 * rate and the 95 % quantile what it reaches by itself, so up to half of the past may be odd without bending the usual.
 * Flood and outage are not learned at all, unless they last: then they are how it is now, and the past is forgotten.
 */
export interface Usual {
  spans: Span[];
  open: Span;
  /** Length a span must reach to be closed, seconds. */
  spanS: number;
  /** Messages a second; undefined while there is too little past. */
  rate: number | undefined;
  high: number;
  /** Since when the level has been far from usual, monotonic milliseconds. */
  awaySinceMs: number | undefined;
}

const EMPTY: Span = { sum: 0, seconds: 0 };

export function createUsual(): Usual {
  return { spans: [], open: EMPTY, spanS: 0, rate: undefined, high: 0, awaySinceMs: undefined };
}

/** Whether `level` (messages a second) is far above what the region does by itself; `common`: how much all others grew. */
export function floods(usual: Usual, level: number, common = 1): boolean {
  if (usual.rate === undefined) return false;
  return (
    level >= FLOOD_TIMES * common * Math.max(usual.rate, LEAST_USUAL) &&
    level >= OVER_HIGH * common * usual.high
  );
}

/** Learns that the smoothed rate was `level` for `seconds` up to `atMs` (monotonic). */
export function learn(
  usual: Usual,
  sample: { readonly level: number; readonly seconds: number; readonly atMs: number },
): void {
  const { level, seconds, atMs } = sample;
  if (isAway(usual, level)) {
    usual.awaySinceMs ??= atMs;
    if (atMs - usual.awaySinceMs < relearnMs(usual)) return;
    Object.assign(usual, createUsual());
  }
  usual.awaySinceMs = undefined;
  usual.open = { sum: usual.open.sum + level * seconds, seconds: usual.open.seconds + seconds };
  if (usual.open.seconds < usual.spanS) return;
  usual.spans.push(usual.open);
  usual.open = EMPTY;
  if (usual.spans.length > SPANS) {
    if (usual.spanS < SPAN_S) pairUp(usual);
    else usual.spans.shift();
  }
  summarise(usual);
}

function isAway(usual: Usual, level: number): boolean {
  if (usual.rate === undefined) return false;
  return floods(usual, level) || (usual.rate > LEAST_USUAL && level < AWAY_SHARE * usual.rate);
}

function relearnMs(usual: Usual): number {
  return Math.min(RELEARN_MOST_MS, Math.max(RELEARN_LEAST_MS, 2000 * knownS(usual)));
}

function knownS(usual: Usual): number {
  return usual.spans.reduce((sum, span) => sum + span.seconds, 0);
}

/** Two spans become one: half as many, twice as long. */
function pairUp(usual: Usual): void {
  const pairs: Span[] = [];
  for (let at = 0; at < usual.spans.length; at += 2) {
    const [a = EMPTY, b = EMPTY] = usual.spans.slice(at, at + 2);
    pairs.push({ sum: a.sum + b.sum, seconds: a.seconds + b.seconds });
  }
  usual.spans = pairs;
  usual.spanS = Math.min(SPAN_S, knownS(usual) / pairs.length);
}

function summarise(usual: Usual): void {
  const { spans } = usual;
  if (spans.length < LEAST_SPANS || knownS(usual) < LEAST_S) return;
  const rates = spans.map(({ sum, seconds }) => sum / seconds).sort((a, b) => a - b);
  usual.rate = rates[Math.floor((rates.length - 1) / 2)];
  usual.high = rates[Math.ceil(HIGH * (rates.length - 1))] ?? 0;
}
