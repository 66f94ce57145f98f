import { formatNumber } from "../../kernel/text.ts";
import { isCalendar, showClock, showDate } from "../output/time.ts";

/** A linear map from data to pixels. */
export interface Scale {
  readonly from: number;
  readonly to: number;
  (value: number): number;
}

/** Maps `[from, to]` to `[low, high]` pixels. */
export function scale(from: number, to: number, low: number, high: number): Scale {
  const span = to > from ? to - from : 1;
  return Object.assign((value: number) => low + ((value - from) / span) * (high - low), { from, to });
}

/** Round values inside a range, about `wanted` of them: steps of 1, 2 or 5 times a power of ten. */
export function valueTicks(from: number, to: number, wanted: number): number[] {
  if (!(to > from)) return [from];
  const raw = (to - from) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((f) => f * power >= raw) ?? 10) * power;
  const ticks: number[] = [];
  for (let k = Math.ceil(from / step); k * step <= to * (1 + 1e-12); k++) ticks.push(k * step);
  return ticks;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 30, 91, 365].map((n) => n * DAY),
];

export interface TimeTick {
  readonly atMs: number;
  readonly text: string;
}

/** Round times inside a range, about `wanted` of them; the first one, and midnights, also tell the date. */
export function timeTicks(fromMs: number, toMs: number, wanted: number): TimeTick[] {
  const raw = (toMs - fromMs) / wanted;
  const step = STEPS_MS.find((s) => s >= raw) ?? 365 * DAY;
  const ticks: TimeTick[] = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs; at += step) {
    const clock = step < MINUTE ? showClock(at) : showClock(at).replace(/:\d\d$/, "");
    const dated = isCalendar(at) && (ticks.length === 0 || at % DAY === 0);
    ticks.push({ atMs: at, text: dated ? `${showDate(at)} ${clock}` : clock });
  }
  return ticks;
}

/** A value with its unit, short. */
export function withUnit(value: number, unit: string): string {
  return unit === "ratio" ? formatNumber(value) : `${formatNumber(value)} ${unit}`;
}
