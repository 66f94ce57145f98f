/** A duration for people: `45 s`, `10 min`, `1 h 30 min`, `2 d`. @param ms milliseconds, at least 0. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "an unknown time";
  const s = Math.ceil(Math.max(0, ms) / 1000);
  if (s < 120) return `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(minutes / 1440)} d`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** A share as a percentage without digits nobody needs. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${Number((100 * share).toPrecision(3))} %` : "unknown";
}

/** Text of people, fit for one line of a log or an alert: no control characters, at most `length` characters. */
export function oneLine(text: string, length = 200): string {
  const flat = text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
  return flat.length > length ? `${flat.slice(0, length - 1)}…` : flat;
}

/** Short number for people: three significant digits, no exponent for what fits a line; `unknown` when not finite. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "unknown";
  const size = Math.abs(value);
  // The limits lie where three digits would round up into the next unit.
  if (size >= 999.5e9) return value.toExponential(2);
  if (size >= 999.5e6) return `${(value / 1e9).toPrecision(3)}G`;
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e3) return `${Math.round(value)}`;
  return `${Number(value.toPrecision(3))}`;
}

/** `2026-01-31T23:59:30Z`; `unknown` for what is not a time of the calendar's first ten thousand years. @param ms Unix epoch. */
export function isoUtc(ms: number): string {
  return ms > -62e12 && ms < 253e12 ? `${new Date(ms).toISOString().slice(0, 19)}Z` : "unknown";
}

/** What was thrown, for people: also of something that is no error. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
