import type { OutcomeStatus } from "../kernel/action.ts";
import type { ActionTarget, AlertState, Step } from "../kernel/containment.ts";
import { resumeMono } from "../kernel/cooldown.ts";
import type { Cause } from "../kernel/decision.ts";
import type { Instant } from "../kernel/time.ts";
import type { Before, VerificationOutcome } from "../kernel/verification.ts";

/**
 * Where a step of a run stands. `pending`: not carried out yet, or its outcome is not known; `done`: it took effect;
 * `skipped`: a precondition did not hold; `failed`: it certainly had no effect, or was refused; `shadow`: imagined;
 * `undone`: taken back; `kept`: it could not be taken back and ends by itself.
 */
type StepStatus = "pending" | "done" | "skipped" | "failed" | "shadow" | "undone" | "kept";

/** One step of a run: what is needed to go on with it and to take it back, also when the playbook has changed since. */
export interface RunStep {
  readonly kind: string;
  readonly on: ActionTarget;
  readonly status: StepStatus;
  /** For people: what came of it, or why it was skipped. */
  readonly detail: string;
  /** What its call came to, once that is known. */
  readonly outcome?: OutcomeStatus;
  /** When its outcome was known. */
  readonly at?: Instant;
  readonly expiresMs?: number;
  readonly undo?: Step["undo"];
  /** Times that taking it back was tried. */
  readonly undoAttempts: number;
}

/** One alert episode that a run answers. */
interface Episode {
  readonly fingerprint: string;
  readonly startsAtMs: number;
}

/** A playbook that was started. The newest run of each playbook is kept over restarts, as plain JSON. */
export interface Run {
  readonly id: string;
  /** Absent: the mitigation of its asker. */
  readonly playbook?: string;
  /** The target whose symptom it is: its budget, cooldown, verification and escalation apply. */
  readonly asker: string;
  readonly mode: "auto" | "shadow";
  readonly cause: Cause;
  /** What the cause spoke of: target and signal of a forecast, or the alert's name as signal. */
  readonly target: string;
  readonly signal: string;
  /** The person who asked for it. */
  readonly by?: string;
  readonly predictor: string;
  readonly forecast?: number;
  readonly threshold?: number;
  readonly episodes: readonly Episode[];
  /** The region that was chosen, and the reason; or why there is none. */
  readonly region?: string;
  readonly regionWhy?: string;
  readonly undoOnResolved: boolean;
  readonly startedAt: Instant;
  readonly bootId: string;
  readonly steps: readonly RunStep[];
  /** What was known of the asker's series when it was decided to act. */
  readonly baseline?: Before;
  /** The series that shows whether it helped; absent: the alert's end shows it. */
  readonly verify?: { readonly target: string; readonly signal: string };
  /** What it came to, once that is known. */
  readonly verified?: { readonly outcome: VerificationOutcome; readonly detail: string };
  /** `undoing`: what can be taken back is being taken back; `ended`: nothing is left to do. */
  readonly status: "running" | "done" | "undoing" | "ended";
}

/**
 * A run of an earlier boot on this boot's clock: nobody can tell how long ago its effects began, so that they count from
 * now. Call it once a start: what counted from each new now would never end.
 */
export function resumeRun(run: Run, now: Instant, bootId: string): Run {
  if (run.bootId === bootId) return run;
  const steps = run.steps.map((step) => (step.at === undefined ? step : { ...step, at: now }));
  return { ...run, bootId, startedAt: now, steps };
}

/**
 * Monotonic time until which something of a run is in effect; `undefined` when nothing ends by itself any more.
 * After a reboot nobody can tell how long ago an effect began, so that it counts from now.
 */
export function effectUntilMono(run: Run, now: Instant, bootId: string): number | undefined {
  let until: number | undefined;
  for (const step of run.steps) {
    if (step.expiresMs === undefined || step.at === undefined) continue;
    if (step.status !== "done" && step.status !== "shadow" && step.status !== "kept") continue;
    const began = resumeMono({ at: step.at, bootId: run.bootId }, now, bootId);
    const end = began + step.expiresMs;
    if (end > now.monoMs && (until === undefined || end > until)) until = end;
  }
  return until;
}

/** Whether every episode of a run has ended: only then is what it did taken back. Not heard of is not ended. */
export function episodesOver(run: Run, alerts: ReadonlyMap<string, AlertState>): boolean {
  if (run.episodes.length === 0) return false;
  return run.episodes.every(({ fingerprint, startsAtMs }) => {
    const known = alerts.get(fingerprint);
    return known?.status === "resolved" && known.startsAtMs >= startsAtMs;
  });
}

/** The run with the episodes of further alerts. */
export function joined(run: Run, firing: readonly AlertState[]): Run {
  const known = new Set(run.episodes.map((e) => `${e.fingerprint} ${e.startsAtMs}`));
  const fresh = firing.filter((a) => !known.has(`${a.fingerprint} ${a.startsAtMs}`));
  if (fresh.length === 0) return run;
  const episodes = fresh.map(({ fingerprint, startsAtMs }) => ({ fingerprint, startsAtMs }));
  return { ...run, episodes: [...run.episodes, ...episodes].slice(-MAX_EPISODES) };
}

const MAX_EPISODES = 50;

/** Id of the intent of step `index`. Also the idempotency key: a step of a run takes effect once, whatever happens between. */
export function stepId(run: Run, index: number): string {
  return `${run.id}.${index}`;
}

/** Nothing of it has come to anything so far. */
export function untouched({ steps }: Run): boolean {
  return steps.every(({ status }) => status === "pending" || status === "skipped");
}

/** Steps that can be taken back now, the last one first. */
export function undoable(run: Run, now: Instant, bootId: string): number[] {
  const open: number[] = [];
  run.steps.forEach((step, index) => {
    if (step.status !== "done" || step.undo === undefined) return;
    const began =
      step.at === undefined ? now.monoMs : resumeMono({ at: step.at, bootId: run.bootId }, now, bootId);
    if (step.expiresMs === undefined || began + step.expiresMs > now.monoMs) open.push(index);
  });
  return open.reverse();
}

/** The call that step `index` of a run makes, with the chosen region put in; or why it cannot be made. */
export function callOf(
  parameters: Readonly<Record<string, string>>,
  region: string | undefined,
): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(parameters);
  if (region === undefined && entries.some(([, value]) => value === REGION)) return undefined;
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value === REGION ? (region as string) : value]),
  );
}

/** Stands for the chosen region in a step's parameters. */
const REGION = "$region";
