import type {
  ActionMark,
  Admission,
  Blocked,
  Facts,
  GuardReport,
  GuardState,
  Question,
} from "../guards/guard.ts";
import {
  admission,
  advanceGuards,
  applyCalendar,
  countStart,
  freshGuards,
  GUARD_NAMES,
  guardReport,
  lostGuards,
  resumeGuards,
  withActions,
} from "../guards/index.ts";
import { releaseBudget, spend } from "../guards/rate-cap/budget.ts";
import { readGuards } from "../guards/read.ts";
import { sameParts } from "../guards/same.ts";
import { askerOf, type Intent, isUndo } from "../kernel/action.ts";
import { resumeMono } from "../kernel/cooldown.ts";
import type { Decision } from "../kernel/decision.ts";
import type { JournalEntry, Persisted } from "../kernel/store.ts";
import type { Instant } from "../kernel/time.ts";
import type { PlaybookDecision } from "../playbooks/decide.ts";
import type { Run } from "../playbooks/run.ts";
import { observedTargets } from "./decide.ts";
import { targetMemory } from "./execute/state.ts";
import type { LoopState } from "./state.ts";
import type { LoopPorts, Verified } from "./types.ts";

/** Entries of the journal that are read for the budgets at a start: more than any window allows. */
export const JOURNAL_READ = 2000;

/** Everything that the guards are asked with. */
function factsOf(state: LoopState, now: Instant): Facts {
  return {
    state: state.admit.guards,
    settings: state.settings.guards,
    past: (target) => state.verify.state.targets[target],
    memory: (target) => targetMemory(state, target),
    now,
  };
}

/** Every guard asked about one step. */
export function ask({ state, ports }: Asking, question: Question, now: Instant): Admission {
  return (ports.admission ?? admission)(question, factsOf(state, now));
}

interface Asking {
  readonly state: LoopState;
  readonly ports: Pick<LoopPorts, "admission">;
}

/**
 * Stage 5: whether one step may be done, asked once, right before its intent is written. The first step of a run that is
 * let through takes the places of the whole run in the budgets.
 * @returns the guard that blocks it; undefined: it may be done.
 */
export function admit(asking: Asking, question: Question, now: Instant): Blocked | undefined {
  const { state } = asking;
  const { blocked } = ask(asking, question, now);
  if (blocked !== undefined || question.cause === "undo" || question.continues) return blocked;
  const { targetCap, fleetCap } = state.settings.guards;
  const mark: ActionMark = {
    run: question.run,
    asker: question.asker.name,
    targets: [...new Set(question.callees.map(({ name }) => name))],
    monoMs: now.monoMs,
    shadow: question.shadow,
  };
  const longestMs = Math.max(targetCap.windowMs, fleetCap.windowMs);
  state.admit.guards = spend(state.admit.guards, mark, longestMs);
  return undefined;
}

/** A run that never called anything: its places in the budgets are free again. */
export function releaseRun(state: LoopState, run: string): void {
  state.admit.guards = releaseBudget(state.admit.guards, run);
}

/** One cycle of what the guards remember, before anything is asked. */
export function advanceAdmission(state: LoopState, decisions: readonly Decision[], now: Instant): void {
  const targets = observedTargets(state, decisions);
  state.admit.guards = advanceGuards(state.admit.guards, { targets, settings: state.settings.guards, now });
}

/** What a person said, in force at once. */
export function changeGuards(
  state: LoopState,
  change: (guards: GuardState) => GuardState,
  now: Instant,
): void {
  state.admit.guards = applyCalendar(change(state.admit.guards), state.settings.guards, now);
}

