import { EMPTY_INBOX, type Inbox } from "../alerts/index.ts";
import type { GuardState } from "../guards/guard.ts";
import { freshGuards } from "../guards/index.ts";
import type { InstanceOutcome, Intent } from "../kernel/action.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import { type Series, seriesKey, type Target } from "../kernel/target.ts";
import type { Instant } from "../kernel/time.ts";
import { mitigationOf, type Plan } from "../playbooks/playbook.ts";
import type { RegionHistory } from "../playbooks/regions/index.ts";
import type { Run } from "../playbooks/run.ts";
import { freshVerification } from "../verify/index.ts";
import type { VerificationState } from "../verify/types.ts";
import {
  carryPredictors,
  createPredictors,
  FRESH_MEMORY,
  type PredictorMemory,
  type Predictors,
} from "./predictors.ts";
import type { LoopSettings } from "./types.ts";

/** What is remembered of a series, beside the predictors' own. */
export interface SeriesRow {
  readonly key: string;
  memory: PredictorMemory;
  /** Monotonic time of the newest sample taken; -Infinity before the first. */
  lastSampleMonoMs: number;
  /** Rate window behind the newest sample, milliseconds, where it is not the configured one. */
  windowMs?: number | undefined;
  /** As last saved, to save only what changed. */
  saved: PredictorMemory["linear"];
}

/** Written by the forecast stage only. */
interface ForecastState {
  readonly predictors: Predictors;
  readonly rows: readonly SeriesRow[];
  /** By target: samples that speak of a time before this, monotonic, are from before the last action. */
  readonly settledMonoMs: Map<string, number>;
}

/** A person's wish that a playbook, or the mitigation of a target, is carried out now. */
export interface Request {
  readonly id: string;
  readonly target: string;
  /** Absent: the mitigation. */
  readonly playbook?: string;
  readonly by: string;
  readonly reason: string;
  readonly at: Instant;
}

/** What asks for actions beside the forecasts. Written by the propose stage only. */
export interface ProposeState {
  /** Every alert that was ingested. */
  inbox: Inbox;
  requests: readonly Request[];
}

/** The guards' memory, and what of it is on disk. Written by the admit stage only. */
interface AdmitState {
  guards: GuardState;
  saved: { readonly body: GuardState | undefined; readonly text: string };
}

/** What is remembered of a target, or of whatever else is called. */
export interface TargetState {
  /** Monotonic time of the last action, counted from its intent. */
  lastActionMonoMs: number | undefined;
  /** The same for actions that shadow mode only imagined. */
  lastShadowMonoMs: number | undefined;
  /** Intents on it whose outcome is not known, oldest first. */
  unresolved: readonly Intent[];
  /** Ids of such intents that it asked for and that call something else. */
  readonly awaited: Set<string>;
  /** Instances that said of such an intent that it took effect, by intent: what they say later takes nothing back. */
  readonly applied: Map<string, readonly InstanceOutcome[]>;
}

/** Runs, and what was done to whom. Written by the execute stage only. */
export interface ActionState {
  /** Every target known of in this life: a cooldown outlasts a reload that drops its target. */
  readonly targets: Map<string, TargetState>;
  /** Earlier state was lost at this monotonic time: every target then counts as just acted on. */
  lostMonoMs: number | undefined;
  /** The newest run of each plan, by `planKey`. */
  readonly runs: Map<string, Run>;
  /** Runs that are not on disk as they are here. */
  readonly unsaved: Set<string>;
}

/** What is remembered of actions and what they came to. Written by the verify stage only. */
interface VerifyState {
  state: VerificationState;
  /** As last saved: the state, and its text, which is the same also where the state was made anew. */
  saved: { readonly state: VerificationState | undefined; readonly text: string };
}

/** The plan and everything remembered along it. */
export interface LoopState {
  readonly settings: LoopSettings;
  readonly plan: readonly Series[];
  /** The configured targets by name. */
  readonly configured: ReadonlyMap<string, Target>;
  /** The targets whose parts some playbook compares. */
  readonly partitionedTargets: readonly Target[];
  /** The past of those parts. Written by the observe stage only. */
  readonly regions: Map<string, RegionHistory>;
  readonly forecast: ForecastState;
  readonly propose: ProposeState;
  readonly admit: AdmitState;
  readonly actions: ActionState;
  readonly verify: VerifyState;
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
  const compared = new Set(settings.playbooks.map((p) => p.regionsOf));
  return {
    settings,
    plan,
    configured: new Map(settings.targets.map((t) => [t.name, t] as const)),
    partitionedTargets: settings.targets.filter((t) => t.parts !== undefined && compared.has(t.name)),
    regions: before?.regions ?? new Map(),
    forecast: forecastState(plan, settings, before?.forecast),
    propose: before?.propose ?? { inbox: EMPTY_INBOX, requests: [] },
    admit: before?.admit ?? { guards: freshGuards(""), saved: { body: undefined, text: "" } },
    actions: before?.actions ?? {
      targets: new Map(),
      lostMonoMs: undefined,
      runs: new Map(),
      unsaved: new Set(),
    },
    verify: before?.verify ?? { state: freshVerification(""), saved: { state: undefined, text: "" } },
  };
}

function forecastState(
  plan: readonly Series[],
  settings: LoopSettings,
  before: ForecastState | undefined,
): ForecastState {
  const predictors = createPredictors(plan, settings);
  const old = new Map(before?.rows.map((row, i) => [row.key, { row, i }]));
  const rows = plan.map(({ target, signal }): SeriesRow => {
    const key = seriesKey(target.name, signal.name);
    const fresh = { key, memory: FRESH_MEMORY, lastSampleMonoMs: Number.NEGATIVE_INFINITY };
    return old.get(key)?.row ?? { ...fresh, saved: FRESH_MEMORY.linear };
  });
  if (before !== undefined)
    carryPredictors(
      before.predictors,
      predictors,
      rows.map((row) => old.get(row.key)?.i ?? -1),
    );
  return { predictors, rows, settledMonoMs: before?.settledMonoMs ?? new Map() };
}

/** What actions are carried out on, by name: a target, or what a playbook names, also one whose run is not over yet. */
export function actionTargetOf(state: LoopState, name: string): ActionTarget | undefined {
  const target = state.configured.get(name);
  if (target !== undefined) return target;
  const { playbooks, targets } = state.settings;
  const plans: readonly Pick<Plan, "steps">[] = [
    ...playbooks,
    ...targets.flatMap((t) => mitigationOf(t) ?? []),
  ];
  const steps = plans.flatMap((p) => p.steps as readonly { readonly on: ActionTarget }[]);
  for (const run of state.actions.runs.values()) if (run.playbook !== undefined) steps.push(...run.steps);
  return steps.find((step) => step.on.name === name)?.on;
}

/** Whether what would be done is only imagined: for the one that asks, or for what would be called. */
export function isShadow(settings: LoopSettings, on: readonly Pick<ActionTarget, "autoHeal">[]): boolean {
  return !settings.autoHeal || on.some(({ autoHeal }) => !autoHeal);
}
