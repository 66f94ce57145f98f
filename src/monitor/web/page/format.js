/** How each signal is called and written. A signal that is not known here is written as a plain number. */
const SIGNALS = {
  p95_latency: { title: "P95 latency", write: milliseconds },
  error_rate: { title: "Error rate", write: (v) => `${digits(100 * v)} %` },
  memory: { title: "Memory", write: bytes },
  backlog: { title: "Backlog", write: digits },
};

/** Reasons that say that nothing is wrong, in a word or two; the monitor explains all others itself. */
const CALM = {
  below_slo: "within its SLO",
  no_excess_expected: "within its SLO",
  weak_probability: "within its SLO",
  r2_below_min: "no clear course",
  insufficient_samples: "too few samples yet",
  awaiting_cycles: "learning its swing",
  explained_by_traffic: "follows the traffic",
  settling: "settling after an action",
  predictor_off: "only watched",
};

/** What a decision came to: a shape and a word, so that it reads without colour. */
export const KINDS = {
  acted: { shape: "◆", word: "acting", title: "a rule asked for an action, and nothing held it" },
  held: { shape: "■", word: "held", title: "a rule would act, something held it back" },
  watching: { shape: "▲", word: "in risk", title: "in risk, no rule speaks yet" },
  blind: { shape: "?", word: "no data", title: "no usable data" },
  quiet: { shape: "✓", word: "calm", title: "nothing is wrong" },
};

export function signalTitle(metric) {
  return SIGNALS[metric]?.title ?? metric;
}

/** A value of a signal with its unit. Unknown is unknown, never zero. */
export function shown(metric, value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "unknown";
  return (SIGNALS[metric]?.write ?? digits)(value);
}

export function calm(reason) {
  return CALM[reason] ?? reason.replaceAll("_", " ");
}

/** A name of the program for people: `rate_cap_fleet` is "rate cap fleet". */
export function plain(name) {
  return String(name).replaceAll("_", " ");
}

/** Three significant digits without an exponent. */
export function digits(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${(value / 1e9).toPrecision(3)} G`;
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

function milliseconds(value) {
  return value >= 10_000 ? `${digits(value / 1000)} s` : `${digits(value)} ms`;
}

function bytes(value) {
  if (value >= 1e9) return `${digits(value / 1e9)} GB`;
  return value >= 1e6 ? `${digits(value / 1e6)} MB` : `${digits(value / 1e3)} kB`;
}

export function percent(share) {
  return share === null || share === undefined ? "–" : `${digits(100 * share)} %`;
}

/** `45 s`, `12 min`, `3 h 5 min`, `2 d`. */
export function duration(seconds) {
  const s = Math.max(0, Math.ceil(seconds));
  if (s < 100) return `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} d`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DAY = { weekday: "short", day: "numeric", month: "short" };
let clock;
let day;

/** Time of day in the viewer's zone; with the date when it is not today. @param {number} ms */
export function clockTime(ms, nowMs = Date.now()) {
  clock ??= new Intl.DateTimeFormat(undefined, CLOCK);
  day ??= new Intl.DateTimeFormat(undefined, DAY);
  const text = clock.format(ms);
  return sameDay(ms, nowMs) ? text : `${day.format(ms)}, ${text}`;
}

/** Hours and minutes in the viewer's zone; with seconds where there are some. @param {number} ms */
export function clockMinutes(ms) {
  clock ??= new Intl.DateTimeFormat(undefined, CLOCK);
  return clock.format(ms).replace(/:00$/, "");
}

function sameDay(a, b) {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

/** `2026-01-31 14:03:10 UTC`. @param {number} ms */
export function utcTime(ms) {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/**
 * Why, in plain words, without the time until which it holds: that is shown in the viewer's zone beside it.
 * @param {string} detail as the monitor explains it
 */
export function withoutUntil(detail) {
  return detail.replace(/ until \d\d:\d\d:\d\d UTC/, "").replace(/^(acting|holding): /, "");
}

/** "until 14:03:10, 2 min left"; "until 14:03:10, over" once it has passed. @param {number} untilS Unix seconds */
export function untilText(untilS, nowMs = Date.now()) {
  const left = untilS - nowMs / 1000;
  return `until ${clockTime(1000 * untilS, nowMs)}, ${left > 0 ? `${duration(left)} left` : "over"}`;
}
