import { formatDuration } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import type {
  Attempt,
  Escalation,
  VerificationOutcome,
  VerificationSettings,
} from "../kernel/verification.ts";
import { escalate } from "./escalate.ts";
import { judge } from "./judge.ts";
import type { EndedEscalation, Judged, TargetRecord, Verification, VerificationState } from "./types.ts";
import { feed } from "./verification.ts";

/** Attempts kept of a target, and for how long, milliseconds: more than any window looks back. */
const MAX_ATTEMPTS = 50;
const KEEP_MS = 86_400_000;
/** Ends of escalations that wait to be told. */
const MAX_ENDED = 100;

const NOTHING: TargetRecord = { attempts: [] };

/** A past without actions. */
export function freshVerification(bootId: string): VerificationState {
  return { bootId, pending: {}, targets: {}, ended: [], news: 0 };
}

/** What verification and escalation did in one cycle. */
export interface VerificationStep {
  readonly state: VerificationState;
  readonly verdicts: readonly { readonly verification: Verification; readonly judged: Judged }[];
  readonly escalated: readonly Escalation[];
  readonly ended: readonly EndedEscalation[];
}

/** One cycle of one target. */
export interface TargetHealth {
  readonly target: string;
  /** Undefined: it cannot be told now, which is not health. */
  readonly healthy: boolean | undefined;
}

/** A sample of the newest cycle, its age counted from `now`. */
export interface NewestSample {
  readonly target: string;
  readonly signal: string;
  readonly value: number;
  readonly ageMs: number;
}

/** From now on the effect of this action is watched. */
export function watch(state: VerificationState, verification: Verification): VerificationState {
  return { ...state, pending: { ...state.pending, [verification.intentId]: verification } };
}

/**
 * One cycle: where nothing comes of it, the state stays the same object. Samples are taken, verdicts given whose window is over, targets escalated on which too little helped, and
 * escalations ended of targets that have been well for long enough. Call it before anything is gated.
 */
export function advanceVerification(
  state: VerificationState,
  input: {
    samples: readonly NewestSample[];
    health: readonly TargetHealth[];
    settings: VerificationSettings;
    now: Instant;
  },
): VerificationStep {
  const { samples, health, settings, now } = input;
  const { pending, verdicts } = judgePending(state, samples, settings, now);
  let next = pending === state.pending ? state : { ...state, pending };
  for (const { verification, judged } of verdicts)
    next = addAttempt(next, attemptOf(verification, judged), now);
  const ended: EndedEscalation[] = [];
  let targets: Record<string, TargetRecord> | undefined;
  for (const { target, healthy } of health) {
    const record = next.targets[target];
    if (record === undefined) continue;
    const aged = withHealth(withLapsed(record, now), healthy, now);
    const well = now.monoMs - (aged.healthySinceMonoMs ?? now.monoMs) >= settings.healthyMs;
    const over = well && aged.escalation?.acknowledged === undefined;
    if (!over && aged === record) continue;
    targets ??= { ...next.targets };
    if (over) {
      const detail = `${target} has been well for ${formatDuration(settings.healthyMs)}`;
      if (aged.escalation !== undefined)
        ended.push({ escalation: aged.escalation, endedAt: now, by: "health", detail });
      delete targets[target];
    } else targets[target] = aged;
  }
  if (targets !== undefined) next = { ...next, targets };
  if (ended.length > 0)
    next = markUnnotified({ ...next, ended: [...next.ended, ...ended].slice(-MAX_ENDED) });
  return { ...escalateAll(next, settings, now), verdicts, ended };
}

/** What is watched takes in its sample, or is judged. The same object where nothing has come of it. */
function judgePending(
  { pending: before }: VerificationState,
  samples: readonly NewestSample[],
  settings: VerificationSettings,
  now: Instant,
): Pick<VerificationStep, "verdicts"> & Pick<VerificationState, "pending"> {
  const pending: Record<string, Verification> = {};
  const verdicts: { verification: Verification; judged: Judged }[] = [];
  let same = true;
  for (const [id, known] of Object.entries(before)) {
    // Of two samples of one series the later counts.
    const sample = samples.findLast((s) => s.target === known.target && s.signal === known.signal);
    const verification = sample === undefined ? known : feed(known, sample, now);
    const judged = judge(verification, now, settings);
    if (judged.outcome === "pending") pending[id] = verification;
    else verdicts.push({ verification, judged });
    same &&= pending[id] === known;
  }
  return { pending: same ? before : pending, verdicts };
}

/** Stops on every target on which too little helped. */
function escalateAll(
  state: VerificationState,
  settings: VerificationSettings,
  now: Instant,
): { state: VerificationState; escalated: Escalation[] } {
  const escalated: Escalation[] = [];
  const targets = { ...state.targets };
  for (const [target, record] of Object.entries(state.targets)) {
    const found = record.escalation === undefined ? escalate(record.attempts, settings, now) : undefined;
    if (found === undefined) continue;
    escalated.push(found);
    targets[target] = { ...record, escalation: found };
  }
  if (escalated.length === 0) return { state, escalated };
  return { state: markUnnotified({ ...state, targets }), escalated };
}

/** An action that is not watched: its call certainly did nothing, or the alert that asked for it judged it. */
export function recordAttempt(state: VerificationState, made: Attempt, now: Instant): VerificationState {
  return addAttempt(state, made, now);
}

