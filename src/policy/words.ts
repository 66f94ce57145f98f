/** A duration for people: `45 s`, `10 min`, `1 h 30 min`, `2 d`. @param ms milliseconds, at least 0. */
export function spell(ms: number): string {
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
