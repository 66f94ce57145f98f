import type { VerificationSettings } from "../../domain/verification.ts";

/** Verification when nobody sets it otherwise; its window is then the target's cooldown. Why: docs/guards.md. */
export const DEFAULT_VERIFICATION: VerificationSettings = {
  minSamples: 3,
  minChange: 0.25,
  maxIneffective: 3,
  ineffectiveWindowMs: 3_600_000,
  healthyMs: 1_800_000,
};