/** Takes over what earlier runs left, and counts this start. */
export function resumeAdmission(
  state: LoopState,
  from: { readonly persisted: Persisted; readonly journal: readonly JournalEntry[] },
  { now, bootId }: { readonly now: Instant; readonly bootId: string },
): void {
  const { documents, quarantined } = from.persisted;
  const body = documents.find(({ kind, key }) => kind === "guard" && key === "state")?.body;
  // What is there beside the news of a loss was written after it.
  const lost = body === undefined && quarantined !== undefined;
  const read = body === undefined ? { state: freshGuards(bootId) } : readGuards(body);
  const known =
    "problem" in read || lost
      ? lostGuards(bootId, now)
      : resumeGuards(read.state, { settings: state.settings.guards, now, bootId });
  const marks = marksOf(from.journal, state.actions.runs.values(), { now, bootId });
  // With the calendar: what an earlier life left open may be called before the first cycle.
  changeGuards(state, () => countStart(withActions(known, marks), now), now);
}

/** The journal's intents as the budgets count them: a run once, an undo not at all. */
function marksOf(
  journal: readonly JournalEntry[],
  runs: Iterable<Run>,
  { now, bootId }: { readonly now: Instant; readonly bootId: string },
): ActionMark[] {
  const marks = new Map<string, ActionMark>();
  const add = (run: string, asker: string, target: string, monoMs: number) => {
    const known = marks.get(run) ?? { run, asker, targets: [], monoMs, shadow: false };
    const targets = known.targets.includes(target) ? known.targets : [...known.targets, target];
    marks.set(run, { ...known, targets });
  };
  for (const { intent } of [...journal].reverse())
    if (!isUndo(intent)) add(runOf(intent), askerOf(intent), intent.target, resumeMono(intent, now, bootId));
  // Runs that go on, whose places are taken although nothing may be in the journal yet.
  for (const { id, asker, status, mode, steps } of runs)
    if (status === "running" && mode === "auto")
      for (const { on } of steps) add(id, asker, on.name, now.monoMs);
  return [...marks.values()];
}

/** Intents that an earlier version wrote for a mitigation name no run. */
const runOf = ({ id, origin }: Intent) => origin?.run ?? id;

/** In place of what need not outlive a restart: actions are in the journal; what was seen is seen again. */
const PASSING = { actions: [], seen: {}, data: { targets: {} }, calendar: [] } as const;
const UNCOUNTED = { turnedCount: 0, unwellCount: 0, total: 0 };

/** What must outlive a restart. @internal for its tests */
export function lasting(guards: GuardState): GuardState {
  return { ...guards, ...PASSING, storm: { ...guards.storm, ...UNCOUNTED } };
}

/** Whether two of those are the same, told by their parts: what has not changed stays the same object. @internal for its tests */
export function lastsTheSame(a: GuardState, b: GuardState): boolean {
  return sameParts(a.storm, b.storm) && sameParts({ ...a, storm: b.storm }, b);
}

/** Writes down what changed of what must last. @throws StoreError */
export function saveAdmission({ admit: kept }: LoopState, { store }: LoopPorts): void {
  const body = lasting(kept.guards);
  if (kept.saved.body !== undefined && lastsTheSame(kept.saved.body, body)) return;
  const text = JSON.stringify(body);
  if (text !== kept.saved.text) store.saveDocuments([{ kind: "guard", key: "state", body }]);
  kept.saved = { body, text };
}

const NAMES: ReadonlySet<string> = new Set(GUARD_NAMES);

/** What the guards did in this cycle. */
export function reportGuards(input: {
  readonly state: LoopState;
  readonly decisions: readonly Decision[];
  readonly playbooks: readonly PlaybookDecision[];
  readonly verified: readonly Verified[];
  readonly now: Instant;
}): GuardReport {
  const { state, now } = input;
  const blocked = [
    ...input.decisions.map(({ reason, target, signal }) => ({ guard: reason, target, signal })),
    ...input.playbooks.map((p) => ({ guard: p.reason, target: p.blockedBy ?? "", signal: p.playbook })),
  ].filter(({ guard }) => NAMES.has(guard));
  return {
    ...guardReport(state.settings.targets, { ...factsOf(state, now), shadow: !state.settings.autoHeal }),
    blocked,
    verifications: input.verified.map(({ target, outcome }) => ({ target, outcome })),
  };
}
