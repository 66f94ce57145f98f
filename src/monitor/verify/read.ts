import {
  type Check,
  isList,
  isNumber,
  isOneOf,
  isRecord,
  isShape,
  isText,
  optional,
} from "../kernel/shape.ts";
import { VERIFICATION_OUTCOMES } from "../kernel/verification.ts";
import type { HealingState } from "./types.ts";

const instant = isShape({ wallMs: isNumber, monoMs: isNumber });
const number = optional(isNumber);

const made = isShape({
  intentId: isText,
  target: isText,
  signal: isText,
  action: isText,
  at: instant,
  outcome: isOneOf([...VERIFICATION_OUTCOMES, "failed", "refused"]),
  detail: isText,
  before: number,
  after: number,
  slo: number,
});

const escalation = isShape({
  target: isText,
  signal: isText,
  cause: isOneOf(["ineffective", "refused"]),
  since: instant,
  tries: isList(made),
  acknowledged: optional(
    isShape({ by: isText, reason: isText, at: instant, untilMs: number, untilMonoMs: number }),
  ),
});

const healingState: Check = isShape({
  bootId: isText,
  pending: isRecord(
    isShape({
      intentId: isText,
      target: isText,
      signal: isText,
      action: isText,
      at: instant,
      slo: isNumber,
      exit: isNumber,
      horizonMs: isNumber,
      before: isShape({ value: number, forecast: number, slopePerSecond: number }),
      fromMonoMs: isNumber,
      untilMonoMs: isNumber,
      samples: isList(isShape({ monoMs: isNumber, value: isNumber })),
    }),
  ),
  targets: isRecord(
    isShape({
      tries: isList(made),
      healthySinceMonoMs: number,
      escalation: optional(escalation),
    }),
  ),
  ended: isList(
    isShape({
      escalation,
      endedAt: instant,
      by: isOneOf(["person", "health", "gone"]),
      detail: isText,
    }),
  ),
  news: isNumber,
  notifiedMonoMs: number,
});

/**
 * What verification and escalation remember, as a store kept it.
 * @returns the state, or what is wrong with it: one from `freshHealing` then takes its place, and the guards' budgets
 *   count as used up.
 */
export function readHealing(body: unknown): { readonly state: HealingState } | { readonly problem: string } {
  const problem = healingState(body, "healing");
  return problem === undefined ? { state: body as HealingState } : { problem };
}
