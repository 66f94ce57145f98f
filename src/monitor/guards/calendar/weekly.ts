/** Calendar arithmetic on plain milliseconds: the pure core has no `Date`. Time zones come from the runtime's database. */

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** Wall clock milliseconds of a date and time in UTC, Gregorian calendar; month 1 to 12. @internal for its tests */
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

/** What the clocks of a time zone show at `ms`, as if it were UTC, whole seconds. @throws RangeError for an unknown zone. @internal for its tests */
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
