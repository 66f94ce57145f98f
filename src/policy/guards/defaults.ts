import type { GuardSettings } from "../../domain/guards.ts";

const MINUTE = 60_000;

/** The brakes as they are when nobody sets them: all on. Why these figures: docs/adr/0007-guards.md. */
export const DEFAULT_GUARDS: GuardSettings = {
  targetCap: { actions: 4, windowMs: 60 * MINUTE },
  fleetCap: { actions: 10, windowMs: 10 * MINUTE },
  storm: { share: 0.3, minTargets: 3, windowMs: 5 * MINUTE, exitShare: 0.15, calmMs: 5 * MINUTE },
  startup: { starts: 3, windowMs: 10 * MINUTE, quietMs: 5 * MINUTE },
  completeness: { targetShare: 0.5, fleetShare: 0.5, minSeries: 8, memoryMs: 15 * MINUTE },
  backoff: { factor: 2, maxMs: 60 * MINUTE },
  maintenance: [],
  silences: [],
};
