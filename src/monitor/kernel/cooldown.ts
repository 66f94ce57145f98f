import type { Instant } from "./time.ts";

/**
 * Monotonic time left of a cooldown, milliseconds; 0 when it is over or there was no action.
 * @param lastActionMonoMs monotonic time of the last action, on the same origin as `now`.
 */
export function cooldownLeftMs(
  lastActionMonoMs: number | undefined,
  cooldownMs: number,
  now: Instant,
): number {
  if (lastActionMonoMs === undefined) return 0;
  return Math.max(0, lastActionMonoMs + cooldownMs - now.monoMs);
}

/**
 * Where an action of an earlier run lies on this run's monotonic clock.
 * After a reboot the two clocks cannot be compared and the wall clock may have jumped: the action then counts
 * as just made, so that a cooldown is never cut short.
 */
export function resumeMono(
  action: { readonly at: Instant; readonly bootId: string },
  now: Instant,
  bootId: string,
): number {
  if (action.bootId !== bootId) return now.monoMs;
  return Math.min(action.at.monoMs, now.monoMs);
}
