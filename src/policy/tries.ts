import type { TryOutcome } from "../domain/verification.ts";

/** It did not help. An inconclusive one is neither this nor the other: unknown is not zero. */
export function unhelpful(outcome: TryOutcome): boolean {
  return outcome === "ineffective" || outcome === "worse" || outcome === "failed" || outcome === "refused";
}

export function helped(outcome: TryOutcome): boolean {
  return outcome === "recovered" || outcome === "improved";
}
