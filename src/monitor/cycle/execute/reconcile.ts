import { NOBODY } from "../../guards/index.ts";
import type { Action, InstanceOutcome, Intent, Outcome } from "../../kernel/action.ts";
import { askerOf, isUndo } from "../../kernel/action.ts";
import type { ActionTarget } from "../../kernel/containment.ts";
import type { Instance } from "../../kernel/target.ts";
import { errorMessage } from "../../kernel/text.ts";
import { admit } from "../admit.ts";
import { actionTargetOf } from "../state.ts";
import { settleIntent } from "../verify.ts";
import {
  type ActContext,
  countFromEnd,
  dropText,
  finish,
  forget,
  instanceOutcome,
  type Limits,
  limitsOf,
  overtaken,
  recordCalls,
  settle,
} from "./call.ts";
import { getOrCreateTargetState, markActed } from "./state.ts";

/**
 * Brings one open intent nearer to its end: asks every instance by its key, and only where an instance never saw
 * it, and the intent is young enough and still admitted, makes the call once more under the same key.
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
        const known = await instanceOutcome(ports, instance, limits, (d) =>
          action.reconcile(intent, instance, d),
        );
        if (known.status !== "failed" || mayNotCallLate(intent, ctx) !== undefined) return known;
        return mayStillArrive(await callLate({ intent, instance, action, limits }, ctx));
      }),
    );
    outcome = concluded(intent, target, outcomes, ctx);
  }
  if (outcome === undefined) return;
  if (intent.origin === undefined) settleIntent(ctx.present().state, intent, outcome);
  ports.reporter.reconciled(intent, outcome);
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

/** Why an intent that no instance ever saw is not carried out now. Its epoch is that of the life that wrote it. */
function mayNotCallLate(intent: Intent, ctx: ActContext): string | undefined {
  const drop = overtaken({ ...intent, epoch: ctx.ports.store.epoch }, ctx);
  if (drop !== undefined) return dropText(drop);
  const { state } = ctx.present();
  const callee = actionTargetOf(state, intent.target) as ActionTarget;
  const blocked = admit(
    { state, ports: ctx.ports },
    {
      asker: actionTargetOf(state, askerOf(intent)) ?? callee,
      callees: [callee],
      signal: intent.signal,
      action: intent.kind,
      cause: isUndo(intent) ? "undo" : intent.trigger,
      shadow: false,
      run: intent.origin?.run ?? intent.id,
      // It was let through when it was written down.
      continues: true,
      waiting: NOBODY,
    },
    ctx.ports.clock.now(),
  );
  return blocked === undefined ? undefined : `guard_closed: ${blocked.guard}: ${blocked.detail}`;
}

/** A call long after its intent: the cooldown counts from the call. */
async function callLate(
  {
    intent,
    instance,
    action,
    limits,
  }: {
    readonly intent: Intent;
    readonly instance: Instance;
    readonly action: Action;
    readonly limits: Limits;
  },
  ctx: ActContext,
): Promise<InstanceOutcome> {
  const { ports } = ctx;
  try {
    if (!isUndo(intent)) recordCalls(intent, ctx);
  } catch (error) {
    ports.reporter.notice("journal unavailable", { target: intent.target, error: errorMessage(error) });
    const detail = "not called: the journal cannot keep it";
    return {
      ...{ instance: instance.name, status: "unknown", detail, durationMs: 0 },
      ...{ httpStatus: undefined, answer: undefined },
    };
  }
  markActed(ctx.present().state, intent, ports.clock.now(), "auto");
  const came = await instanceOutcome(ports, instance, limits, (d) => action.execute(intent, instance, d));
  countFromEnd(intent, ctx);
  return came;
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
