import type { InstanceOutcome, Intent } from "../kernel/action.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import { resumeMono } from "../kernel/cooldown.ts";
import type { Persisted, SeriesState } from "../kernel/store.ts";
import { type Series, seriesKey, type Target } from "../kernel/target.ts";
import type { Instant } from "../kernel/time.ts";
import { type Containment, createContainment, resumeContainment } from "./containment/state.ts";
import { type Brakes, createBrakes } from "./guards/state.ts";
import { createHealing, type Healing } from "./healing/state.ts";
import {
  carryPredictors,
  createPredictors,
  FRESH_MEMORY,
  type PredictorMemory,
  type Predictors,
} from "./predictors.ts";
import type { LoopSettings } from "./types.ts";

/** What the loop remembers of a target. */
export interface TargetState {
  /** Monotonic time of the last action, counted from its intent. */
  lastActionMonoMs: number | undefined;
  /** The same for actions that shadow mode only imagined. */
  lastShadowMonoMs: number | undefined;
  /** Samples that speak of a time before this are from before the last action. */
  settledMonoMs: number;
  /** Intents whose outcome is not known, oldest first. */
  unresolved: readonly Intent[];
  /** Instances that have told of such an intent that it took effect, by intent: what they say later takes nothing back. */
  readonly applied: Map<string, readonly InstanceOutcome[]>;
}

/** What the loop remembers of a series, beside the banks. */
export interface SeriesRow {
  readonly key: string;
  memory: PredictorMemory;
  /** Monotonic time of the newest sample taken; -Infinity before the first. */
  lastSampleMonoMs: number;
  /** As last saved, to save only what changed. */
  saved: PredictorMemory["linear"];
}

/** The plan and everything remembered along it. */
export interface LoopState {
  readonly settings: LoopSettings;
  readonly plan: readonly Series[];
  /** The targets whose parts some playbook compares. */
  readonly partitionedTargets: readonly Target[];
  readonly rows: readonly SeriesRow[];
  readonly targets: ReadonlyMap<string, TargetState>;
  /** Those and every other target known of in this run: a cooldown outlasts a reload that drops its target. */
  readonly known: Map<string, TargetState>;
  /** Earlier state was lost at this monotonic time: every target then counts as just acted on. */
  lostMonoMs: number | undefined;
  /** The configured targets by name. */
  readonly configured: ReadonlyMap<string, Target>;
  readonly containment: Containment;
  readonly brakes: Brakes;
  readonly healing: Healing;
  readonly predictors: Predictors;
}

/** Every enabled signal of every target, in the order of the configuration. */
export function makePlan(targets: readonly Target[]): Series[] {
  return targets
    .flatMap((target) => target.signals.map((signal) => ({ target, signal })))
    .map((s, index) => ({ index, ...s }));
}

/** State for `settings`, taking over what `before` knows of the same targets and series. */
export function makeState(settings: LoopSettings, before?: LoopState): LoopState {
  const plan = makePlan(settings.targets);
  const predictors = createPredictors(plan, settings);
  const old = new Map(before?.rows.map((row, i) => [row.key, { row, i }]));
  const rows = plan.map((series): SeriesRow => {
    const key = seriesKey(series.target.name, series.signal.name);
    const known = old.get(key);
    if (known === undefined || before === undefined)
      return {
        key,
        memory: FRESH_MEMORY,
        lastSampleMonoMs: Number.NEGATIVE_INFINITY,
        saved: FRESH_MEMORY.linear,
      };
    return known.row;
  });
  if (before !== undefined)
    carryPredictors(
      before.predictors,
      predictors,
      rows.map((row) => old.get(row.key)?.i ?? -1),
    );
  const configured = new Map(settings.targets.map((t) => [t.name, t] as const));
  const known = before?.known ?? new Map<string, TargetState>();
  const lostMonoMs = before?.lostMonoMs;
  const targets = new Map(
    settings.targets.map((t) => [t.name, getOrCreateTargetState({ known, lostMonoMs }, t.name)] as const),
  );
  const containment = before?.containment ?? createContainment();
  const brakes = before?.brakes ?? createBrakes();
  const healing = before?.healing ?? createHealing();
  const compared = new Set(settings.playbooks.map((p) => p.regionsOf));
  return {
    settings,
    plan,
    partitionedTargets: settings.targets.filter((t) => t.parts !== undefined && compared.has(t.name)),
    rows,
    targets,
    known,
    lostMonoMs,
    configured,
    containment,
    brakes,
    healing,
    predictors,
  };
}

/** What actions are carried out on, by name: a target, or what a playbook names, also one whose run is not over yet. */
export function actionTargetOf(state: LoopState, name: string): ActionTarget | undefined {
  const target = state.configured.get(name);
  if (target !== undefined) return target;
  const steps = state.settings.playbooks.flatMap((p) => p.steps as readonly { readonly on: ActionTarget }[]);
  for (const run of state.containment.runs.values()) steps.push(...run.steps);
  return steps.find((step) => step.on.name === name)?.on;
}

/** What is remembered of a target, or of whatever else a playbook acts on. */
export function getOrCreateTargetState(
  of: Pick<LoopState, "known" | "lostMonoMs">,
  name: string,
): TargetState {
  const before = of.known.get(name);
  if (before !== undefined) return before;
  const fresh: TargetState = {
    lastActionMonoMs: of.lostMonoMs,
    lastShadowMonoMs: undefined,
    settledMonoMs: of.lostMonoMs ?? Number.NEGATIVE_INFINITY,
    unresolved: [],
    applied: new Map(),
  };
  of.known.set(name, fresh);
  return fresh;
}

/** Takes over what the store kept of earlier runs. Lost state counts as an action just made on every target. */
export function resume(state: LoopState, persisted: Persisted, now: Instant, bootId: string): void {
  const saved = new Map(persisted.series.map((s) => [s.key, s]));
  for (const row of state.rows) {
    const s = saved.get(row.key);
    if (s === undefined) continue;
    row.memory = { ...row.memory, linear: { inRisk: s.inRisk, pending: s.pending.linear ?? 0 } };
    row.saved = row.memory.linear;
  }
  for (const action of persisted.lastActions) {
    // Also where the target is not configured now: a later reload may bring it back.
    const target = getOrCreateTargetState(state, action.target);
    target.lastActionMonoMs = resumeMono(action, now, bootId);
    // When its call took effect is not known, only that it was over by the action's deadline.
    target.settledMonoMs = Math.min(now.monoMs, target.lastActionMonoMs + state.settings.actDeadlineMs);
  }
  if (persisted.quarantined !== undefined) {
    state.lostMonoMs = now.monoMs;
    for (const target of state.known.values()) {
      target.lastActionMonoMs = now.monoMs;
      target.settledMonoMs = now.monoMs;
    }
  }
  resumeContainment(state.containment, persisted.documents, { now, bootId });
  for (const intent of persisted.openIntents) {
    const target = getOrCreateTargetState(state, intent.target);
    target.unresolved = [...target.unresolved, intent];
  }
}

/** The rows that differ from what is saved, as the store keeps them. */
export function changedRows(state: LoopState): { rows: SeriesRow[]; states: SeriesState[] } {
  const rows = state.rows.filter((r) => r.memory.linear !== r.saved);
  const states = rows.map((r) => ({
    key: r.key,
    inRisk: r.memory.linear.inRisk,
    pending: { linear: r.memory.linear.pending },
  }));
  return { rows, states };
}