/** Another action on the target begins: those still watched are judged on what there is. */
export function concludeEarly(
  state: VerificationState,
  target: string,
  context: { settings: VerificationSettings; now: Instant },
): VerificationStep {
  const { settings, now } = context;
  const verdicts = Object.values(state.pending)
    .filter((v) => (v.asker ?? v.target) === target)
    .map((verification) => ({ verification, judged: judge(verification, now, settings, true) }));
  const gone = new Set(verdicts.map((v) => v.verification.intentId));
  const pending = Object.fromEntries(Object.entries(state.pending).filter(([id]) => !gone.has(id)));
  let next: VerificationState = { ...state, pending };
  for (const { verification, judged } of verdicts)
    next = addAttempt(next, attemptOf(verification, judged), now);
  return { ...escalateAll(next, settings, now), verdicts, ended: [] };
}

/** Carried over to another boot: nothing can be said of what was being watched, and every try counts as made just now. */
export function resumeVerification(
  state: VerificationState,
  now: Instant,
  bootId: string,
): VerificationState {
  if (state.bootId === bootId) return state;
  const pending = Object.fromEntries(
    Object.entries(state.pending).map(([id, v]) => [
      id,
      { ...v, at: moved(v.at, now), fromMonoMs: now.monoMs, untilMonoMs: now.monoMs, samples: [] },
    ]),
  );
  const targets = Object.fromEntries(
    Object.entries(state.targets).map(([target, { attempts, escalation }]) => [
      target,
      {
        attempts: attempts.map((t) => ({ ...t, at: moved(t.at, now) })),
        ...(escalation === undefined ? {} : { escalation: movedEscalation(escalation, now) }),
      },
    ]),
  );
  const ended = state.ended.map((e) => ({ ...e, endedAt: moved(e.endedAt, now) }));
  return { bootId, pending, targets, ended, news: state.news };
}

/** Nothing more is known of targets that are gone for good, as after a reload: their escalations end. */
export function forgetTargets(
  state: VerificationState,
  keep: ReadonlySet<string>,
  now: Instant,
): { state: VerificationState; ended: EndedEscalation[] } {
  const ended: EndedEscalation[] = [];
  if (Object.keys(state.targets).every((target) => keep.has(target))) return { state, ended };
  const targets: Record<string, TargetRecord> = {};
  for (const [target, record] of Object.entries(state.targets)) {
    if (keep.has(target)) targets[target] = record;
    else if (record.escalation !== undefined)
      ended.push({
        escalation: record.escalation,
        endedAt: now,
        by: "gone",
        detail: `${target} is no longer configured`,
      });
  }
  const next = { ...state, targets, ended: [...state.ended, ...ended].slice(-MAX_ENDED) };
  return { state: ended.length > 0 ? markUnnotified(next) : next, ended };
}

/** Something people have to be told is new. */
export function markUnnotified(state: VerificationState): VerificationState {
  const { notifiedMonoMs: _told, ...rest } = state;
  return { ...rest, news: state.news + 1 };
}

function addAttempt(state: VerificationState, made: Attempt, now: Instant): VerificationState {
  const record = state.targets[made.target] ?? NOTHING;
  const kept = record.attempts.filter((t) => now.monoMs - t.at.monoMs < KEEP_MS).slice(1 - MAX_ATTEMPTS);
  return { ...state, targets: { ...state.targets, [made.target]: { ...record, attempts: [...kept, made] } } };
}

function attemptOf(v: Verification, judged: Judged): Attempt {
  return {
    intentId: v.intentId,
    target: v.asker ?? v.target,
    signal: v.signal,
    action: v.action,
    at: v.at,
    outcome: judged.outcome as VerificationOutcome,
    detail: judged.detail,
    ...(judged.before === undefined ? {} : { before: judged.before }),
    ...(judged.after === undefined ? {} : { after: judged.after }),
    slo: v.slo,
  };
}

function withHealth(record: TargetRecord, healthy: boolean | undefined, now: Instant): TargetRecord {
  const { healthySinceMonoMs, ...rest } = record;
  if (healthy !== true) return healthySinceMonoMs === undefined ? record : rest;
  return healthySinceMonoMs === undefined ? { ...rest, healthySinceMonoMs: now.monoMs } : record;
}

/** An acknowledgement that had an end, and has passed it, is none any more. */
function withLapsed(record: TargetRecord, now: Instant): TargetRecord {
  const until = record.escalation?.acknowledged?.untilMonoMs;
  if (record.escalation === undefined || until === undefined || now.monoMs < until) return record;
  const { acknowledged: _lapsed, ...escalation } = record.escalation;
  return { ...record, escalation };
}

function movedEscalation(escalation: Escalation, now: Instant): Escalation {
  const ack = escalation.acknowledged;
  const since = moved(escalation.since, now);
  const attempts = escalation.attempts.map((t) => ({ ...t, at: moved(t.at, now) }));
  if (ack?.untilMs === undefined) return { ...escalation, since, attempts };
  const leftMs = Math.max(0, Math.min(ack.untilMs - now.wallMs, ack.untilMs - ack.at.wallMs));
  return { ...escalation, since, attempts, acknowledged: { ...ack, untilMonoMs: now.monoMs + leftMs } };
}

function moved(at: Instant, now: Instant): Instant {
  return { wallMs: at.wallMs, monoMs: now.monoMs };
}
