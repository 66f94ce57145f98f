import type { Intent } from "../../kernel/action.ts";
import type { ActionTarget } from "../../kernel/containment.ts";
import type { Instant } from "../../kernel/time.ts";
import type { VerificationOutcome } from "../../kernel/verification.ts";
import { episodesOver, type Run, type RunStep } from "../../playbooks/run.ts";
import { judgeByAlert, recordAttempt } from "../../verify/index.ts";
import type { Judged } from "../../verify/types.ts";
import type { ActContext } from "../act.ts";
import { actionTargetOf, type LoopState } from "../state.ts";
import type { Verified } from "./index.ts";
import { recordFailure, watchEffect } from "./watch.ts";

/** The steps that took effect, and the key of each. */
function doneSteps(run: Run): { readonly step: RunStep; readonly id: string }[] {
  return run.steps.flatMap((step, index) =>
    step.status === "done" || step.status === "undone" || step.status === "kept"
      ? [{ step, id: `${run.id}.${index}` }]
      : [],
  );
}

/** A run is carried out: its effect is watched as that of one action, or it counts as a try that did nothing. */
export function watchRun(run: Run, ctx: ActContext): void {
  const { state } = ctx.present();
  const done = doneSteps(run);
  const at = ctx.ports.clock.now();
  const first = done[0];
  if (first !== undefined) {
    const last = done.at(-1)?.step.at ?? at;
    if (run.verify !== undefined)
      watchEffect(state, { intent: intentOf(run, first), series: run.verify }, last);
    return;
  }
  const failed = run.steps.findIndex((s) => s.status === "failed");
  const step = run.steps[failed];
  if (step === undefined) return;
  const refused = step.detail.startsWith("refused") ? "refused" : "failed";
  recordFailure(state, intentOf(run, { step, id: `${run.id}.${failed}` }), refused, {
    detail: step.detail,
    at,
  });
}

function intentOf(
  run: Run,
  { step, id }: { readonly step: RunStep; readonly id: string },
): Pick<Intent, "id" | "target" | "signal" | "kind" | "at" | "forecast"> {
  const { forecast } = run;
  return {
    id,
    target: step.on.name,
    signal: run.signal,
    kind: step.kind,
    at: run.startedAt,
    ...(forecast === undefined ? {} : { forecast }),
  };
}

/** Keeps the verdict of a run beside it, for people. */
export function noteVerdict(state: LoopState, intentId: string, { outcome, detail }: Judged): void {
  for (const run of state.containment.runs.values())
    if (intentId.startsWith(`${run.id}.`)) note(state, run, outcome as VerificationOutcome, detail);
}

function note(state: LoopState, run: Run, outcome: VerificationOutcome, detail: string): void {
  state.containment.runs.set(run.playbook, { ...run, verified: { outcome, detail } });
  state.containment.unsaved.add(run.playbook);
}

interface At {
  readonly now: Instant;
  readonly bootId: string;
}

/** Runs that no series verifies: the end of the alert that asked for them shows that they helped. */
export function judgeRuns(state: LoopState, at: At): Verified[] {
  const { now } = at;
  const verified: Verified[] = [];
  for (const run of [...state.containment.runs.values()]) {
    const judged = judgeRun(state, run, at);
    if (judged === undefined) continue;
    const { outcome, detail } = judged;
    note(state, run, outcome, detail);
    const byTarget = new Map(doneSteps(run).map((done) => [done.step.on.name, done]));
    for (const [target, { step, id }] of byTarget) {
      const made = { intentId: id, target, signal: run.signal, action: step.kind, outcome, detail };
      const { state: healing } = state.healing;
      state.healing.state = recordAttempt(healing, { ...made, at: run.startedAt }, now);
      verified.push(made);
    }
  }
  return verified;
}

function judgeRun(
  state: LoopState,
  run: Run,
  { now, bootId }: At,
): { outcome: VerificationOutcome; detail: string } | undefined {
  const watchable = run.mode === "auto" && run.status !== "running" && run.verified === undefined;
  if (!watchable || run.verify !== undefined || run.cause !== "alert") return undefined;
  const last = doneSteps(run).at(-1)?.step;
  if (last?.at === undefined || run.bootId !== bootId) return undefined;
  const { inbox } = state.containment;
  const heard = run.episodes.map(({ fingerprint }) => inbox.get(fingerprint)?.heardAt.monoMs ?? 0);
  const windowMs =
    state.settings.verification.windowMs ?? (actionTargetOf(state, last.on.name) as ActionTarget).cooldownMs;
  const judged = judgeByAlert({
    alert: {
      status: episodesOver(run, inbox) ? "resolved" : "firing",
      heardMonoMs: Math.max(0, ...heard),
    },
    effectMonoMs: last.at.monoMs,
    untilMonoMs: last.at.monoMs + windowMs,
    now,
  });
  return judged.outcome === "pending" ? undefined : { ...judged, outcome: judged.outcome };
}
