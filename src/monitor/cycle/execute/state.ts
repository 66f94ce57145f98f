import type { TargetMemory } from "../../guards/guard.ts";
import { askerOf, concerned, type InstanceOutcome, type Intent, isUndo } from "../../kernel/action.ts";
import { resumeMono } from "../../kernel/cooldown.ts";
import type { Persisted, StoredDocument } from "../../kernel/store.ts";
import { errorMessage } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import { planKey } from "../../playbooks/playbook.ts";
import { readRun } from "../../playbooks/read.ts";
import { type Run, resumeRun } from "../../playbooks/run.ts";
import type { LoopState, TargetState } from "../state.ts";
import type { LoopPorts } from "../types.ts";

/** What is remembered of a target, or of whatever else is called; made on first use. */
export function getOrCreateTargetState({ actions }: LoopState, name: string): TargetState {
  const before = actions.targets.get(name);
  if (before !== undefined) return before;
  const fresh: TargetState = {
    lastActionMonoMs: actions.lostMonoMs,
    lastShadowMonoMs: undefined,
    unresolved: [],
    awaited: new Set(),
    applied: new Map(),
  };
  actions.targets.set(name, fresh);
  return fresh;
}

/** The same as the guards look at it. */
export function targetMemory(state: LoopState, name: string): TargetMemory {
  const known = state.actions.targets.get(name);
  return {
    lastActionMonoMs: known === undefined ? state.actions.lostMonoMs : known.lastActionMonoMs,
    lastShadowMonoMs: known?.lastShadowMonoMs,
    unresolved: known !== undefined && (known.unresolved.length > 0 || known.awaited.size > 0),
  };
}

/** Every target that an action concerns was acted on now: its cooldown counts from here. Taking back starts none. */
export function markActed(state: LoopState, intent: Intent, at: Instant, mode: "auto" | "shadow"): void {
  if (isUndo(intent)) return;
  for (const name of concerned(intent)) {
    const memory = getOrCreateTargetState(state, name);
    if (mode === "auto") memory.lastActionMonoMs = at.monoMs;
    else memory.lastShadowMonoMs = at.monoMs;
  }
}

/** The outcome of this intent is not known, or cannot be written down: it is asked for in later cycles. */
export function keepOpen(state: LoopState, intent: Intent, applied?: readonly InstanceOutcome[]): void {
  const memory = getOrCreateTargetState(state, intent.target);
  if (!memory.unresolved.some((open) => open.id === intent.id))
    memory.unresolved = [...memory.unresolved, intent];
  if (askerOf(intent) !== intent.target)
    getOrCreateTargetState(state, askerOf(intent)).awaited.add(intent.id);
  if (applied !== undefined) memory.applied.set(intent.id, applied);
}

/** Its terminal record is written. */
export function close(state: LoopState, intent: Intent): void {
  const memory = getOrCreateTargetState(state, intent.target);
  memory.unresolved = memory.unresolved.filter((open) => open.id !== intent.id);
  memory.applied.delete(intent.id);
  getOrCreateTargetState(state, askerOf(intent)).awaited.delete(intent.id);
}

export function openIntents({ actions }: LoopState): Intent[] {
  const open: Intent[] = [];
  for (const { unresolved } of actions.targets.values()) open.push(...unresolved);
  return open;
}

/** The newest run of its plan is this one, as it is now. False when the disk does not take it; it is tried again each cycle. */
export function keepRun(state: LoopState, ports: LoopPorts, run: Run): boolean {
  const key = planKey(run, run.asker);
  state.actions.runs.set(key, run);
  if (run.mode === "shadow") return true;
  state.actions.unsaved.add(key);
  return saveRuns(state, ports, [key]);
}

/** Changed without anything that waits for it: written with the others at the end of the cycle. */
export function replaceRun(state: LoopState, run: Run): void {
  const key = planKey(run, run.asker);
  state.actions.runs.set(key, run);
  if (run.mode === "auto") state.actions.unsaved.add(key);
}

/** Writes down runs that changed. */
export function saveRuns(
  { actions }: LoopState,
  ports: LoopPorts,
  keys: readonly string[] = [...actions.unsaved],
): boolean {
  const changed = keys.flatMap((key): StoredDocument[] => {
    const body = actions.runs.get(key);
    return body === undefined || body.mode === "shadow" ? [] : [{ kind: "run", key, body }];
  });
  if (changed.length === 0) return true;
  try {
    ports.store.saveDocuments(changed);
  } catch (error) {
    ports.reporter.notice("journal unavailable", { run: keys.join(", "), error: errorMessage(error) });
    return false;
  }
  for (const key of keys) actions.unsaved.delete(key);
  return true;
}

/**
 * Takes over what the store kept of earlier runs. Lost state counts as an action just made on every target.
 * @returns when each target's last action was over, at the latest, monotonic milliseconds.
 */
export function resumeActions(
  state: LoopState,
  persisted: Persisted,
  { now, bootId }: { readonly now: Instant; readonly bootId: string },
): ReadonlyMap<string, number> {
  const { actions, settings } = state;
  const settled = new Map<string, number>();
  for (const action of persisted.lastActions) {
    // Also where the target is not configured now: a later reload may bring it back.
    const at = resumeMono(action, now, bootId);
    getOrCreateTargetState(state, action.target).lastActionMonoMs = at;
    // When its call took effect is not known, only that it was over by the action's deadline.
    settled.set(action.target, Math.min(now.monoMs, at + settings.actDeadlineMs));
  }
  if (persisted.quarantined !== undefined) {
    actions.lostMonoMs = now.monoMs;
    for (const [name, target] of actions.targets) {
      target.lastActionMonoMs = now.monoMs;
      settled.set(name, now.monoMs);
    }
  }
  for (const { kind, body } of persisted.documents) {
    const run = kind === "run" ? readRun(body) : undefined;
    if (run === undefined) continue;
    // Runs of an earlier boot are saved anew, on this boot's clock.
    const resumed = resumeRun(run, now, bootId);
    actions.runs.set(planKey(run, run.asker), resumed);
    if (resumed !== run) actions.unsaved.add(planKey(run, run.asker));
  }
  for (const intent of persisted.openIntents) keepOpen(state, intent);
  return settled;
}
