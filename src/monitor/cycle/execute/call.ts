import { type Drop, revalidate } from "../../guards/revalidate.ts";
import {
  askerOf,
  concerned,
  type InstanceOutcome,
  type Intent,
  isUndo,
  type Outcome,
  type OutcomeStatus,
  overallStatus,
  tookEffect,
} from "../../kernel/action.ts";
import type { ActionTarget } from "../../kernel/containment.ts";
import type { Instance } from "../../kernel/target.ts";
import { errorMessage } from "../../kernel/text.ts";
import { forgetBefore } from "../forecast.ts";
import { actionTargetOf, type LoopState } from "../state.ts";
import type { LoopPorts } from "../types.ts";
import { GRACE_MS, within } from "../within.ts";
import { close, getOrCreateTargetState, keepOpen, markActed } from "./state.ts";

export interface ActContext {
  readonly ports: LoopPorts;
  readonly state: LoopState;
  /** What is true now, not when the tick began: the newest settings, and whether the monitor is stopping. */
  readonly present: () => { state: LoopState; stopping: boolean };
}

/** What is asked for: everything of an intent but what the moment adds. */
export type Draft = Omit<Intent, "epoch" | "at" | "bootId">;

/** What became of an intent that was admitted; `blocked` when it could not be written down. */
export type Called =
  | { readonly intent: Intent; readonly outcome: Promise<Outcome | undefined> }
  | { readonly blocked: "journal_unavailable" };

/**
 * Writes the intent down, looks whether it is still current, calls, records: the one way to any call. What is written here
 * was admitted in the same turn. Everything up to the call happens before this returns.
 */
export function call(draft: Draft, on: ActionTarget, ctx: ActContext): Called {
  const { ports, state } = ctx;
  const now = ports.clock.now();
  const intent: Intent = { ...draft, epoch: ports.store.epoch, at: now, bootId: ports.clock.bootId };
  try {
    ports.store.recordIntent(intent);
  } catch (error) {
    ports.reporter.notice("journal unavailable", { target: on.name, error: errorMessage(error) });
    return { blocked: "journal_unavailable" };
  }
  markActed(state, intent, now, "auto");
  const drop = overtaken(intent, ctx, on);
  if (drop !== undefined) {
    const outcome = finish(intent, "dropped", [], dropText(drop), ctx);
    return { intent, outcome: Promise.resolve(outcome) };
  }
  keepOpen(state, intent);
  return { intent, outcome: carryOut(intent, on, ctx) };
}

/** Looks just before a call, when the intent is on disk: one that the world has overtaken ends in a typed reason. */
export function overtaken(intent: Intent, ctx: ActContext, planned?: ActionTarget): Drop | undefined {
  const { state, stopping } = ctx.present();
  const { clock, store } = ctx.ports;
  const on = actionTargetOf(state, intent.target);
  const asker = actionTargetOf(state, askerOf(intent));
  return revalidate({
    plan: { intent, instances: (planned ?? on)?.instances.map((i) => i.name) ?? [] },
    present: { stopping, autoHeal: state.settings.autoHeal, on, asker, epoch: store.epoch },
    now: clock.now(),
    bootId: clock.bootId,
    ttlMs: state.settings.intentTtlMs,
  });
}

export function dropText({ reason, detail }: Drop): string {
  return `${reason}: ${detail}`;
}

/** Calls every instance under the intent's key. An unknown outcome stays open, to be reconciled. */
async function carryOut(intent: Intent, target: ActionTarget, ctx: ActContext): Promise<Outcome | undefined> {
  const { ports, state } = ctx;
  const action = ports.actions.get(intent.kind);
  if (action === undefined) return finish(intent, "failed", [], `no action of kind ${intent.kind}`, ctx);
  const limits = limitsOf(ports, state);
  const outcomes = await Promise.all(
    target.instances.map((i) =>
      instanceOutcome(ports, i, limits, (deadline) => action.execute(intent, i, deadline)),
    ),
  );
  countFromEnd(intent, ctx);
  return settle(intent, target, outcomes, ctx);
}

/**
 * A call that took long, or that a process which stood still made late, may have taken effect at its very end: then the
 * cooldown counts from there.
 */
export function countFromEnd(intent: Intent, ctx: ActContext): void {
  if (isUndo(intent)) return;
  const at = ctx.ports.clock.now();
  const { state } = ctx.present();
  // The intent began a cooldown before any call.
  const began = getOrCreateTargetState(state, intent.target).lastActionMonoMs as number;
  if (at.monoMs - began <= GRACE_MS) return;
  markActed(state, intent, at, "auto");
  try {
    recordCalls(intent, ctx);
  } catch (error) {
    ctx.ports.reporter.notice("journal unavailable", { target: intent.target, error: errorMessage(error) });
  }
}

/** From now on the cooldowns of everything that it concerns count. @throws StoreError */
export function recordCalls(intent: Intent, { ports: { clock, store } }: ActContext): void {
  const at = clock.now();
  for (const target of concerned(intent)) store.recordCall({ target, at, bootId: clock.bootId });
}

export interface Limits {
  readonly deadline: AbortSignal;
  /** For an action that does not keep its deadline. */
  readonly giveUp: AbortSignal;
}

export function limitsOf(ports: LoopPorts, state: LoopState): Limits {
  const ms = state.settings.actDeadlineMs;
  return { deadline: ports.deadline(ms), giveUp: ports.deadline(ms + GRACE_MS) };
}

/** What one instance came to. An action must not throw or hang; of one that does, the outcome is unknown. */
export async function instanceOutcome(
  ports: LoopPorts,
  instance: Instance,
  limits: Limits,
  ask: (deadline: AbortSignal) => Promise<InstanceOutcome>,
): Promise<InstanceOutcome> {
  const beganMs = ports.clock.now().monoMs;
  try {
    return await within(
      Promise.resolve().then(() => ask(limits.deadline)),
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
export function settle(
  intent: Intent,
  target: ActionTarget,
  outcomes: readonly InstanceOutcome[],
  ctx: ActContext,
): Outcome | undefined {
  const status = overallStatus(target, outcomes);
  if (status === "applied" || status === "partial" || status === "unknown") forget(intent, ctx);
  if (status === "unknown") {
    keepOpen(ctx.present().state, intent, outcomes.filter(tookEffect));
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
export function finish(
  intent: Intent,
  status: OutcomeStatus,
  instances: readonly InstanceOutcome[],
  detail: string,
  ctx: ActContext,
): Outcome | undefined {
  const outcome: Outcome = { intentId: intent.id, status, instances, detail, at: ctx.ports.clock.now() };
  const { state } = ctx.present();
  try {
    ctx.ports.store.recordOutcome(outcome);
  } catch (error) {
    keepOpen(state, intent);
    ctx.ports.reporter.notice("journal unavailable", { target: intent.target, error: errorMessage(error) });
    return undefined;
  }
  close(state, intent);
  return outcome;
}

/** From here on only samples from after the action count, of the asker too. Taking back brings what was there: no news. */
export function forget(intent: Intent, ctx: ActContext): void {
  if (!isUndo(intent)) forgetBefore(ctx.present().state, concerned(intent), ctx.ports.clock.now());
}
