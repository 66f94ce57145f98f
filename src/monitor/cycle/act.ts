import { type Drop, revalidate } from "../guards/revalidate.ts";
import {
  type Action,
  type InstanceOutcome,
  type Intent,
  type Outcome,
  type OutcomeStatus,
  overallStatus,
  tookEffect,
} from "../kernel/action.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import type { Decision, Trigger } from "../kernel/decision.ts";
import type { Instance, Target } from "../kernel/target.ts";
import { errorMessage } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import { explain } from "../rules/explain.ts";
import { recheckGuards } from "./guards/keeper.ts";
import { recordBaseline, settleAttempt } from "./healing/watch.ts";
import { FRESH_MEMORY, forgetSeries } from "./predictors.ts";
import { actionTargetOf, getOrCreateTargetState, type LoopState, type SeriesRow } from "./state.ts";
import type { ActionRecord, LoopPorts, LoopSettings } from "./types.ts";
import { GRACE_MS, within } from "./within.ts";

export interface ActContext {
  readonly ports: LoopPorts;
  readonly state: LoopState;
  /** What is true now, not when the tick began: the newest settings, and whether the monitor is stopping. */
  readonly present: () => { state: LoopState; stopping: boolean };
}

/** What is asked for: everything of an intent but what the moment adds. */
export type Draft = Omit<Intent, "epoch" | "at" | "bootId">;

/** One action to carry out. */
export interface Order {
  readonly draft: Draft;
  readonly on: ActionTarget;
  readonly now: Instant;
  /** Asked just before the call: false when nothing asks for it any more. */
  readonly stillNeeded?: () => boolean;
}

/** What an order came to; `blocked` when the intent could not be written down. */
export type Performed =
  | { readonly mode: "auto" | "shadow"; readonly intent: Intent; readonly outcome: Outcome | undefined }
  | { readonly blocked: "journal_unavailable" };

/** What acting on one decision came to. */
export type Acted = { readonly record: ActionRecord } | { readonly blocked: "journal_unavailable" };

/** Journal, revalidate, act, record: one decision, all instances of its target. */
export async function actOn(
  decision: Decision,
  target: Target,
  now: Instant,
  ctx: ActContext,
): Promise<Acted> {
  const draft: Draft = {
    id: ctx.ports.newId(),
    kind: "mitigate",
    target: target.name,
    ...evidenceOf(decision),
  };
  recordBaseline(ctx.state, draft.id, decision);
  const done = await perform({ draft, on: target, now }, ctx);
  return "blocked" in done ? done : { record: { ...done, decision, detail: explain(decision) } };
}

/** What a decision that acts stands on, as an intent carries it. A forecast that is not known is left out. */
export function evidenceOf(decision: Decision): Pick<Draft, "signal" | "predictor"> & {
  trigger: Trigger;
  forecast?: number | undefined;
  threshold: number;
} {
  const verdict = decision.verdicts.find((v) => v.predictor === decision.predictor);
  return {
    signal: decision.signal,
    trigger: decision.trigger as Trigger,
    predictor: decision.predictor,
    forecast: verdict?.forecast?.value,
    threshold: decision.reason === "pre_timeout" ? decision.limit : decision.slo,
  };
}

/** Whether what would be done to it is only imagined. */
export function isShadow(on: ActionTarget, settings: LoopSettings): boolean {
  return !settings.autoHeal || !on.autoHeal;
}

/**
 * Writes the intent down, looks again, calls, records: the one way to any action. In shadow mode nothing is written
 * or called. An undo starts no cooldown.
 */
