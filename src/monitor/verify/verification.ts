import type { Intent } from "../kernel/action.ts";
import type { Thresholds } from "../kernel/signal.ts";
import type { Instant } from "../kernel/time.ts";
import type { Before, VerificationSettings } from "../kernel/verification.ts";
import type { Verification } from "./types.ts";

/** Samples kept of one verification, the newest: more say nothing more. */
const MAX_SAMPLES = 120;
/** Two readings of one sample differ by clock slew only; two samples by more, milliseconds. */
const SAME_SAMPLE_MS = 20;

/**
 * Begins to watch what an action does.
 * @param input.effectAt when its call was over: what came before is not from after it.
 * @param input.rateWindowMs for a signal computed over a rate window, whose samples speak of the time before for that
 *   much longer; 0 for one that speaks of its own moment.
 */
export function beginVerification(input: {
  intent: Pick<Intent, "id" | "target" | "asker" | "signal" | "kind" | "at">;
  thresholds: Pick<Thresholds, "slo" | "exit">;
  before: Before;
  effectAt: Instant;
  rateWindowMs: number;
  /** How old a sample may be when it is read: so long a verdict waits for samples that come late, milliseconds. */
  lateMs: number;
  cooldownMs: number;
  cycleMs: number;
  horizonMs: number;
  /** Largest value that the signal can have; undefined: no bound. */
  max?: number | undefined;
  settings: VerificationSettings;
}): Verification {
  const { intent, thresholds, before, effectAt, settings } = input;
  const fromMonoMs = effectAt.monoMs + input.rateWindowMs;
  const windowMs = settings.windowMs ?? input.cooldownMs;
  // However short the window: as many cycles as the verdict needs samples, and one to spare.
  const leastMs = (settings.minSamples + 1) * input.cycleMs;
  return {
    intentId: intent.id,
    target: intent.target,
    signal: intent.signal,
    ...(intent.asker === undefined || intent.asker === intent.target ? {} : { asker: intent.asker }),
    action: intent.kind,
    at: intent.at,
    slo: thresholds.slo,
    exit: thresholds.exit,
    horizonMs: input.horizonMs,
    ...(input.max === undefined ? {} : { max: input.max }),
    before,
    fromMonoMs,
    lateMs: input.lateMs,
    untilMonoMs: Math.max(effectAt.monoMs + windowMs, fromMonoMs + leastMs),
    samples: [],
  };
}

/**
 * Takes a sample, unless it speaks of the time before the action or after the window, is sampleProblem, or is one already
 * taken: a timestamp that stands still is no new evidence.
 * @param sample its age is counted from `now`, on the wall clock of whoever took it, milliseconds.
 */
export function feed(
  v: Verification,
  sample: { readonly value: number; readonly ageMs: number },
  now: Instant,
): Verification {
  const monoMs = now.monoMs - sample.ageMs;
  const { value } = sample;
  if (!(Number.isFinite(value) && value >= 0 && Number.isFinite(monoMs))) return v;
  if (monoMs <= v.fromMonoMs || monoMs > Math.min(v.untilMonoMs + (v.lateMs ?? 0), now.monoMs)) return v;
  const last = v.samples.at(-1);
  if (last !== undefined && monoMs <= last.monoMs + SAME_SAMPLE_MS) return v;
  return { ...v, samples: [...v.samples.slice(1 - MAX_SAMPLES), { monoMs, value }] };
}
