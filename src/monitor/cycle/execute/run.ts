import type { Blocked, Question } from "../../guards/guard.ts";
import { NOBODY } from "../../guards/index.ts";
import type { Outcome } from "../../kernel/action.ts";
import type { ActionTarget } from "../../kernel/containment.ts";
import type { JournalEntry } from "../../kernel/store.ts";
import { errorMessage } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import { planKey } from "../../playbooks/playbook.ts";
import { unmet } from "../../playbooks/preconditions.ts";
import {
  callOf,
  episodesOver,
  type Run,
  type RunStep,
  stepId,
  undoable,
  untouched,
} from "../../playbooks/run.ts";
import { admit, releaseRun } from "../admit.ts";
import { isShadow, type LoopState } from "../state.ts";
import type { ActionRecord } from "../types.ts";
import { settleRun } from "../verify.ts";
import { type ActContext, call, type Draft } from "./call.ts";
import { type Carrying, draftOf, stepRecord, undoDraftOf } from "./records.ts";
import { keepRun, markActed, replaceRun } from "./state.ts";

/** Times that taking a step back is tried before it is left to end by itself. */
const MAX_UNDO_ATTEMPTS = 10;

const EXPIRED = "not carried out in the cycle that started it; what is known now counts";

/**
 * A run counts in the cycle that started it. One that a crash or a full disk kept from its first step expires, and gives
 * its places in the budgets back: its plan is proposed anew, by the alerts, guards and regions of now. Call it before
 * anything is proposed. One whose journal cannot be read may have called, and stays.
 */
export function expireUnstartedRuns(state: LoopState, ctx: ActContext): void {
  for (const run of state.actions.runs.values()) {
    if (!hasNoIntent(run, ctx)) continue;
    releaseRun(state, run.id);
    const steps = run.steps.map((step) =>
      step.status === "pending" ? { ...step, status: "skipped" as const, detail: EXPIRED } : step,
    );
    replaceRun(state, { ...run, status: "ended", steps });
  }
}

/** It is under way, and the journal knows of no step of it. */
function hasNoIntent(run: Run, { ports: { store } }: ActContext): boolean {
  if (run.status !== "running" || !untouched(run)) return false;
  if (run.mode === "shadow") return true;
  try {
    return run.steps.every((_, index) => store.entry(stepId(run, index)) === undefined);
  } catch {
    return false;
  }
}

/** Why a run did not begin. */
export type NotBegun =
  | Blocked
  | { readonly guard: "journal_unavailable" | "stopping"; readonly detail: string };

/**
 * Begins a run: its first step that applies is admitted, written down and called before this returns, or nothing is.
 * @returns what holds it; or the rest of the work.
 */
export function begin(
  given: Carrying,
  waiting: Question["waiting"],
): NotBegun | { readonly rest: Promise<void> } {
  const carrying = { ...given };
  const { ctx } = carrying;
  for (let index = 0; index < carrying.run.steps.length; index += 1) {
    // What cannot be read may have called under this key.
    if (lookupOutcome(ctx, carrying.run, stepId(carrying.run, index)) !== undefined) return NOT_WRITTEN;
    const draft = prepare(carrying, index);
    if ("skip" in draft) {
      carrying.run = withStep(carrying.run, index, { status: "skipped", detail: draft.skip });
      continue;
    }
    const began = order(carrying, index, { draft, waiting, continues: false });
    if ("guard" in began) return began;
    return { rest: began.step.then(() => carryOn(carrying, index)) };
  }
  // Nothing of it applies now.
  keepRun(ctx.state, ctx.ports, { ...carrying.run, status: "done" });
  return { rest: Promise.resolve() };
}

/** Carries a run of an earlier cycle on as far as it goes in this one: its next steps, or taking back what it did. */
export async function carry(given: Carrying): Promise<void> {
  const carrying = { ...given };
  if (carrying.run.status === "undoing") await rollback(carrying);
  else await carryOn(carrying, 0);
}

/** Steps in order. One whose outcome is not known yet, or that cannot be journalled, makes the run wait. */
async function carryOn(carrying: Carrying, from: number): Promise<void> {
  const { ctx } = carrying;
  for (let index = from; index < carrying.run.steps.length; index += 1) {
    const step = carrying.run.steps[index] as RunStep;
    if (step.status !== "pending") continue;
    const known = lookupOutcome(ctx, carrying.run, stepId(carrying.run, index));
    if (known === "wait") return;
    if (known !== undefined) {
      change(carrying, index, stepResult(known, ctx.ports.clock.now()));
      continue;
    }
    if (ctx.present().stopping) return;
    // Begun in an earlier cycle and nothing called so far: see `expireUnstartedRuns`.
    if (!carrying.begun && untouched(carrying.run)) return;
    const draft = prepare(carrying, index);
    if ("skip" in draft) change(carrying, index, { status: "skipped", detail: draft.skip });
    else {
      const ordered = order(carrying, index, { draft, waiting: NOBODY, continues: true });
      if ("guard" in ordered) {
        if (ordered.guard === "journal_unavailable" || ordered.guard === "stopping") return;
        const detail = `blocked by ${ordered.guard}: ${ordered.detail}`;
        change(carrying, index, { status: "skipped", detail });
      } else await ordered.step;
    }
    if ((carrying.run.steps[index] as RunStep).status === "pending") return;
  }
  update(carrying, { ...carrying.run, status: "done" });
  if (carrying.run.mode === "auto") settleRun(ctx.present().state, carrying.run, ctx.ports.clock.now());
}

