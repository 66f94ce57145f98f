import type { ObservedTarget } from "../../guards/types.ts";
import type { Observation } from "../../kernel/observation.ts";
import { errorMessage } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { NotifyResult, VerificationOutcome } from "../../kernel/verification.ts";
import {
  advanceHealing,
  concludeEarly,
  type EndedEscalation,
  escalationAlerts,
  forgetOldEnds,
  forgetTargets,
  type HealingStep,
  type NewestSample,
  notificationDue,
  told,
} from "../../verify/index.ts";
import { actionTargetOf, type LoopState } from "../state.ts";
import type { LoopPorts } from "../types.ts";
import { judgeRuns, noteVerdict } from "./runs.ts";

/** What an action turned out to have done. */
export interface Verified {
  readonly intentId: string;
  readonly target: string;
  readonly signal: string;
  readonly action: string;
  readonly outcome: VerificationOutcome;
  /** For people: one line, with the numbers. */
  readonly detail: string;
}

/** One cycle: samples are taken, verdicts given, targets escalated and released. Before anything is gated. */
export function advanceVerification(input: {
  readonly state: LoopState;
  readonly ports: LoopPorts;
  readonly targets: readonly ObservedTarget[];
  readonly observations: readonly Observation[];
  readonly now: Instant;
}): Verified[] {
  const { state, ports, now } = input;
  const watched = new Set(Object.values(state.healing.state.pending).map((v) => v.target));
  const samples: NewestSample[] = [];
  for (const { index, target, signal } of state.plan) {
    const seen = watched.has(target.name) ? input.observations[index] : undefined;
    if (seen?.status !== "ok") continue;
    const ageMs = now.wallMs - seen.timestampMs;
    samples.push({ target: target.name, signal: signal.name, value: seen.value, ageMs });
  }
  const health = input.targets.map(({ target, atRisk, signals }) => ({
    target,
    healthy: atRisk !== false ? (atRisk === undefined ? undefined : false) : wholly(signals),
  }));
  const settings = state.settings.verification;
  forgetGone(state, ports, now);
  const step = advanceHealing(state.healing.state, { samples, health, settings, now });
  return [...take(state, ports, step), ...judgeRuns(state, { now, bootId: ports.clock.bootId })];
}

/** What a reload or a restart has taken out of the configuration waits for nobody any more. */
function forgetGone(state: LoopState, ports: LoopPorts, now: Instant): void {
  const known = Object.keys(state.healing.state.targets);
  if (known.length === 0) return;
  const keep = new Set(known.filter((name) => actionTargetOf(state, name) !== undefined));
  const { state: next, ended } = forgetTargets(state.healing.state, keep, now);
  state.healing.state = next;
  noticeEnds(ports, ended);
}

function noticeEnds(ports: LoopPorts, ended: readonly EndedEscalation[]): void {
  for (const { escalation, by, detail } of ended)
    ports.reporter.notice("escalation ended", { target: escalation.target, by, detail });
}

/** Health of a target of which a signal is unknown is unknown; one that merely has no series is not counted. */
function wholly(signals: readonly { readonly status: string }[]): boolean | undefined {
  return signals.every(({ status }) => status === "ok" || status === "missing") ? true : undefined;
}

/** Another action on the target is wanted: what is still watched of the last one is judged now. */
export function concludeFor(state: LoopState, ports: LoopPorts, target: string, now: Instant): Verified[] {
  const watched = Object.values(state.healing.state.pending).some((v) => v.target === target);
  if (!watched) return [];
  const settings = state.settings.verification;
  return take(state, ports, concludeEarly(state.healing.state, target, { settings, now }));
}

function take(state: LoopState, ports: LoopPorts, step: HealingStep): Verified[] {
  state.healing.state = step.state;
  for (const { target, signal, cause, tries } of step.escalated)
    ports.reporter.notice("target escalated", { target, signal, cause, tries: tries.length });
  noticeEnds(ports, step.ended);
  for (const { verification, judged } of step.verdicts) noteVerdict(state, verification.intentId, judged);
  return step.verdicts.map(({ verification, judged }) => ({
    intentId: verification.intentId,
    target: verification.target,
    signal: verification.signal,
    action: verification.action,
    outcome: judged.outcome as VerificationOutcome,
    detail: judged.detail,
  }));
}

/** Calls people while a target is escalated, again and again. What cannot be told is told later; nothing waits for it. */
export async function notifyPeople(state: LoopState, ports: LoopPorts): Promise<void> {
  const { escalator } = ports;
  const { resendMs, lastsMs, externalUrl, timeoutMs } = state.settings.escalation;
  const now = ports.clock.now();
  const { healing } = state;
  healing.state = forgetOldEnds(healing.state, now);
  if (escalator === undefined || !notificationDue(healing.state, now, resendMs)) return;
  const began = healing.state;
  const url = externalUrl === undefined ? {} : { externalUrl };
  const alerts = escalationAlerts(began, { now, lastsMs, ...url });
  let came: NotifyResult;
  try {
    came = await escalator.tell(alerts, ports.deadline(timeoutMs));
  } catch (error) {
    const detail = errorMessage(error);
    came = { status: "failed", detail, retryable: true };
  }
  if (came.status === "delivered") healing.state = told(healing.state, began, ports.clock.now());
  else ports.reporter.notice("escalation not delivered", { detail: came.detail, alerts: alerts.length });
}
