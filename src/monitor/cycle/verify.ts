import { type Intent, isUndo, type Outcome, type OutcomeStatus } from "../kernel/action.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import type { Decision } from "../kernel/decision.ts";
import type { Observation } from "../kernel/observation.ts";
import type { Persisted } from "../kernel/store.ts";
import { errorMessage } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import type { AttemptOutcome, NotifyResult, VerificationOutcome } from "../kernel/verification.ts";
import { episodesOver, type Run, type RunStep, stepId } from "../playbooks/run.ts";
import {
  acknowledge,
  advanceVerification,
  beginVerification,
  concludeEarly,
  type EndedEscalation,
  escalationAlerts,
  forgetOldEnds,
  forgetTargets,
  freshVerification,
  judgeByAlert,
  type NewestSample,
  notificationDue,
  readVerification,
  recordAttempt,
  resumeTarget,
  resumeVerification,
  told,
  type VerificationStep,
  watch,
} from "../verify/index.ts";
import { observedTargets } from "./decide.ts";
import { replaceRun } from "./execute/state.ts";
import { windowOf } from "./forecast.ts";
import { actionTargetOf, type LoopState } from "./state.ts";
import type { LoopPorts, Verified } from "./types.ts";

/** Stage 7: what earlier actions did is judged on this cycle's samples; targets are escalated and released. */
export function verify(
  state: LoopState,
  ports: LoopPorts,
  seen: { readonly decisions: readonly Decision[]; readonly observations: readonly Observation[] },
  now: Instant,
): Verified[] {
  const watched = new Set(Object.values(state.verify.state.pending).map((v) => v.target));
  const samples: NewestSample[] = [];
  for (const { index, target, signal } of state.plan) {
    const of = watched.has(target.name) ? seen.observations[index] : undefined;
    if (of?.status !== "ok") continue;
    const ageMs = now.wallMs - of.timestampMs;
    samples.push({ target: target.name, signal: signal.name, value: of.value, ageMs });
  }
  const alarmed = askersOfFiringAlerts(state);
  const health = observedTargets(state, seen.decisions).map(({ target, atRisk, signals }) => ({
    target,
    healthy:
      atRisk === true || alarmed.has(target) ? false : atRisk === false ? allKnown(signals) : undefined,
  }));
  forgetGone(state, ports, now);
  const { verification: settings } = state.settings;
  // First, so that one too many of them escalates before anything is proposed.
  const byAlert = judgeRuns(state, ports, { runs: [...state.actions.runs.values()], final: false }, now);
  const step = advanceVerification(state.verify.state, { samples, health, settings, now });
  return [...byAlert, ...apply(state, ports, step)];
}

/** Targets of which an alert speaks that a run answered, and that has not ended: their series alone do not show health. */
function askersOfFiringAlerts({ actions, propose }: LoopState): ReadonlySet<string> {
  const runs = [...actions.runs.values()].filter((run) => run.cause === "alert" && run.status !== "ended");
  return new Set(runs.filter((run) => !episodesOver(run, propose.inbox)).map(({ asker }) => asker));
}

/** Health of a target of which a signal is unknown is unknown; one that merely has no series is not counted. */
function allKnown(signals: readonly { readonly status: string }[]): boolean | undefined {
  return signals.every(({ status }) => status === "ok" || status === "missing") ? true : undefined;
}

/** What a reload or a restart has taken out of the configuration waits for nobody any more. */
function forgetGone(state: LoopState, ports: LoopPorts, now: Instant): void {
  const known = Object.keys(state.verify.state.targets);
  if (known.length === 0) return;
  const keep = new Set(known.filter((name) => actionTargetOf(state, name) !== undefined));
  const { state: next, ended } = forgetTargets(state.verify.state, keep, now);
  state.verify.state = next;
  noticeEnds(ports, ended);
}

function noticeEnds(ports: LoopPorts, ended: readonly EndedEscalation[]): void {
  for (const { escalation, by, detail } of ended)
    ports.reporter.notice("escalation ended", { target: escalation.target, by, detail });
}

/**
 * Another action is wanted: what is still watched of the last ones on these targets is judged now, and so is the last run
 * of the same plan, whose place it takes.
 * @param wanted.plan its `planKey`.
 */
export function concludeFor(
  state: LoopState,
  ports: LoopPorts,
  wanted: { readonly targets: readonly string[]; readonly plan: string },
  now: Instant,
): Verified[] {
  const over = [...state.actions.runs].flatMap(([key, run]) =>
    key === wanted.plan || wanted.targets.includes(run.asker) ? [run] : [],
  );
  const byAlert = judgeRuns(state, ports, { runs: over, final: true }, now);
  const watched = (target: string) =>
    Object.values(state.verify.state.pending).some((v) => (v.asker ?? v.target) === target);
  const settings = state.settings.verification;
  const bySeries = wanted.targets.flatMap((target) =>
    byAlert.length > 0 || watched(target)
      ? apply(state, ports, concludeEarly(state.verify.state, target, { settings, now }))
      : [],
  );
  return [...byAlert, ...bySeries];
}