/** What one step would call now, or why it is skipped. */
function prepare({ run, ctx, value }: Carrying, index: number): Draft | { readonly skip: string } {
  const state = ctx.present().state;
  const step = run.steps[index] as RunStep;
  const plan =
    run.playbook === undefined
      ? { steps: [{ kind: step.kind, on: step.on, parameters: {}, preconditions: [] }] }
      : state.settings.playbooks.find((p) => p.name === run.playbook);
  const planned = plan?.steps[index];
  if (planned === undefined || planned.kind !== step.kind)
    return { skip: "the playbook has changed since it was started" };
  if (episodesOver(run, state.propose.inbox)) return { skip: "the alert ended before it was carried out" };
  const why = unmet(planned, { region: run.region, regionWhy: run.regionWhy, value });
  if (why !== undefined) return { skip: why };
  const parameters = callOf(planned.parameters, run.region);
  if (parameters === undefined) return { skip: `no region stands out: ${run.regionWhy ?? "not known"}` };
  return draftOf(run, index, parameters);
}

/**
 * One step: asked of the guards, then written down, then called. Everything up to the call happens before this returns.
 * @returns what blocks it; or the step's end: it stays pending while its outcome is not known.
 */
function order(
  carrying: Carrying,
  index: number,
  asked: { readonly draft: Draft; readonly waiting: Question["waiting"]; readonly continues: boolean },
): NotBegun | { readonly step: Promise<void> } {
  const { ctx } = carrying;
  const { draft, waiting, continues } = asked;
  const { run } = carrying;
  const { on } = run.steps[index] as RunStep;
  const now = ctx.ports.clock.now();
  const asker = askerTarget(ctx.state, run);
  const blocked = admit(
    ctx,
    {
      ...{ asker, signal: run.signal, action: draft.kind, cause: run.cause, run: run.id },
      ...{ shadow: run.mode === "shadow", continues, waiting },
      callees: continues ? [on] : run.steps.map((step) => step.on),
    },
    now,
  );
  if (blocked !== undefined) return blocked;
  if (run.mode === "shadow" || isShadow(ctx.state.settings, [asker, on])) {
    const intent = { ...draft, epoch: ctx.ports.store.epoch, at: now, bootId: ctx.ports.clock.bootId };
    markActed(ctx.state, intent, now, "shadow");
    carrying.record(stepRecord(carrying, "shadow", intent, undefined));
    change(carrying, index, { status: "shadow", detail: "shadow mode: not called", at: now });
    return { step: Promise.resolve() };
  }
  // The run is on disk before its first step: what was started is known after a crash.
  const kept = continues || keepRun(ctx.present().state, ctx.ports, run);
  if (!kept) return NOT_WRITTEN;
  if (ctx.present().stopping) return STOPPING;
  const called = call(draft, on, ctx);
  if ("blocked" in called) return NOT_WRITTEN;
  return { step: end(carrying, index, called) };
}

const STOPPING = { guard: "stopping", detail: "the monitor is stopping" } as const;
const NOT_WRITTEN = { guard: "journal_unavailable", detail: "it cannot be written down" } as const;

async function end(
  carrying: Carrying,
  index: number,
  called: { readonly intent: ActionRecord["intent"]; readonly outcome: Promise<Outcome | undefined> },
): Promise<void> {
  const outcome = await called.outcome;
  carrying.record(stepRecord(carrying, "auto", called.intent, outcome));
  if (outcome !== undefined) change(carrying, index, stepResult(outcome, carrying.ctx.ports.clock.now()));
}

/** The one that asked, as it is configured now; one that is gone is what was called. */
function askerTarget(state: LoopState, run: Run): ActionTarget {
  return (
    state.configured.get(run.asker) ??
    ((run.steps.find(({ on }) => on.name === run.asker) ?? run.steps[0])?.on as ActionTarget)
  );
}

