import type { Instant } from "../../kernel/time.ts";
import type { Occurrence } from "./weekly.ts";

/**
 * A calendar hold once it has begun, on the monotonic clock. The calendar says when it begins; from then on a wall
 * clock that is set forward cannot cut it short (`leastMonoMs`), and one that is set back or stands still can prolong
 * it by one length at most (`mostMonoMs`).
 */
export interface Latch {
  /** Wall clock start of the occurrence, which tells one from the next. */
  readonly startMs: number;
  readonly lengthMs: number;
  readonly leastMonoMs: number;
  readonly mostMonoMs: number;
  /** Whether it held when last looked at. */
  readonly holding: boolean;
}

/**
 * The latch after a look at the clocks.
 * @param occurrence the stretch of calendar time that holds the present wall clock, if one does.
 */
export function advanceLatch(
  latch: Latch | undefined,
  occurrence: Occurrence | undefined,
  now: Instant,
): Latch | undefined {
  if (latch !== undefined && now.monoMs < latch.leastMonoMs) return marked(latch, true);
  const same = latch !== undefined && latch.startMs === occurrence?.startMs;
  if (same) return marked(latch, now.monoMs < latch.mostMonoMs);
  if (occurrence !== undefined) return begin(occurrence, now);
  // The clock was ahead when it began and has been set back: it is still to come.
  if (latch !== undefined && now.wallMs < latch.startMs) return undefined;
  // Kept although it is over, so that a clock set back into it does not begin it anew.
  return latch === undefined ? undefined : marked(latch, false);
}

/** Until when it holds on the monotonic clock, as far as the clocks say now; undefined when it does not hold. */
export function latchedUntil(latch: Latch | undefined, occurrence: Occurrence | undefined, now: Instant) {
  if (latch?.holding !== true) return undefined;
  const byCalendar = occurrence?.startMs === latch.startMs ? now.monoMs + occurrence.endMs - now.wallMs : 0;
  return Math.max(latch.leastMonoMs, Math.min(latch.mostMonoMs, byCalendar));
}

/**
 * Carried over to another boot, whose monotonic clock knows nothing of it: the calendar decides anew. Only where it
 * held, and the clock says now that it has not even begun, the clock is wrong: it then holds for its length.
 */
export function resumeLatch(latch: Latch, now: Instant): Latch | undefined {
  if (!latch.holding || now.wallMs >= latch.startMs) return undefined;
  const untilMonoMs = now.monoMs + latch.lengthMs;
  return { ...latch, leastMonoMs: untilMonoMs, mostMonoMs: untilMonoMs };
}

function begin({ startMs, endMs }: Occurrence, now: Instant): Latch {
  const lengthMs = endMs - startMs;
  const leastMonoMs = now.monoMs + (endMs - now.wallMs);
  return { startMs, lengthMs, leastMonoMs, mostMonoMs: leastMonoMs + lengthMs, holding: true };
}

function marked(latch: Latch, holding: boolean): Latch {
  return latch.holding === holding ? latch : { ...latch, holding };
}