function apply(state: LoopState, ports: LoopPorts, step: VerificationStep): Verified[] {
  state.verify.state = step.state;
  for (const { target, signal, cause, attempts } of step.escalated)
    ports.reporter.notice("target escalated", { target, signal, cause, attempts: attempts.length });
  noticeEnds(ports, step.ended);
  return step.verdicts.map(({ verification, judged }) => {
    const outcome = judged.outcome as VerificationOutcome;
    const { intentId, signal, action } = verification;
    const target = verification.asker ?? verification.target;
    for (const run of state.actions.runs.values())
      if (intentId.startsWith(`${run.id}.`))
        replaceRun(state, { ...run, verified: { outcome, detail: judged.detail } });
    return { intentId, target, signal, action, outcome, detail: judged.detail };
  });
}

/** The steps that took effect, and the key of each. */
function doneSteps(run: Run): { readonly step: RunStep; readonly id: string }[] {
  return run.steps.flatMap((step, index) =>
    step.status === "done" || step.status === "undone" || step.status === "kept"
      ? [{ step, id: stepId(run, index) }]
      : [],
  );
}

const HARMLESS: ReadonlySet<OutcomeStatus | undefined> = new Set(["expired", "dropped"]);

/**
 * A run is carried out: its effect on the asker is watched, or it counts as an attempt that did nothing. One whose calls
 * were never made, because they were overtaken, counts as nothing.
 */
export function settleRun(state: LoopState, run: Run, now: Instant): void {
  const done = doneSteps(run);
  const first = done[0];
  if (first !== undefined) {
    if (run.verify !== undefined) watchEffect(state, run, first, done.at(-1)?.step.at ?? now);
    return;
  }
  const index = run.steps.findIndex((s) => s.status === "failed" && !HARMLESS.has(s.outcome));
  const step = run.steps[index];
  if (step === undefined) return;
  const outcome = step.outcome === "refused" ? "refused" : "failed";
  keepAttempt(state, run, { step, id: stepId(run, index) }, { outcome, detail: step.detail, at: now }, now);
}

/** The end of an intent that an earlier version wrote for a mitigation, which belongs to no run. */
export function settleIntent(state: LoopState, intent: Intent, outcome: Outcome): void {
  const { id, kind, target, signal, trigger: cause, predictor, forecast } = intent;
  const on = actionTargetOf(state, target);
  if (on === undefined || isUndo(intent)) return;
  // Monotonic time begins anew with a boot: an intent from before it counts as written just now, like every older attempt.
  const sameBoot = intent.bootId === state.verify.state.bootId;
  const startedAt = { wallMs: intent.at.wallMs, monoMs: sameBoot ? intent.at.monoMs : outcome.at.monoMs };
  const done = outcome.status === "applied" || outcome.status === "partial" || outcome.status === "unknown";
  const step: RunStep = {
    ...{ kind, on, status: done ? "done" : "failed", detail: outcome.detail, undoAttempts: 0 },
    ...{ outcome: outcome.status, at: outcome.at },
  };
  settleRun(
    state,
    {
      ...{ id, asker: target, mode: "auto", cause, target, signal, predictor, episodes: [] },
      ...(forecast === undefined ? {} : { forecast }),
      ...{ undoOnResolved: false, startedAt, bootId: intent.bootId, verify: { target, signal } },
      ...{ steps: [step], status: "done" },
    },
    outcome.at,
  );
}

/** Known since `now`, of an action decided on when its run began. */
function keepAttempt(
  state: LoopState,
  run: Run,
  { step, id }: { readonly step: RunStep; readonly id: string },
  known: { readonly outcome: AttemptOutcome; readonly detail: string; readonly at: Instant },
  now: Instant,
): void {
  const { asker: target, signal } = run;
  const made = { intentId: id, target, signal, action: step.kind, at: run.startedAt };
  const { outcome, detail } = known;
  state.verify.state = recordAttempt(state.verify.state, { ...made, outcome, detail }, now);
}

/** From now on the effect is watched. One on a series that is not watched itself cannot be. */
function watchEffect(
  state: LoopState,
  run: Run,
  { step, id }: { readonly step: RunStep; readonly id: string },
  effectAt: Instant,
): void {
  const { settings } = state;
  const series = run.verify as NonNullable<Run["verify"]>;
  const watched = state.plan.find(
    ({ target, signal }) => target.name === series.target && signal.name === series.signal,
  );
  if (watched === undefined) return;
  const { signal } = watched;
  const { asker, startedAt: at, forecast } = run;
  const intent = { id, asker, target: series.target, signal: series.signal, kind: step.kind, at };
  state.verify.state = watch(
    state.verify.state,
    beginVerification({
      intent,
      thresholds: signal.thresholds,
      before: run.baseline ?? (forecast === undefined ? {} : { forecast }),
      effectAt,
      rateWindowMs: windowOf(state, watched),
      lateMs: settings.maxSampleAgeMs,
      max: signal.max,
      // Configured, or of a run that is not forgotten.
      cooldownMs: (actionTargetOf(state, asker) as ActionTarget).cooldownMs,
      cycleMs: settings.cycleMs,
      horizonMs: 1000 * settings.rules.horizonS,
      settings: settings.verification,
    }),
  );
}

