import type { Attempt, AttemptOutcome } from "./verification.ts";

/** It did not help. An inconclusive one is neither this nor the other: unknown is not zero. */
export function unhelpful(outcome: AttemptOutcome): boolean {
  return outcome === "ineffective" || outcome === "worse" || outcome === "failed" || outcome === "refused";
}

function helped(outcome: AttemptOutcome): boolean {
  return outcome === "recovered" || outcome === "improved";
}

/** The actions that did not help since the last one that did, oldest first. */
export function unhelpfulInARow(attempts: readonly Attempt[]): Attempt[] {
  const from = attempts.findLastIndex((t) => helped(t.outcome)) + 1;
  return attempts.slice(from).filter((t) => unhelpful(t.outcome));
}
