/** Wait before the first attempt, the second and so on, milliseconds; the last one is repeated. */
const ATTEMPT_DELAYS_MS: readonly number[] = [0, 2_000, 4_000, 8_000];
/** A job that failed so many times becomes a dead letter. */
const MAX_ATTEMPTS = 5;

/** What follows a failed attempt, counted from 1: the wait before the next, or nothing more. */
export function afterFailure(
  attempt: number,
): { readonly retry: true; readonly delayMs: number } | { readonly retry: false } {
  if (attempt >= MAX_ATTEMPTS) return { retry: false };
  const at = Math.min(attempt, ATTEMPT_DELAYS_MS.length - 1);
  return { retry: true, delayMs: ATTEMPT_DELAYS_MS[at] ?? 0 };
}
