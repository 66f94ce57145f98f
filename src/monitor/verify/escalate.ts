import { unhelpful, unhelpfulInARow } from "../kernel/attempts.ts";
import type { Instant } from "../kernel/time.ts";
import type { Attempt, Escalation, VerificationSettings } from "../kernel/verification.ts";

type Limits = Pick<VerificationSettings, "ineffectiveWindowMs" | "maxIneffective">;

/**
 * Whether to stop acting and call a person: so many actions did not help, within the window or in a row (the pauses
 * between them may have grown longer than the window), or the target refused one, which no repetition mends (wrong
 * token, unknown call).
 */
export function escalate(attempts: readonly Attempt[], limits: Limits, now: Instant): Escalation | undefined {
  const recent = recentUnhelpful(attempts, limits, now);
  const row = unhelpfulInARow(attempts);
  const those = row.length > recent.length ? row : recent;
  const newest = those.at(-1);
  if (newest === undefined) return undefined;
  const refused = newest.outcome === "refused";
  if (!refused && those.length < limits.maxIneffective) return undefined;
  const { target, signal } = newest;
  return { target, signal, cause: refused ? "refused" : "ineffective", since: now, attempts: those };
}

/** Whether or not one in between did help. */
function recentUnhelpful(
  attempts: readonly Attempt[],
  { ineffectiveWindowMs }: Pick<Limits, "ineffectiveWindowMs">,
  now: Instant,
): Attempt[] {
  return attempts.filter((t) => unhelpful(t.outcome) && now.monoMs - t.at.monoMs <= ineffectiveWindowMs);
}
