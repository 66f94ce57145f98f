import type { Outcome } from "../../kernel/action.ts";
import type { JournalEntry } from "../../kernel/store.ts";
import { errorMessage } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
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
import { type ActContext, type Draft, isShadow, type Performed, perform } from "../act.ts";
import { watchRun } from "../healing/runs.ts";
import type { ActionRecord } from "../types.ts";

export interface CarryInput {
  run: Run;
  readonly now: Instant;
  readonly value: (target: string, signal: string) => number | undefined;
  readonly ctx: ActContext;
  /** Told each action as it is made. */
  readonly record: (record: ActionRecord) => void;
}

/** A step that `undoable` found. */
type Undoable = RunStep & { readonly undo: NonNullable<RunStep["undo"]> };

/** What a step asks for, or its taking back. */
type Called = Draft & { readonly parameters: Readonly<Record<string, string>> };

/** Times that taking a step back is tried before it is left to end by itself. */
const MAX_UNDO_TRIES = 10;

/** Carries a run on as far as it goes in this cycle: its next steps in order, or the taking back of what it did. */
export async function carryRun(given: Omit<CarryInput, never>): Promise<void> {
  const input = { ...given };
  if (input.run.status === "undoing") await rollback(input);
  else await carrySteps(input);
}

/** Steps in order. One whose outcome is not known yet, or that cannot be journalled, makes the run wait. */
async function carrySteps(input: CarryInput): Promise<void> {
  const { ctx } = input;
  // The run is on disk before its first step: what was started is known after a crash.
  if (input.run.mode === "auto" && !save(input)) return;
  for (let index = 0; index < input.run.steps.length; index += 1) {
    const step = input.run.steps[index] as RunStep;
    if (step.status !== "pending") continue;
    const known = adopt(input, stepId(input.run, index));
    if (known === "wait") return;
    if (known !== undefined) {
      change(input, index, stepResult(known, ctx.ports.clock.now()));
      continue;
    }
    if (ctx.present().stopping) return;
    if (keptBack(input)) return;
    const next = await carryStep(input, index);
    if (next === undefined) return;
    change(input, index, next);
  }
  update(input, { ...input.run, status: "done" });
  if (input.run.mode === "auto") watchRun(input.run, ctx);
}

/** It was started in an earlier cycle, and what is decided on it now could not be: see `expireUnstartedRuns`. */
function keptBack({ run, now }: CarryInput): boolean {
  return untouched(run) && run.startedAt.monoMs !== now.monoMs;
}

/** What one step came to; undefined while that is not known. */
async function carryStep(input: CarryInput, index: number): Promise<Partial<RunStep> | undefined> {
  const { run, ctx } = input;
  const playbook = ctx.state.settings.playbooks.find((p) => p.name === run.playbook);
  const step = playbook?.steps[index];
  if (step === undefined || step.kind !== run.steps[index]?.kind)
    return { status: "skipped", detail: "the playbook has changed since it was started" };
  const why = unmet(step, { region: run.region, regionWhy: run.regionWhy, value: input.value });
  const parameters = callOf(step.parameters, run.region);
  if (why !== undefined) return { status: "skipped", detail: why };
  if (parameters === undefined)
    return {
      status: "skipped",
      detail: `no region stands out: ${run.regionWhy ?? "not known"}`,
    };
  const done = await order(input, index, {
    ...evidenceOf(run),
    id: stepId(run, index),
    kind: step.kind,
    target: step.on.name,
    parameters,
    origin: { playbook: run.playbook, run: run.id, step: index, ...alertOf(run) },
  });
  if ("blocked" in done) return undefined;
  const at = ctx.ports.clock.now();
  if (done.mode === "shadow") return { status: "shadow", detail: "shadow mode: not called", at };
  return done.outcome === undefined ? undefined : stepResult(done.outcome, at);
}

/** Takes back what can be, the last step first. */
async function rollback(input: CarryInput): Promise<void> {
  const { ctx } = input;
  const pending = input.run.steps.findIndex((s) => s.status === "pending");
  if (pending >= 0 && !settlePending(input)) return;
  for (const index of undoable(input.run, input.now, ctx.ports.clock.bootId)) {
    const step = input.run.steps[index] as Undoable;
    // AUTO_HEAL=0 means that nothing is called: it ends by itself.
    if (isShadow(step.on, ctx.state.settings)) continue;
    const id = undoId(input.run, index, step.undoAttempts);
    let known = adopt(input, id);
    if (known === "wait") continue;
    if (known === undefined) {
      if (ctx.present().stopping) return;
      const parameters = callOf(step.undo.parameters, input.run.region);
      if (parameters === undefined) {
        const detail = "not taken back: which region it was for is not known";
        change(input, index, { status: "kept", detail });
        continue;
      }
      known = await undo(input, index, { id, kind: step.undo.kind, parameters });
      if (known === undefined) continue;
    }
    change(input, index, undone(step, known));
  }
  const left = undoable(input.run, input.now, ctx.ports.clock.bootId);
  if (left.every((index) => isShadow((input.run.steps[index] as RunStep).on, ctx.state.settings)))
    update(input, { ...input.run, status: "ended" });
}

