import type { Intent } from "../domain/action.ts";
import type { Persisted, SeriesState } from "../domain/store.ts";
import { type Series, seriesKey, type Target } from "../domain/target.ts";
import type { Instant } from "../domain/time.ts";
import { createLinearBank, type LinearBank, pushLinear } from "../forecast/linear/linear.ts";
import { resumeMono } from "../policy/cooldown.ts";
import { FRESH_LINEAR_MEMORY, type LinearMemory } from "../policy/linear.ts";
import type { LoopSettings } from "./types.ts";

/** What the loop remembers of a target. */
export interface TargetState {
  /** Monotonic time of the last action, counted from its intent. */
  lastActionMonoMs: number | undefined;
  /** The same for actions that shadow mode only imagined. */
  lastShadowMonoMs: number | undefined;
  /** Samples that speak of a time before this are from before the last action. */
  settledMonoMs: number;
  /** An intent whose outcome is not known. */
  unresolved: Intent | undefined;
}

/** What the loop remembers of a series, beside the banks. */
export interface SeriesRow {
  readonly key: string;
  linear: LinearMemory;
  /** Monotonic time of the newest sample taken; -Infinity before the first. */
  lastSampleMonoMs: number;
  /** As last saved, to save only what changed. */
  saved: LinearMemory;
}

/** The plan and everything remembered along it. */
export interface LoopState {
  readonly settings: LoopSettings;
  readonly plan: readonly Series[];
  readonly rows: readonly SeriesRow[];
  readonly targets: ReadonlyMap<string, TargetState>;
  /** The configured targets by name. */
  readonly configured: ReadonlyMap<string, Target>;
  readonly bank: LinearBank;
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
  const bank = createLinearBank({ size: plan.length, window: settings.linearWindow });
  const old = new Map(before?.rows.map((row, i) => [row.key, { row, i }]));
  const rows = plan.map((series, i): SeriesRow => {
    const key = seriesKey(series.target.name, series.signal.name);
    const known = old.get(key);
    if (known === undefined || before === undefined)
      return {
        key,
        linear: FRESH_LINEAR_MEMORY,
        lastSampleMonoMs: Number.NEGATIVE_INFINITY,
        saved: FRESH_LINEAR_MEMORY,
      };
    copySamples(before.bank, known.i, bank, i);
    return known.row;
  });
  const targets = new Map(
    settings.targets.map((t) => [t.name, before?.targets.get(t.name) ?? freshTarget()] as const),
  );
  const configured = new Map(settings.targets.map((t) => [t.name, t] as const));
  return { settings, plan, rows, targets, configured, bank };
}

function freshTarget(): TargetState {
  return {
    lastActionMonoMs: undefined,
    lastShadowMonoMs: undefined,
    settledMonoMs: Number.NEGATIVE_INFINITY,
    unresolved: undefined,
  };
}

function copySamples(from: LinearBank, i: number, to: LinearBank, k: number): void {
  const count = from.count[i] as number;
  const oldest = ((from.head[i] as number) - count + from.window) % from.window;
  for (let n = 0; n < count; n++) {
    const at = i * from.window + ((oldest + n) % from.window);
    pushLinear(to, k, from.time[at] as number, from.value[at] as number);
  }
}

/** Takes over what the store kept of earlier runs. Lost state counts as an action just made on every target. */
export function resume(state: LoopState, persisted: Persisted, now: Instant, bootId: string): void {
  const saved = new Map(persisted.series.map((s) => [s.key, s]));
  for (const row of state.rows) {
    const s = saved.get(row.key);
    if (s === undefined) continue;
    row.linear = { inRisk: s.inRisk, pending: s.pending.linear ?? 0 };
    row.saved = row.linear;
  }
  for (const action of persisted.lastActions) {
    const target = state.targets.get(action.target);
    if (target === undefined) continue;
    target.lastActionMonoMs = resumeMono(action, now, bootId);
    target.settledMonoMs = target.lastActionMonoMs;
  }
  if (persisted.quarantined !== undefined)
    for (const target of state.targets.values()) target.lastActionMonoMs = now.monoMs;
  for (const intent of persisted.openIntents) {
    const target = state.targets.get(intent.target);
    if (target !== undefined) target.unresolved = intent;
  }
}

/** The rows that differ from what is saved, as the store keeps them. */
export function changedRows(state: LoopState): { rows: SeriesRow[]; states: SeriesState[] } {
  const rows = state.rows.filter((r) => r.linear !== r.saved);
  const states = rows.map((r) => ({
    key: r.key,
    inRisk: r.linear.inRisk,
    pending: { linear: r.linear.pending },
  }));
  return { rows, states };
}
