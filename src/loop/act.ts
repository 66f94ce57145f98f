import {
  type InstanceOutcome,
  type Intent,
  type Outcome,
  type OutcomeStatus,
  overallStatus,
} from "../domain/action.ts";
import type { Decision } from "../domain/decision.ts";
import type { Target } from "../domain/target.ts";
import type { Instant } from "../domain/time.ts";
import { resetLinear } from "../forecast/linear/linear.ts";
import { resumeMono } from "../policy/cooldown.ts";
import { FRESH_LINEAR_MEMORY } from "../policy/linear.ts";
import type { LoopState, TargetState } from "./state.ts";
import type { ActionRecord, LoopPorts } from "./types.ts";

/** Why a plan is dropped after it was written down and before it is carried out. */
export type DropReason = "stopping" | "auto_heal_off" | "plan_too_old" | "target_gone";

export interface ActContext {
  readonly ports: LoopPorts;
  readonly state: LoopState;
  /** What is true now, not when the tick began: the newest settings, and whether the monitor is stopping. */
  readonly present: () => { state: LoopState; stopping: boolean };
}

/** What acting on one decision came to; `blocked` when the intent could not be written down. */
export type Acted = { readonly record: ActionRecord } | { readonly blocked: "journal_unavailable" };

/** Journal, revalidate, act, record: one decision, all instances of its target. */
export async function actOn(
  decision: Decision,
  target: Target,
  now: Instant,
  ctx: ActContext,
): Promise<Acted> {
  const { ports, state } = ctx;
  const memory = state.targets.get(target.name) as TargetState;
  const verdict = decision.verdicts.find((v) => v.witness === decision.witness);
  const intent: Intent = {
    id: ports.newId(),
    kind: "mitigate",
    target: target.name,
    signal: decision.signal,
    trigger: decision.trigger ?? "strong",
    witness: decision.witness,
    forecast: verdict?.forecast?.value ?? decision.current ?? 0,
    threshold: decision.reason === "pre_timeout" ? decision.limit : decision.slo,
    epoch: ports.store.epoch,
    at: now,
    bootId: ports.clock.bootId,
  };
  if (!state.settings.autoHeal || !target.autoHeal) {
    memory.lastShadowMonoMs = now.monoMs;
    return { record: { mode: "shadow", intent, decision, outcome: undefined } };
  }
  try {
    ports.store.recordIntent(intent);
  } catch (error) {
    ports.reporter.notice("journal unavailable", { target: target.name, error: text(error) });
    return { blocked: "journal_unavailable" };
  }
  memory.lastActionMonoMs = now.monoMs;
  const drop = revalidate(intent, ctx);
  if (drop !== undefined) {
    const outcome = finish(intent, "dropped", [], drop, ctx);
    return { record: { mode: "auto", intent, decision, outcome } };
  }
  memory.unresolved = intent;
  const outcome = await carryOut(intent, target, ctx);
  return { record: { mode: "auto", intent, decision, outcome } };
}

/** Looks again, just before the call: a stale plan ends in a typed reason. */
function revalidate(intent: Intent, ctx: ActContext): DropReason | undefined {
  const { state, stopping } = ctx.present();
  const target = state.configured.get(intent.target);
  if (stopping) return "stopping";
  if (target === undefined) return "target_gone";
  if (!state.settings.autoHeal || !target.autoHeal) return "auto_heal_off";
  if (ctx.ports.clock.now().monoMs - intent.at.monoMs > state.settings.intentTtlMs) return "plan_too_old";
  return undefined;
}

/** Calls every instance under the intent's key. An unknown outcome stays open, to be reconciled. */
async function carryOut(intent: Intent, target: Target, ctx: ActContext): Promise<Outcome | undefined> {
  const { ports, state } = ctx;
  const action = ports.actions.get(intent.kind);
  if (action === undefined) return finish(intent, "failed", [], `no action of kind ${intent.kind}`, ctx);
  const deadline = ports.deadline(state.settings.actDeadlineMs);
  const outcomes = await Promise.all(target.instances.map((i) => action.execute(intent, i, deadline)));
  return settle(intent, target, outcomes, ctx);
}

/** Ends an intent, or leaves it open when an answer was lost. Whatever may have acted makes the past worthless. */
function settle(
  intent: Intent,
  target: Target,
  outcomes: readonly InstanceOutcome[],
  ctx: ActContext,
): Outcome | undefined {
  const status = overallStatus(target, outcomes);
  if (status === "applied" || status === "partial" || status === "unknown") forget(target.name, ctx);
  if (status === "unknown") {
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
  const memory = ctx.present().state.targets.get(intent.target);
  try {
    ctx.ports.store.recordOutcome(outcome);
  } catch (error) {
    if (memory !== undefined) memory.unresolved = intent;
    ctx.ports.reporter.notice("journal unavailable", { target: intent.target, error: text(error) });
    return undefined;
  }
  if (memory?.unresolved?.id === intent.id) memory.unresolved = undefined;
  return outcome;
}

/** From here on only samples from after the action count. */
function forget(targetName: string, ctx: ActContext): void {
  const { state } = ctx.present();
  const memory = state.targets.get(targetName);
  if (memory === undefined) return;
  memory.settledMonoMs = ctx.ports.clock.now().monoMs;
  for (const series of state.plan) {
    if (series.target.name !== targetName) continue;
    resetLinear(state.bank, series.index);
    const row = state.rows[series.index];
    if (row !== undefined) row.linear = FRESH_LINEAR_MEMORY;
  }
}

/**
 * Brings one open intent nearer to its end: asks every instance by its key, and only where an instance never saw
 * it, and the intent is young enough, makes the call once more under the same key.
 */
export async function reconcile(intent: Intent, ctx: ActContext): Promise<void> {
  const { ports, state } = ctx;
  const target = state.configured.get(intent.target);
  const action = ports.actions.get(intent.kind);
  const now = ports.clock.now();
  const sameBoot = intent.bootId === ports.clock.bootId;
  const ageMs = sameBoot ? now.monoMs - resumeMono(intent, now, intent.bootId) : Number.POSITIVE_INFINITY;
  let outcome: Outcome | undefined;
  if (target === undefined || action === undefined)
    outcome = finish(intent, "expired", [], "its target is no longer configured", ctx);
  else {
    const deadline = ports.deadline(state.settings.actDeadlineMs);
    const young = ageMs <= state.settings.intentTtlMs && state.settings.autoHeal && target.autoHeal;
    const outcomes = await Promise.all(
      target.instances.map(async (instance) => {
        const known = await action.reconcile(intent, instance, deadline);
        return known.status === "failed" && young ? action.execute(intent, instance, deadline) : known;
      }),
    );
    if (young || outcomes.every((o) => o.status !== "unknown")) {
      const never = outcomes.length > 0 && outcomes.every((o) => o.status === "failed");
      outcome =
        never && !young
          ? finish(intent, "expired", outcomes, "never carried out, and too old to be now", ctx)
          : settle(intent, target, outcomes, ctx);
    } else outcome = finish(intent, "unknown", outcomes, "no answer before the intent expired", ctx);
  }
  if (outcome !== undefined) ports.reporter.reconciled(intent, outcome);
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