/** Takes back what can be, the last step first. */
async function rollback(carrying: Carrying): Promise<void> {
  const { ctx } = carrying;
  if (carrying.run.steps.some((s) => s.status === "pending") && !settlePending(carrying)) return;
  const { bootId } = ctx.ports.clock;
  for (const index of undoable(carrying.run, ctx.ports.clock.now(), bootId)) {
    const step = carrying.run.steps[index] as RunStep;
    // AUTO_HEAL=0 means that nothing is called: it ends by itself.
    if (isOff(carrying, step)) continue;
    const draft = undoDraftOf(carrying.run, index);
    if (draft === undefined) {
      const detail = "not taken back: which region it was for is not known";
      change(carrying, index, { status: "kept", detail });
      continue;
    }
    let known = lookupOutcome(ctx, carrying.run, draft.id);
    if (known === "wait") continue;
    if (known === undefined) {
      if (ctx.present().stopping) return;
      known = await release(carrying, index, draft);
      if (known === undefined) continue;
    }
    change(carrying, index, undone(step, known));
  }
  const left = undoable(carrying.run, ctx.ports.clock.now(), bootId);
  if (left.every((index) => isOff(carrying, carrying.run.steps[index] as RunStep)))
    update(carrying, { ...carrying.run, status: "ended" });
}

/** Nothing is called now for the asker of a run, or on what this step was carried out on. */
function isOff({ ctx: { state }, run }: Carrying, { on }: RunStep): boolean {
  return isShadow(state.settings, [askerTarget(state, run), state.configured.get(on.name) ?? on]);
}

/** Taking a step back: the same way as any step, with a question that no guard answers with no. */
async function release(carrying: Carrying, index: number, draft: Draft): Promise<Outcome | undefined> {
  const { ctx, run } = carrying;
  const { on } = run.steps[index] as RunStep;
  const question = {
    asker: askerTarget(ctx.state, run),
    callees: [on],
    signal: run.signal,
    action: draft.kind,
  };
  const asked = { cause: "undo" as const, shadow: false, run: run.id, continues: true, waiting: NOBODY };
  if (admit(ctx, { ...question, ...asked }, ctx.ports.clock.now()) !== undefined) return undefined;
  const called = call(draft, on, ctx);
  if ("blocked" in called) return undefined;
  const outcome = await called.outcome;
  carrying.record(stepRecord(carrying, "auto", called.intent, outcome));
  return outcome;
}

/**
 * Steps that were not carried out before the alert ended stay so, and what the others did counts. False while an outcome
 * is still awaited.
 */
function settlePending(carrying: Carrying): boolean {
  const { ctx } = carrying;
  let settled = true;
  carrying.run.steps.forEach((step, index) => {
    if (step.status !== "pending") return;
    const known = lookupOutcome(ctx, carrying.run, stepId(carrying.run, index));
    if (known === "wait") settled = false;
    else if (known === undefined)
      change(carrying, index, { status: "skipped", detail: "the alert ended before it was carried out" });
    else change(carrying, index, stepResult(known, ctx.ports.clock.now()));
  });
  if (settled) settleRun(ctx.present().state, carrying.run, ctx.ports.clock.now());
  return settled;
}

/** One whose answer was lost for good is made again: to take back twice does no harm, to leave it might. */
function undone(step: RunStep, outcome: Outcome): Partial<RunStep> {
  if (outcome.status === "applied") return { status: "undone", detail: outcome.detail };
  const undoAttempts = step.undoAttempts + 1;
  if (undoAttempts < MAX_UNDO_ATTEMPTS) return { undoAttempts };
  return { status: "kept", undoAttempts, detail: `could not be taken back: ${outcome.detail}` };
}

/** What the journal knows of an intent: its outcome, "wait" while it is open, undefined when it was never written. */
function lookupOutcome({ ports }: ActContext, run: Run, id: string): Outcome | "wait" | undefined {
  if (run.mode === "shadow") return undefined;
  let entry: JournalEntry | undefined;
  try {
    entry = ports.store.entry(id);
  } catch (error) {
    const fields = { run: planKey(run, run.asker), error: errorMessage(error) };
    ports.reporter.notice("journal unavailable", fields);
    return "wait";
  }
  return entry === undefined ? undefined : (entry.outcome ?? "wait");
}

function stepResult(outcome: Outcome, at: Instant): Partial<RunStep> {
  const { status } = outcome;
  const good = status === "applied" || status === "partial" || status === "unknown";
  return { status: good ? "done" : "failed", outcome: status, detail: `${status}: ${outcome.detail}`, at };
}

function withStep(run: Run, index: number, next: Partial<RunStep>): Run {
  return { ...run, steps: run.steps.map((step, i) => (i === index ? { ...step, ...next } : step)) };
}

function change(carrying: Carrying, index: number, next: Partial<RunStep>): void {
  update(carrying, withStep(carrying.run, index, next));
}

function update(carrying: Carrying, run: Run): void {
  carrying.run = run;
  keepRun(carrying.ctx.present().state, carrying.ctx.ports, run);
}
