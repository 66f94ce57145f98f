import type { Instant } from "../kernel/time.ts";
import type { Attempt, Before, Escalation, VerificationOutcome } from "../kernel/verification.ts";

/** A sample from after an action, at the monotonic time it speaks of. */
export interface AfterSample {
  readonly monoMs: number;
  readonly value: number;
}

/** An action whose effect is being watched: plain data, fit for JSON. */
export interface Verification {
  readonly intentId: string;
  /** The series that shows its effect. */
  readonly target: string;
  readonly signal: string;
  /** The target that the attempt counts for; absent: that of the series. */
  readonly asker?: string;
  readonly action: string;
  /** When its intent was written. */
  readonly at: Instant;
  readonly slo: number;
  readonly exit: number;
  readonly horizonMs: number;
  /** Largest value that the signal can have; absent: no bound. */
  readonly max?: number;
  readonly before: Before;
  /** Only samples that speak of a time after `fromMonoMs`, up to `untilMonoMs`, count; the verdict is given then. */
  readonly fromMonoMs: number;
  readonly untilMonoMs: number;
  /** So long it is waited for samples that are too few then, milliseconds. */
  readonly lateMs?: number;
  /** Ascending; the newest `MAX_SAMPLES`. */
  readonly samples: readonly AfterSample[];
}

/** The verdict, with every number it stands on. */
export interface Judged {
  readonly outcome: VerificationOutcome | "pending";
  /** One line for people. */
  readonly detail: string;
  readonly samples: number;
  readonly before?: number;
  /** Median of the newest five samples. */
  readonly after?: number;
  /** Least squares over the later half, signal units a second. */
  readonly slopePerSecond?: number;
  /** Where that leads at the horizon; the level itself where it does not rise. */
  readonly projected?: number;
}

/** What is remembered of a target's past actions. */
export interface TargetRecord {
  /** Oldest first. */
  readonly attempts: readonly Attempt[];
  /** Since when it has been well without a break, monotonic; absent: it is not. */
  readonly healthySinceMonoMs?: number;
  readonly escalation?: Escalation;
}

/** An escalation that is over, until its end has been told. */
export interface EndedEscalation {
  readonly escalation: Escalation;
  readonly endedAt: Instant;
  readonly by: "person" | "health" | "gone";
  readonly detail: string;
}

/** Everything that verification and escalation remember: plain data, fit for JSON. Monotonic times are of `bootId`. */
export interface VerificationState {
  readonly bootId: string;
  /** By the intent's id. */
  readonly pending: Readonly<Record<string, Verification>>;
  readonly targets: Readonly<Record<string, TargetRecord>>;
  readonly ended: readonly EndedEscalation[];
  /** Grows with everything that people have to be told of. */
  readonly news: number;
  /** When they were last told of all of it, monotonic; absent: something is new since. */
  readonly notifiedMonoMs?: number;
}
