import { z } from "zod";
import { readState } from "../kernel/problem.ts";
import { VERIFICATION_OUTCOMES } from "../kernel/verification.ts";
import type { VerificationState } from "./types.ts";

const text = z.string();
const number = z.number();
const mayNumber = number.optional();
const instant = z.object({ wallMs: number, monoMs: number });
const action = { intentId: text, target: text, signal: text, action: text, at: instant };

const made = z.object({
  ...action,
  outcome: z.enum([...VERIFICATION_OUTCOMES, "failed", "refused"]),
  detail: text,
  before: mayNumber,
  after: mayNumber,
  slo: mayNumber,
});

const escalation = z.object({
  target: text,
  signal: text,
  cause: z.enum(["ineffective", "refused"]),
  since: instant,
  attempts: z.array(made),
  acknowledged: z
    .object({ by: text, reason: text, at: instant, untilMs: mayNumber, untilMonoMs: mayNumber })
    .optional(),
});

const verificationState = z.object({
  bootId: text,
  pending: z.record(
    text,
    z.object({
      ...action,
      slo: number,
      exit: number,
      horizonMs: number,
      max: mayNumber,
      before: z.object({ value: mayNumber, forecast: mayNumber, slopePerSecond: mayNumber }),
      fromMonoMs: number,
      untilMonoMs: number,
      lateMs: mayNumber,
      samples: z.array(z.object({ monoMs: number, value: number })),
    }),
  ),
  targets: z.record(
    text,
    z.object({ attempts: z.array(made), healthySinceMonoMs: mayNumber, escalation: escalation.optional() }),
  ),
  ended: z.array(
    z.object({
      escalation,
      endedAt: instant,
      by: z.enum(["person", "health", "gone"]),
      detail: text,
    }),
  ),
  news: number,
  notifiedMonoMs: mayNumber,
}) satisfies z.ZodType<VerificationState>;

/**
 * What verification and escalation remember, as a store kept it.
 * @returns the state, or what is wrong with it: one from `freshVerification` then takes its place, and the guards' budgets
 *   count as used up.
 */
export function readVerification(
  body: unknown,
): { readonly state: VerificationState } | { readonly problem: string } {
  return readState(verificationState, body, "verification");
}
