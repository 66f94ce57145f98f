import type { RetryRules } from "./retry.ts";

/** Limits of the calls of an action. */
export interface CallLimits {
  /** For one attempt, from connecting to the last byte of the answer, milliseconds above 0. */
  readonly attemptTimeoutMs: number;
  /** For all attempts on one instance and the waits between them, milliseconds above 0. */
  readonly totalTimeoutMs: number;
  readonly retry: RetryRules;
  /** Longest answer that is read, bytes above 0. */
  readonly maxResponseBytes: number;
}

/** @throws RangeError naming the field that is out of range. */
export function checkLimits({ attemptTimeoutMs, totalTimeoutMs, maxResponseBytes, retry }: CallLimits): void {
  const above0 = { attemptTimeoutMs, totalTimeoutMs, maxResponseBytes };
  for (const [name, value] of Object.entries(above0)) {
    if (!(Number.isFinite(value) && value > 0))
      throw new RangeError(`${name} is ${value}; give a number above 0`);
  }
  if (!Number.isSafeInteger(retry.maxAttempts) || retry.maxAttempts < 1) {
    throw new RangeError(`retry.maxAttempts is ${retry.maxAttempts}; give an integer of at least 1`);
  }
  for (const name of ["baseMs", "maxMs"] as const) {
    if (!(Number.isFinite(retry[name]) && retry[name] >= 0)) {
      throw new RangeError(`retry.${name} is ${retry[name]}; give milliseconds of at least 0`);
    }
  }
}
