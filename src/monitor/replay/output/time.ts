/** Earlier than this (1973) a time is taken as counted from zero, not from the epoch, milliseconds. */
const CALENDAR_FROM_MS = 1e11;

/** Whether times are shown as dates, or as hours since zero. */
function isCalendar(ms: number): boolean {
  return ms >= CALENDAR_FROM_MS;
}

/** `2026-01-31 23:59:30` (UTC), or `1:02:30` hours for times that count from zero. */
export function showTime(ms: number): string {
  return isCalendar(ms) ? `${showDate(ms)} ${showClock(ms)}` : showClock(ms);
}

/** `2026-01-31`. */
function showDate(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Time of day `23:59:30` (UTC), or hours since zero. */
function showClock(ms: number): string {
  const clock = new Date(ms).toISOString().slice(11, 19);
  return isCalendar(ms) ? clock : `${Math.floor(ms / 3_600_000)}${clock.slice(2)}`;
}