export async function perform({ draft, on, now, stillNeeded }: Order, ctx: ActContext): Promise<Performed> {
  const { ports, state } = ctx;
  const memory = getOrCreateTargetState(state, on.name);
  const undo = draft.origin?.undoes !== undefined;
  const intent: Intent = { ...draft, epoch: ports.store.epoch, at: now, bootId: ports.clock.bootId };
  if (isShadow(on, state.settings)) {
    if (!undo) memory.lastShadowMonoMs = now.monoMs;
    return { mode: "shadow", intent, outcome: undefined };
  }
  try {
    ports.store.recordIntent(intent);
  } catch (error) {
    ports.reporter.notice("journal unavailable", { target: on.name, error: errorMessage(error) });
    return { blocked: "journal_unavailable" };
  }
  if (!undo) memory.lastActionMonoMs = now.monoMs;
  const drop = revalidateIntent(intent, ctx, { on, stillNeeded });
  if (drop !== undefined)
    return { mode: "auto", intent, outcome: finish(intent, "dropped", [], said(drop), ctx) };
  memory.unresolved = [...memory.unresolved, intent];
  return { mode: "auto", intent, outcome: await carryOut(intent, on, ctx) };
}

/** Looks again, just before a call: a plan that the world has overtaken ends in a typed reason. */
function revalidateIntent(
  intent: Intent,
  ctx: ActContext,
  plan: { readonly on?: ActionTarget | undefined; readonly stillNeeded?: (() => boolean) | undefined } = {},
): Drop | undefined {
  const { state, stopping } = ctx.present();
  const { clock } = ctx.ports;
  const on = actionTargetOf(state, intent.target);
  const now = clock.now();
  return revalidate({
    plan: { intent, instances: (plan.on ?? on)?.instances.map((i) => i.name) ?? [] },
    present: {
      stopping,
      autoHeal: state.settings.autoHeal,
      on,
      epoch: ctx.ports.store.epoch,
      gated: recheckGuards(state, intent, on, now),
      stillNeeded: plan.stillNeeded?.(),
    },
    now,
    bootId: clock.bootId,
    ttlMs: state.settings.intentTtlMs,
  });
}

function said({ reason, detail }: Drop): string {
  return `${reason}: ${detail}`;
}

/** Calls every instance under the intent's key. An unknown outcome stays open, to be reconciled. */
async function carryOut(intent: Intent, target: ActionTarget, ctx: ActContext): Promise<Outcome | undefined> {
  const { ports, state } = ctx;
  const action = ports.actions.get(intent.kind);
  if (action === undefined) return finish(intent, "failed", [], `no action of kind ${intent.kind}`, ctx);
  const limits = limitsOf(ports, state);
  const outcomes = await Promise.all(
    target.instances.map((i) => told(ports, i, limits, (deadline) => action.execute(intent, i, deadline))),
  );
  countFromEnd(intent, ctx);
  return settle(intent, target, outcomes, ctx);
}

/**
 * A call that took long, or that a process which stood still made late, may have taken effect at its very end: then the
 * cooldown counts from there.
 */
function countFromEnd({ target, origin }: Intent, ctx: ActContext): void {
  if (origin?.undoes !== undefined) return;
  const { clock, store } = ctx.ports;
  const memory = getOrCreateTargetState(ctx.present().state, target);
  const at = clock.now();
  // The intent began a cooldown before any call.
  if (at.monoMs - (memory.lastActionMonoMs as number) <= GRACE_MS) return;
  memory.lastActionMonoMs = at.monoMs;
  try {
    store.recordCall({ target, at, bootId: clock.bootId });
  } catch (error) {
    ctx.ports.reporter.notice("journal unavailable", { target, error: errorMessage(error) });
  }
}

interface Limits {
  readonly deadline: AbortSignal;
  /** For an action that does not keep its deadline. */
  readonly giveUp: AbortSignal;
}

function limitsOf(ports: LoopPorts, state: LoopState): Limits {
  const ms = state.settings.actDeadlineMs;
  return { deadline: ports.deadline(ms), giveUp: ports.deadline(ms + GRACE_MS) };
}

