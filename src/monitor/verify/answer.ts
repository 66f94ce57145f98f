import { oneLine } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import type { Acknowledgement } from "../kernel/verification.ts";
import { markUnnotified } from "./state.ts";
import type { EndedEscalation, VerificationState } from "./types.ts";

/** What a person says to an escalation. */
export interface Answer {
  readonly target: string;
  readonly by: string;
  readonly reason: string;
}

/**
 * "Seen, leave it alone": the target stays stopped, people are told that it is seen, and health alone does not end it.
 * @param forMs how long that counts; undefined: until somebody says to go on. Afterwards it is unanswered again.
 * @returns undefined when the target is not escalated.
 */
export function acknowledge(
  state: VerificationState,
  answer: Answer & { readonly forMs?: number | undefined },
  now: Instant,
): VerificationState | undefined {
  const record = state.targets[answer.target];
  if (record?.escalation === undefined) return undefined;
  const { by, reason, forMs } = answer;
  const end = forMs === undefined ? {} : { untilMs: now.wallMs + forMs, untilMonoMs: now.monoMs + forMs };
  const acknowledged: Acknowledgement = { by, reason, at: now, ...end };
  const escalation = { ...record.escalation, acknowledged };
  return markUnnotified({
    ...state,
    targets: { ...state.targets, [answer.target]: { ...record, escalation } },
  });
}

/**
 * "Go on acting": the escalation ends, and the attempts that led to it are forgiven, so that it begins with the plain
 * cooldown and a count of none.
 * @returns undefined when the target is not escalated.
 */
export function resumeTarget(
  state: VerificationState,
  answer: Answer,
  now: Instant,
): { state: VerificationState; ended: EndedEscalation } | undefined {
  const { [answer.target]: record, ...others } = state.targets;
  if (record?.escalation === undefined) return undefined;
  const detail = `${oneLine(answer.by, 80)} said to go on: ${oneLine(answer.reason)}`;
  const ended: EndedEscalation = { escalation: record.escalation, endedAt: now, by: "person", detail };
  return { state: markUnnotified({ ...state, targets: others, ended: [...state.ended, ended] }), ended };
}
