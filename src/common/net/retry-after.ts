import { first, type Headers } from "./exchange.ts";

/** Whoever asks for a longer wait is not heard. */
const MAX_MS = 24 * 3_600_000;

/**
 * The wait that a server asks for, milliseconds, at most a day; undefined where it asks for none (RFC 9110, 10.2.3). A
 * date is measured against the answer's own `Date`, so that the clocks of the two machines need not agree.
 */
export function retryAfterMs(headers: Headers): number | undefined {
  const value = first(headers["retry-after"]) ?? "";
  const ms = /^\d{1,9}$/.test(value)
    ? Number(value) * 1000
    : Date.parse(value) - Date.parse(first(headers.date) ?? "");
  return Number.isNaN(ms) ? undefined : Math.min(MAX_MS, Math.max(0, ms));
}