/** What one instance came to. An action must not throw or hang; of one that does, the outcome is unknown. */
async function told(
  ports: LoopPorts,
  instance: Instance,
  limits: Limits,
  call: (deadline: AbortSignal) => Promise<InstanceOutcome>,
): Promise<InstanceOutcome> {
  const beganMs = ports.clock.now().monoMs;
  try {
    return await within(
      Promise.resolve().then(() => call(limits.deadline)),
      limits.giveUp,
    );
  } catch (error) {
    return {
      instance: instance.name,
      status: "unknown",
      httpStatus: undefined,
      detail: errorMessage(error),
      durationMs: ports.clock.now().monoMs - beganMs,
      answer: undefined,
    };
  }
}

/** Ends an intent, or leaves it open when an answer was lost. Whatever may have acted makes the past worthless. */
function settle(
  intent: Intent,
  target: ActionTarget,
  outcomes: readonly InstanceOutcome[],
  ctx: ActContext,
): Outcome | undefined {
  const status = overallStatus(target, outcomes);
  if (status === "applied" || status === "partial" || status === "unknown") forget(intent, ctx);
  if (status === "unknown") {
    const memory = getOrCreateTargetState(ctx.present().state, intent.target);
    memory.applied.set(intent.id, outcomes.filter(tookEffect));
    ctx.ports.reporter.notice("mitigation outcome unknown", {
      target: target.name,
      intent: intent.id,
      detail: outcomes.map((o) => `${o.instance}: ${o.status} (${o.detail})`).join("; "),
    });
    return undefined;
  }
  const detail = outcomes.map((o) => `${o.instance}: ${o.status}${o.detail === "" ? "" : ` (${o.detail})`}`);
  return finish(intent, status, outcomes, detail.join("; "), ctx);
}

/** Writes the one terminal record. If the journal fails here the intent stays open and is reconciled later. */
function finish(
  intent: Intent,
  status: OutcomeStatus,
  instances: readonly InstanceOutcome[],
  detail: string,
  ctx: ActContext,
): Outcome | undefined {
  const outcome: Outcome = { intentId: intent.id, status, instances, detail, at: ctx.ports.clock.now() };
  const memory = getOrCreateTargetState(ctx.present().state, intent.target);
  try {
    ctx.ports.store.recordOutcome(outcome);
  } catch (error) {
    if (!memory.unresolved.some((open) => open.id === intent.id))
      memory.unresolved = [...memory.unresolved, intent];
    ctx.ports.reporter.notice("journal unavailable", { target: intent.target, error: errorMessage(error) });
    return undefined;
  }
  memory.unresolved = memory.unresolved.filter((open) => open.id !== intent.id);
  memory.applied.delete(intent.id);
  settleAttempt(ctx.present().state, intent, outcome);
  return outcome;
}

/** From here on only samples from after the action count. An undo brings back what was there, and is no news. */
function forget({ target: targetName, origin }: Intent, ctx: ActContext): void {
  if (origin?.undoes !== undefined) return;
  const { state } = ctx.present();
  getOrCreateTargetState(state, targetName).settledMonoMs = ctx.ports.clock.now().monoMs;
  for (const series of state.plan) {
    if (series.target.name !== targetName) continue;
    forgetSeries(state.predictors, series.index);
    (state.rows[series.index] as SeriesRow).memory = FRESH_MEMORY;
  }
}

/**
 * Brings one open intent nearer to its end: asks every instance by its key, and only where an instance never saw
 * it, and the intent is young enough and acting still allowed, makes the call once more under the same key.
 */
