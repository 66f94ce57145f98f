import type { State } from "../../report/wire.ts";

/** How each signal is called and written. A signal that is not known here is written as a plain number. */
const SIGNALS: Readonly<Record<string, { readonly title: string; readonly write: (v: number) => string }>> = {
  p95_latency: { title: "P95 latency", write: milliseconds },
  error_rate: { title: "Error rate", write: percent },
  memory: { title: "Memory", write: bytes },
  backlog: { title: "Backlog", write: digits },
};

/** What a decision came to, the most urgent first: a shape and a word, so that it reads without colour. */
export const STATES: Readonly<Record<State, { shape: string; word: string; title: string }>> = {
  acting: { shape: "◆", word: "acting", title: "an action was asked for, and no guard blocked it" },
  blocked: { shape: "■", word: "blocked", title: "an action was asked for, and something blocked it" },
  at_risk: { shape: "▲", word: "at risk", title: "in risk, but no reason to act yet" },
  no_data: { shape: "?", word: "no data", title: "no usable data" },
  ok: { shape: "✓", word: "ok", title: "nothing is wrong" },
};

/** Larger is more urgent. */
export function urgency(state: State): number {
  return -Object.keys(STATES).indexOf(state);
}

export function signalTitle(metric: string): string {
  return SIGNALS[metric]?.title ?? metric;
}

type Unknown = null | undefined;

/** A value of a signal with its unit. Unknown is unknown, never zero. */
export function shown(metric: string, value: number | Unknown): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "unknown";
  return (SIGNALS[metric]?.write ?? digits)(value);
}

/** A measured value, which may be only the least that it can be. */
export function measured(metric: string, value: number | Unknown, atLeast: boolean): string {
  return `${atLeast ? "≥ " : ""}${shown(metric, value)}`;
}

/** A name of the program for people: `rate_cap_fleet` is "rate cap fleet". */
export function plain(name: string): string {
  return name.replaceAll("_", " ");
}

/** Three significant digits without an exponent. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${(value / 1e9).toPrecision(3)} G`;
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

function milliseconds(value: number): string {
  return value >= 10_000 ? `${digits(value / 1000)} s` : `${digits(value)} ms`;
}

function bytes(value: number): string {
  if (value >= 1e9) return `${digits(value / 1e9)} GB`;
  return value >= 1e6 ? `${digits(value / 1e6)} MB` : `${digits(value / 1e3)} kB`;
}

export function percent(share: number | Unknown): string {
  return share === null || share === undefined ? "–" : `${digits(100 * share)} %`;
}

/** `45 s`, `12 min`, `3 h 5 min`, `2 d`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.ceil(seconds));
  if (s < 100) return `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} d`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
const DAY = { weekday: "short", day: "numeric", month: "short" } as const;
let clock: Intl.DateTimeFormat | undefined;
let day: Intl.DateTimeFormat | undefined;

/** Time of day in the viewer's zone; with the date when it is not today. Milliseconds. */
export function clockTime(ms: number, nowMs = Date.now()): string {
  clock ??= new Intl.DateTimeFormat(undefined, CLOCK);
  day ??= new Intl.DateTimeFormat(undefined, DAY);
  const today = new Date(ms).toDateString() === new Date(nowMs).toDateString();
  return today ? clock.format(ms) : `${day.format(ms)}, ${clock.format(ms)}`;
}

/** `2026-01-31 14:03:10 UTC`. */
export function utcTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Why, in plain words, without the time until which it holds: that is shown in the viewer's zone beside it. */
export function withoutUntil(detail: string): string {
  return detail.replace(/ until \d\d:\d\d:\d\d UTC/, "").replace(/^(acting|blocked|not acting): /, "");
}

/** "until 14:03:10, 2 min left"; "until 14:03:10, over" once it has passed. @param untilS Unix time, seconds. */
export function untilText(untilS: number, nowMs = Date.now()): string {
  const left = untilS - nowMs / 1000;
  return `until ${clockTime(1000 * untilS, nowMs)}, ${left > 0 ? `${duration(left)} left` : "over"}`;
}
