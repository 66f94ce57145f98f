const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const DAY_MS = 86_400_000;

/** 0001-01-01T00:00:00Z: what Alertmanager writes where it has no time. */
export const ZERO_TIME_MS = -62_135_596_800_000;

/**
 * Milliseconds since the Unix epoch of an RFC 3339 time, by arithmetic: the pure core has no calendar. Fractions of a
 * millisecond are cut off.
 * @returns undefined when the text is no such time, e.g. month 13, a leap second, no zone.
 */
export function parseTime(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const [fraction = "", sign = "+", aheadH = "0", aheadM = "0"] = match.slice(7);
  if (month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || Number(aheadH) > 23 || Number(aheadM) > 59) return undefined;
  const days = daysBeforeYear(year) - daysBeforeYear(1970) + daysBeforeMonth(year, month) + day - 1;
  const clockMs = 3_600_000 * hour + 60_000 * minute + 1000 * second;
  const aheadMs = 3_600_000 * Number(aheadH) + 60_000 * Number(aheadM);
  const ms = Number(fraction.padEnd(3, "0").slice(0, 3));
  return days * DAY_MS + clockMs + ms - (sign === "-" ? -aheadMs : aheadMs);
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function daysBeforeMonth(year: number, month: number): number {
  let days = 0;
  for (let earlier = 1; earlier < month; earlier += 1) days += daysOfMonth(year, earlier);
  return days;
}

/** Days of the Gregorian calendar before 1 January, counted from the year 1. */
function daysBeforeYear(year: number): number {
  const whole = year - 1;
  return 365 * whole + Math.floor(whole / 4) - Math.floor(whole / 100) + Math.floor(whole / 400);
}
