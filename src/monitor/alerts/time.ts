import { z } from "zod";

const RFC3339 = z.iso.datetime({ offset: true });

/**
 * Milliseconds since the Unix epoch of an RFC 3339 time; fractions of a millisecond are cut off.
 * @returns undefined when the text is no such time, e.g. month 13, a leap second, no zone.
 */
export function parseTime(text: string): number | undefined {
  const upper = text.toUpperCase();
  return RFC3339.safeParse(upper).success ? Date.parse(upper) : undefined;
}
