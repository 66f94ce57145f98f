import type { ActionTarget } from "./containment.ts";
import type { Cause } from "./decision.ts";
import type { Instance } from "./target.ts";
import type { Instant } from "./time.ts";

/** The run that an intent is a step of. */
interface Origin {
  /** Absent: the mitigation of a target, a playbook of one step that needs no name. */
  readonly playbook?: string;
  /** Groups the intents of one run of the playbook. */
  readonly run: string;
  /** Position of the step in its playbook, from 0. */
  readonly step: number;
  /** Fingerprint of the alert that asked for it; absent: a forecast did. */
  readonly alert?: string;
  /** Id of the intent that this one takes back. An undo is never gated and starts no cooldown. */
  readonly undoes?: string;
}

/** An action that has been decided on and written down, before any call. */
export interface Intent {
  /** Unique; also the idempotency key of every call made for it. */
  readonly id: string;
  readonly kind: string;
  /** What is called. */
  readonly target: string;
  /** The target whose symptom asked for it: it is healed, or not; absent: `target` itself. */
  readonly asker?: string;
  readonly signal: string;
  readonly trigger: Cause;
  readonly predictor: string;
  /** Forecast and threshold that it stands on, in the signal's unit; absent when an alert asked for it. */
  readonly forecast?: number;
  readonly threshold?: number;
  /** What the call says beside its kind, e.g. a region and for how long. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly origin?: Origin;
  /** Fencing token: grows with every start of the monitor. */
  readonly epoch: number;
  readonly at: Instant;
  readonly bootId: string;
}

/**
 * What came of the call to one instance.
 * `applied`: the service said so; `already_applied`: it knew the key; `refused`: it will never accept (4xx, redirect);
 * `failed`: it certainly did nothing (connection refused, 5xx that says so); `unknown`: the answer was lost.
 * @internal for its tests
 */
export type InstanceStatus = "applied" | "already_applied" | "refused" | "failed" | "unknown";

export interface InstanceOutcome {
  readonly instance: string;
  readonly status: InstanceStatus;
  readonly httpStatus: number | undefined;
  readonly detail: string;
  readonly durationMs: number;
  /** The service's answer, where it sent one. */
  readonly answer: Readonly<Record<string, unknown>> | undefined;
}

/** Every terminal state of an intent. `expired` and `dropped`: overtaken before any call. */
export const OUTCOME_STATUSES = [
  "applied",
  "partial",
  "refused",
  "failed",
  "unknown",
  "expired",
  "dropped",
] as const;
export type OutcomeStatus = (typeof OUTCOME_STATUSES)[number];

export interface Outcome {
  readonly intentId: string;
  readonly status: OutcomeStatus;
  readonly instances: readonly InstanceOutcome[];
  /** For people: one line. */
  readonly detail: string;
  readonly at: Instant;
}

/** A kind of action. One folder of `src/monitor/actions` each. */
export interface Action {
  readonly kind: string;
  /** Calls one instance; repeats only with the same key. Never throws. */
  execute(intent: Intent, instance: Instance, signal: AbortSignal): Promise<InstanceOutcome>;
  /**
   * Asks one instance what became of an intent, without repeating its effect.
   * `unknown` when it cannot be asked; `failed` when it never saw the key.
   */
  reconcile(intent: Intent, instance: Instance, signal: AbortSignal): Promise<InstanceOutcome>;
}

/** Whether an outcome says that the effect is there, by this call or by an earlier one of the same key. */
export function tookEffect({ status }: Pick<InstanceOutcome, "status">): boolean {
  return status === "applied" || status === "already_applied";
}

/** Sums up the instances of a target. */
export function overallStatus(
  target: Pick<ActionTarget, "instances">,
  outcomes: readonly InstanceOutcome[],
): OutcomeStatus {
  const good = outcomes.filter(tookEffect).length;
  if (good === target.instances.length) return "applied";
  if (outcomes.some((o) => o.status === "unknown")) return "unknown";
  if (good > 0) return "partial";
  return outcomes.every((o) => o.status === "refused") ? "refused" : "failed";
}

/** The target whose symptom asked for an action: its budget, cooldown, verification and escalation apply. */
export function askerOf({ asker, target }: Pick<Intent, "asker" | "target">): string {
  return asker ?? target;
}

/** Every target that an action concerns: whose cooldown it starts, and whose past it makes worthless. */
export function concerned(intent: Pick<Intent, "asker" | "target">): readonly string[] {
  const asker = askerOf(intent);
  return asker === intent.target ? [asker] : [asker, intent.target];
}

/** Whether it takes an effect back. */
export function isUndo({ origin }: Pick<Intent, "origin">): boolean {
  return origin?.undoes !== undefined;
}
