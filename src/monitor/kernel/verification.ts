import type { Instant } from "./time.ts";

/**
 * What an action came to, judged on samples from after it.
 * `recovered`: the level is back, or the breach that was foreseen is not to come any more; `improved`: better, not there
 * yet; `ineffective`: no different; `worse`: clearly worse than before, or than was expected without the action;
 * `inconclusive`: too few samples to tell. No sample is never `recovered`.
 */
export type VerificationOutcome = "recovered" | "improved" | "ineffective" | "worse" | "inconclusive";

/** Every outcome there is. */
export const VERIFICATION_OUTCOMES = [
  "recovered",
  "improved",
  "ineffective",
  "worse",
  "inconclusive",
] as const satisfies readonly VerificationOutcome[];

/** An action and what it came to. `failed`: the call did nothing; `refused`: it never will be accepted. */
export type AttemptOutcome = VerificationOutcome | "failed" | "refused";

export interface Attempt {
  readonly intentId: string;
  readonly target: string;
  readonly signal: string;
  /** Kind of action. */
  readonly action: string;
  /** When its intent was written. */
  readonly at: Instant;
  readonly outcome: AttemptOutcome;
  /** One line for people, with the numbers. */
  readonly detail: string;
  /** Level before and after it, and the SLO, in the signal's unit; absent: unknown. */
  readonly before?: number;
  readonly after?: number;
  readonly slo?: number;
}

/** A person has seen an escalation and wants the target left alone. */
export interface Acknowledgement {
  readonly by: string;
  readonly reason: string;
  readonly at: Instant;
  /** Until when it counts as seen, on both clocks; absent: until it ends. The target stays stopped either way. */
  readonly untilMs?: number;
  readonly untilMonoMs?: number;
}

/** The monitor has stopped acting on a target and asks for a person. */
export interface Escalation {
  readonly target: string;
  readonly signal: string;
  /** `ineffective`: so many actions did not help; `refused`: the target will not take the action. */
  readonly cause: "ineffective" | "refused";
  /** Start of the episode: it stays the same however often it is told. */
  readonly since: Instant;
  /** The actions that led to it, oldest first. */
  readonly attempts: readonly Attempt[];
  readonly acknowledged?: Acknowledgement;
}

export interface VerificationSettings {
  /** From the action to the verdict, milliseconds; absent: the target's cooldown. */
  readonly windowMs?: number;
  /** Fewer samples from after the action are inconclusive. */
  readonly minSamples: number;
  /** Share of the excess (or of the slope) that must go for `improved`, and come on top for `worse`. */
  readonly minChange: number;
  /** So many actions that did not help within `ineffectiveWindowMs` are escalated. */
  readonly maxIneffective: number;
  readonly ineffectiveWindowMs: number;
  /** Health without a break that ends an escalation and forgets the attempts, milliseconds. */
  readonly healthyMs: number;
}

/** An alert for people, as Alertmanager takes it. The same labels are the same alert. */
export interface EscalationAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Wall clock, milliseconds. The end is renewed while it lasts, and lies in the past once it is over. */
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly generatorUrl?: string;
}

/** What came of notifying. `retryable`: the same again may well be taken. */
export type NotifyResult =
  | { readonly status: "delivered" }
  | { readonly status: "failed"; readonly detail: string; readonly retryable: boolean };

/** Who calls a person. Never throws; keeps nothing: what was not delivered has to be told again. */
export interface Notifier {
  notify(alerts: readonly EscalationAlert[], signal: AbortSignal): Promise<NotifyResult>;
  close(): Promise<void>;
}

/** What was known when it was decided to act. Absent is unknown. */
export interface Before {
  readonly value?: number | undefined;
  /** What was forecast for the horizon, and how fast it rose, signal units a second. */
  readonly forecast?: number | undefined;
  readonly slopePerSecond?: number | undefined;
}