/** Steps that were not carried out before the alert ended stay so. False while an outcome is still awaited. */
function settlePending(input: CarryInput): boolean {
  let settled = true;
  input.run.steps.forEach((step, index) => {
    if (step.status !== "pending") return;
    const known = adopt(input, stepId(input.run, index));
    if (known === "wait") settled = false;
    else if (known === undefined)
      change(input, index, { status: "skipped", detail: "the alert ended before it was carried out" });
    else change(input, index, stepResult(known, input.ctx.ports.clock.now()));
  });
  return settled;
}

async function undo(
  input: CarryInput,
  index: number,
  call: Pick<Called, "id" | "kind" | "parameters">,
): Promise<Outcome | undefined> {
  const { run } = input;
  const step = run.steps[index] as RunStep;
  const done = await order(input, index, {
    ...call,
    target: step.on.name,
    signal: run.signal,
    trigger: "undo",
    predictor: run.predictor,
    origin: {
      playbook: run.playbook,
      run: run.id,
      step: index,
      ...alertOf(run),
      undoes: stepId(run, index),
    },
  });
  return "blocked" in done ? undefined : done.outcome;
}

/** A try whose answer was lost for good is made again: to take back twice does no harm, to leave it might. */
function undone(step: RunStep, outcome: Outcome): Partial<RunStep> {
  if (outcome.status === "applied") return { status: "undone", detail: outcome.detail };
  const undoAttempts = step.undoAttempts + 1;
  if (undoAttempts < MAX_UNDO_TRIES) return { undoAttempts };
  return { status: "kept", undoAttempts, detail: `could not be taken back: ${outcome.detail}` };
}

async function order(input: CarryInput, index: number, draft: Called): Promise<Performed> {
  const { ctx, run } = input;
  const { on } = run.steps[index] as RunStep;
  const now = ctx.ports.clock.now();
  const stillNeeded = () =>
    draft.trigger !== "alert" || !episodesOver(run, ctx.present().state.containment.inbox);
  const done = await perform({ draft, on, now, stillNeeded }, ctx);
  if (!("blocked" in done)) input.record({ ...done, detail: why(run, draft) });
  return done;
}

function why(run: Run, draft: Called): string {
  const doing = [draft.kind, ...Object.entries(draft.parameters).map(([k, v]) => `${k}=${v}`)].join(" ");
  const cause =
    draft.trigger === "undo"
      ? "every alert of it has ended"
      : run.cause === "alert"
        ? `${run.signal} fires`
        : `${run.signal} of ${run.target} is foreseen past its SLO (${run.cause})`;
  const region = run.regionWhy === undefined ? "" : `; region ${run.region ?? "none"}: ${run.regionWhy}`;
  return `playbook ${run.playbook}: ${doing}, because ${cause}${region}`;
}

function evidenceOf(run: Run) {
  const { signal, predictor, forecast, threshold, cause } = run;
  return {
    signal,
    predictor,
    trigger: cause,
    ...(forecast === undefined ? {} : { forecast }),
    ...(threshold === undefined ? {} : { threshold }),
  };
}

function alertOf(run: Run): { alert?: string } {
  const alert = run.episodes[0]?.fingerprint;
  return alert === undefined ? {} : { alert };
}

function undoId(run: Run, index: number, tries: number): string {
  return `${run.id}.${index}.undo${tries}`;
}

/** What the journal knows of an intent: its outcome, "wait" while it is open, undefined when it was never written. */
function adopt({ ctx, run }: CarryInput, id: string): Outcome | "wait" | undefined {
  if (run.mode === "shadow") return undefined;
  let entry: JournalEntry | undefined;
  try {
    entry = ctx.ports.store.entry(id);
  } catch (error) {
    ctx.ports.reporter.notice("journal unavailable", { playbook: run.playbook, error: errorMessage(error) });
    return "wait";
  }
  return entry === undefined ? undefined : (entry.outcome ?? "wait");
}

function stepResult(outcome: Outcome, at: Instant): Partial<RunStep> {
  const good = outcome.status === "applied" || outcome.status === "partial" || outcome.status === "unknown";
  return { status: good ? "done" : "failed", detail: `${outcome.status}: ${outcome.detail}`, at };
}

function change(input: CarryInput, index: number, next: Partial<RunStep>): void {
  const steps = input.run.steps.map((step, i) => (i === index ? { ...step, ...next } : step));
  update(input, { ...input.run, steps });
}

function update(input: CarryInput, run: Run): void {
  input.run = run;
  if (run.mode === "auto") save(input);
  else input.ctx.present().state.containment.runs.set(run.playbook, run);
}

/** False when the disk does not take it; it is tried again at the end of each cycle. */
function save({ run, ctx }: CarryInput): boolean {
  const { containment } = ctx.present().state;
  containment.runs.set(run.playbook, run);
  try {
    ctx.ports.store.saveDocuments([{ kind: "run", key: run.playbook, body: run }]);
    containment.unsaved.delete(run.playbook);
    return true;
  } catch (error) {
    containment.unsaved.add(run.playbook);
    ctx.ports.reporter.notice("journal unavailable", { playbook: run.playbook, error: errorMessage(error) });
    return false;
  }
}