/** Runs that no series verifies: the end of the alert that asked for them shows that they helped. */
function judgeRuns(
  state: LoopState,
  ports: LoopPorts,
  { runs, final }: { readonly runs: readonly Run[]; readonly final: boolean },
  now: Instant,
): Verified[] {
  return runs.flatMap((run) => {
    const judged = judgeRun(state, run, { now, bootId: ports.clock.bootId, final });
    if (judged === undefined) return [];
    replaceRun(state, { ...run, verified: judged });
    const last = doneSteps(run).at(-1) as ReturnType<typeof doneSteps>[number];
    keepAttempt(state, run, last, { ...judged, at: run.startedAt }, now);
    const { asker: target, signal } = run;
    return [{ intentId: last.id, target, signal, action: last.step.kind, ...judged }];
  });
}

function judgeRun(
  { propose, settings, ...state }: LoopState,
  run: Run,
  { now, bootId, final }: { readonly now: Instant; readonly bootId: string; readonly final: boolean },
): { outcome: VerificationOutcome; detail: string } | undefined {
  const watchable = run.mode === "auto" && run.status !== "running" && run.verified === undefined;
  if (!watchable || run.verify !== undefined || run.cause !== "alert") return undefined;
  const last = doneSteps(run).at(-1)?.step;
  if (last?.at === undefined || run.bootId !== bootId) return undefined;
  const heard = run.episodes.map((e) => propose.inbox.get(e.fingerprint)?.receivedAt.monoMs ?? 0);
  const asker = actionTargetOf({ propose, settings, ...state }, run.asker) as ActionTarget;
  const windowMs = settings.verification.windowMs ?? asker.cooldownMs;
  const judged = judgeByAlert({
    alert: {
      status: episodesOver(run, propose.inbox) ? "resolved" : "firing",
      receivedMonoMs: Math.max(0, ...heard),
    },
    effectMonoMs: last.at.monoMs,
    untilMonoMs: final ? now.monoMs : last.at.monoMs + windowMs,
    now,
  });
  return judged.outcome === "pending" ? undefined : { outcome: judged.outcome, detail: judged.detail };
}

/** Notifies people while a target is escalated, again and again. What cannot be delivered is sent later; nothing waits for it. */
export async function notifyPeople(state: LoopState, ports: LoopPorts): Promise<void> {
  const { notifier } = ports;
  const { resendMs, lastsMs, externalUrl, timeoutMs } = state.settings.escalation;
  const now = ports.clock.now();
  const kept = state.verify;
  kept.state = forgetOldEnds(kept.state, now);
  if (notifier === undefined || !notificationDue(kept.state, now, resendMs)) return;
  const began = kept.state;
  const url = externalUrl === undefined ? {} : { externalUrl };
  const alerts = escalationAlerts(began, { now, lastsMs, ...url });
  let came: NotifyResult;
  try {
    came = await notifier.notify(alerts, ports.deadline(timeoutMs));
  } catch (error) {
    came = { status: "failed", detail: errorMessage(error), retryable: true };
  }
  if (came.status === "delivered") kept.state = told(kept.state, began, ports.clock.now());
  else ports.reporter.notice("escalation not delivered", { detail: came.detail, alerts: alerts.length });
}

/** What a person says to an escalation. False when the target is not escalated. */
export function answerEscalation(
  state: LoopState,
  answer: {
    readonly target: string;
    readonly by: string;
    readonly reason: string;
    readonly resumeTarget: boolean;
    readonly forMs?: number;
  },
  now: Instant,
): boolean {
  const { target, by, reason, forMs } = answer;
  const next = answer.resumeTarget
    ? resumeTarget(state.verify.state, { target, by, reason }, now)?.state
    : acknowledge(state.verify.state, { target, by, reason, forMs }, now);
  if (next === undefined) return false;
  state.verify.state = next;
  return true;
}

/**
 * Takes over what earlier runs left. What cannot be read is forgotten: then no target counts as escalated, but each is in
 * its cooldown, and it takes as many new attempts to escalate it again.
 * @returns what was wrong, for the log.
 */
export function restoreVerification(
  state: LoopState,
  { documents }: Persisted,
  { now, bootId }: { readonly now: Instant; readonly bootId: string },
): string | undefined {
  const body = documents.find(({ kind, key }) => kind === "verification" && key === "state")?.body;
  const kept = body === undefined ? { state: freshVerification(bootId) } : readVerification(body);
  state.verify.state =
    "state" in kept ? resumeVerification(kept.state, now, bootId) : freshVerification(bootId);
  return "problem" in kept ? kept.problem : undefined;
}

/** Writes down what changed. @throws StoreError */
export function saveVerification({ verify: kept }: LoopState, { store }: LoopPorts): void {
  if (kept.state === kept.saved.state) return;
  const text = JSON.stringify(kept.state);
  if (text !== kept.saved.text)
    store.saveDocuments([{ kind: "verification", key: "state", body: kept.state }]);
  kept.saved = { state: kept.state, text };
}
