/** Earlier than this (1973) a time is taken as counted from zero, not from the epoch, seconds. */
const CALENDAR_FROM_S = 1e8;

const two = (n: number): string => `${Math.floor(n)}`.padStart(2, "0");

/** Year, month and day of a number of days since 1970-01-01, by the rules of the Gregorian calendar. */
function civil(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * ofYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

/** Whether times are shown as dates, or as hours since zero. */
export function isCalendar(ms: number): boolean {
  return ms / 1000 >= CALENDAR_FROM_S;
}

/** `2026-01-31 23:59:30` (UTC), or `1:02:30` hours for times that count from zero. */
export function showTime(ms: number): string {
  return isCalendar(ms) ? `${showDate(ms)} ${showClock(ms)}` : showClock(ms);
}

/** `2026-01-31`. */
export function showDate(ms: number): string {
  const { year, month, day } = civil(Math.floor(ms / 86_400_000));
  return `${year}-${two(month)}-${two(day)}`;
}

/** Time of day `23:59:30` (UTC), or hours since zero. */
export function showClock(ms: number): string {
  const s = Math.floor(ms / 1000);
  const hours = Math.floor(isCalendar(ms) ? (s % 86_400) / 3600 : s / 3600);
  return `${isCalendar(ms) ? two(hours) : hours}:${two((s % 3600) / 60)}:${two(s % 60)}`;
}