export async function reconcile(intent: Intent, ctx: ActContext): Promise<void> {
  const { ports, state } = ctx;
  const target = actionTargetOf(state, intent.target);
  const action = ports.actions.get(intent.kind);
  let outcome: Outcome | undefined;
  if (target === undefined)
    outcome = finish(intent, "expired", [], "its target is no longer configured", ctx);
  else if (action === undefined)
    outcome = finish(intent, "expired", [], `no action of kind ${intent.kind}`, ctx);
  else {
    const limits = limitsOf(ports, state);
    const before = getOrCreateTargetState(state, intent.target).applied.get(intent.id);
    const outcomes = await Promise.all(
      target.instances.map(async (instance) => {
        const done = before?.find((o) => o.instance === instance.name);
        if (done !== undefined) return done;
        const known = await told(ports, instance, limits, (d) => action.reconcile(intent, instance, d));
        if (known.status !== "failed" || mayNotCallLate(intent, ctx) !== undefined) return known;
        const came = await callLate(intent, instance, ctx, (call) => told(ports, instance, limits, call));
        countFromEnd(intent, ctx);
        return mayStillArrive(came);
      }),
    );
    outcome = concluded(intent, target, outcomes, ctx);
  }
  if (outcome !== undefined) ports.reporter.reconciled(intent, outcome);
}

/**
 * A late call that was not carried out is not the last word: one from before, which an instance has not seen yet, may
 * still be on its way to it.
 */
function mayStillArrive(came: InstanceOutcome): InstanceOutcome {
  if (came.status !== "refused" && came.status !== "failed") return came;
  const detail = `${came.status}: ${came.detail}; an earlier call may still be on its way`;
  return { ...came, status: "unknown", detail };
}

/** Whether an intent is too old to be carried out; after a reboot nobody can tell, so it is. */
function expired(intent: Intent, ctx: ActContext): boolean {
  const { clock } = ctx.ports;
  const { intentTtlMs } = ctx.present().state.settings;
  return intent.bootId !== clock.bootId || clock.now().monoMs - intent.at.monoMs > intentTtlMs;
}

/** Why an intent that no instance ever saw is not carried out now. Its epoch is that of the run that wrote it. */
function mayNotCallLate(intent: Intent, ctx: ActContext): string | undefined {
  const drop = revalidateIntent({ ...intent, epoch: ctx.ports.store.epoch }, ctx);
  return drop === undefined ? undefined : said(drop);
}

/** A call long after its intent: the cooldown counts from the call. */
function callLate(
  intent: Intent,
  instance: Instance,
  ctx: ActContext,
  tell: (call: (deadline: AbortSignal) => Promise<InstanceOutcome>) => Promise<InstanceOutcome>,
): Promise<InstanceOutcome> {
  const action = ctx.ports.actions.get(intent.kind) as Action;
  const memory = getOrCreateTargetState(ctx.present().state, intent.target);
  const at = ctx.ports.clock.now();
  const undo = intent.origin?.undoes !== undefined;
  try {
    if (!undo) ctx.ports.store.recordCall({ target: intent.target, at, bootId: ctx.ports.clock.bootId });
  } catch (error) {
    ctx.ports.reporter.notice("journal unavailable", { target: intent.target, error: errorMessage(error) });
    return tell(async () => ({
      instance: instance.name,
      status: "unknown",
      httpStatus: undefined,
      detail: "not called: the journal cannot keep it",
      durationMs: 0,
      answer: undefined,
    }));
  }
  if (!undo) memory.lastActionMonoMs = at.monoMs;
  return tell((deadline) => action.execute(intent, instance, deadline));
}

/** What the instances' answers make of an open intent; undefined while it stays open. */
function concluded(
  intent: Intent,
  target: ActionTarget,
  outcomes: readonly InstanceOutcome[],
  ctx: ActContext,
): Outcome | undefined {
  if (outcomes.every((o) => o.status === "failed")) {
    const why = mayNotCallLate(intent, ctx);
    if (why !== undefined) return finish(intent, "expired", outcomes, `never carried out, and ${why}`, ctx);
  }
  // Where others were reached, one that never saw the key so far may only be reached later.
  const soFar = outcomes.map((o) => (o.status === "failed" ? mayStillArrive(o) : o));
  if (expired(intent, ctx) && soFar.some((o) => o.status === "unknown")) {
    forget(intent, ctx);
    return finish(intent, "unknown", soFar, "no answer before the intent expired", ctx);
  }
  return settle(intent, target, soFar, ctx);
}
