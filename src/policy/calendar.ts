/** Calendar arithmetic on plain milliseconds: the pure core has no `Date`. Time zones come from the runtime's database. */

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** Wall clock milliseconds of a date and time in UTC, Gregorian calendar; month 1 to 12. */
export function utcMs(t: {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}): number {
  // Years that begin in March put the leap day last.
  const year = t.month > 2 ? t.year : t.year - 1;
  const months = (t.month + 9) % 12;
  const leapDays = Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400);
  const days = 365 * year + leapDays + Math.floor((306 * months + 5) / 10) + t.day - 719_469;
  return days * DAY_MS + ((t.hour * 60 + t.minute) * 60 + t.second) * 1000;
}

/** By zone, each made once: making one takes a hundred times as long as using it. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  formats.set(timeZone, made);
  return made;
}

/** What the clocks of a time zone show at `ms`, as if it were UTC, whole seconds. @throws RangeError for an unknown zone. */
export function localMs(timeZone: string, ms: number): number {
  const shown = formatOf(timeZone).formatToParts(ms);
  const parts = new Map(shown.map(({ type, value }) => [type as string, Number(value)]));
  const part = (type: string) => parts.get(type) as number;
  return utcMs({
    year: part("year"),
    month: part("month"),
    day: part("day"),
    hour: part("hour"),
    minute: part("minute"),
    second: part("second"),
  });
}

/** The moment at which the clocks of a zone show `local`; one that they skip or show twice is taken near there. */
function momentOf(timeZone: string, local: number): number {
  const first = local - (localMs(timeZone, local) - local);
  return local - (localMs(timeZone, first) - first);
}

/** A stretch of wall clock time: start included, end excluded. */
export interface Occurrence {
  readonly startMs: number;
  readonly endMs: number;
}

/** The occurrence of a weekly window that holds `wallMs`, if one does. */
export function weeklyAt(
  w: { days: readonly number[]; fromMinute: number; toMinute: number; timeZone: string },
  wallMs: number,
): Occurrence | undefined {
  const today = Math.floor(localMs(w.timeZone, wallMs) / DAY_MS) * DAY_MS;
  const overnight = w.toMinute > w.fromMinute ? 0 : DAY_MS;
  for (const day of [today, today - DAY_MS]) {
    // 1970-01-01 was a Thursday.
    const weekday = (((day / DAY_MS + 4) % 7) + 7) % 7;
    if (!w.days.includes(weekday)) continue;
    const startMs = momentOf(w.timeZone, day + w.fromMinute * MINUTE_MS);
    const endMs = momentOf(w.timeZone, day + overnight + w.toMinute * MINUTE_MS);
    if (startMs <= wallMs && wallMs < endMs) return { startMs, endMs };
  }
  return undefined;
}

/** `2026-01-31T23:59:30Z`; `unknown` for what is not a time of the calendar's first ten thousand years. */
export function isoUtc(ms: number): string {
  if (!(ms > -62e12 && ms < 253e12)) return "unknown";
  const days = Math.floor(ms / DAY_MS);
  const second = Math.floor((ms - days * DAY_MS) / 1000);
  const { year, month, day } = dateOf(days);
  const at = (value: number, digits = 2) => String(Math.floor(value)).padStart(digits, "0");
  const time = `${at(second / 3600)}:${at((second / 60) % 60)}:${at(second % 60)}`;
  return `${at(year, 4)}-${at(month)}-${at(day)}T${time}Z`;
}

/** The Gregorian date of a day, counted from 1970-01-01: the inverse of `utcMs`. */
function dateOf(days: number): { year: number; month: number; day: number } {
  // Days since 0000-03-01; an era of 400 years always has the same number of them.
  const since = days + 719_468;
  const era = Math.floor(since / 146_097);
  const dayOfEra = since - era * 146_097;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return {
    year: yearOfEra + 400 * era + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  };
}
