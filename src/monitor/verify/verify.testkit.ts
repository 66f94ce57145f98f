import type { Instant } from "../kernel/time.ts";
import type { Before, VerificationSettings } from "../kernel/verification.ts";
import type { Verification } from "./types.ts";
import { beginVerification, feed } from "./verification.ts";

const MINUTE = 60_000;
export const WALL_MS = 1_760_000_000_000;
export const CYCLE_MS = 30_000;

/** Both clocks `ms` after the action. */
export function past(ms: number): Instant {
  return { wallMs: WALL_MS + ms, monoMs: 1_000_000 + ms };
}

export function verificationSettings(over: Partial<VerificationSettings> = {}): VerificationSettings {
  return {
    minSamples: 3,
    minChange: 0.25,
    maxIneffective: 3,
    ineffectiveWindowMs: 60 * MINUTE,
    healthyMs: 30 * MINUTE,
    ...over,
  };
}

/** A latency's SLO of 300 with its exit at 270, watched for five minutes from the action on. */
export function verificationOf(
  over: {
    id?: string;
    target?: string;
    signal?: string;
    before?: Before;
    rateWindowMs?: number;
    lateMs?: number;
    at?: Instant;
    settings?: Partial<VerificationSettings>;
  } = {},
): Verification {
  const at = over.at ?? past(0);
  return beginVerification({
    intent: {
      id: over.id ?? "i-1",
      target: over.target ?? "product-api",
      signal: over.signal ?? "p95_latency",
      kind: "mitigate",
      at,
    },
    thresholds: { slo: 300, exit: 270 },
    before: over.before ?? { value: 900, forecast: 1900, slopePerSecond: 5 },
    effectAt: at,
    rateWindowMs: over.rateWindowMs ?? 0,
    lateMs: over.lateMs ?? 0,
    cooldownMs: 5 * MINUTE,
    cycleMs: CYCLE_MS,
    horizonMs: 180_000,
    settings: verificationSettings(over.settings),
  });
}

/** One sample a cycle from the action on, each taken when it is told. */
export function fed(v: Verification, values: readonly number[], everyMs = CYCLE_MS): Verification {
  let next = v;
  for (const [n, value] of values.entries()) {
    const monoMs = v.at.monoMs + (n + 1) * everyMs;
    next = feed(next, { value, ageMs: 0 }, { wallMs: WALL_MS + monoMs, monoMs });
  }
  return next;
}
