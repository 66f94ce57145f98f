import { matches, standing } from "../../alerts/index.ts";
import type { ActionTarget, AlertMatcher, AlertState, Playbook, Step } from "../../kernel/containment.ts";
import type { Decision } from "../../kernel/decision.ts";
import type { Instant } from "../../kernel/time.ts";
import { decidePlaybook, type PlaybookDecision } from "../../playbooks/decide.ts";
import { chooseRegion } from "../../playbooks/regions/index.ts";
import { effectUntilMono, episodesOver, joined, type Run } from "../../playbooks/run.ts";
import type { TargetSituation } from "../../rules/decide.ts";
import { evidenceOf, isShadow } from "../act.ts";
import type { Keeper } from "../guards/keeper.ts";
import type { LoopState } from "../state.ts";
import type { Asked, Containment } from "./state.ts";

/** What containment has to do in one cycle. */
export interface ContainmentPlan {
  readonly decisions: readonly PlaybookDecision[];
  /** Runs to start, to go on with, or to take back. */
  readonly runs: readonly Run[];
  /** What those runs act on: nothing else may act on it in this cycle. */
  readonly claimed: ReadonlySet<string>;
}

export interface PlanInput {
  readonly state: LoopState;
  /** Decisions of forecasts that a playbook answers, by its name. */
  readonly asked: Asked;
  readonly situationOf: (on: ActionTarget) => TargetSituation;
  readonly now: Instant;
  readonly bootId: string;
  readonly newId: () => string;
  readonly keeper: Keeper;
}

/** Looks at every playbook and every run. What it starts is not carried out yet. */
export function planContainment(input: PlanInput): ContainmentPlan {
  const { state } = input;
  const { containment, settings } = state;
  const decisions: PlaybookDecision[] = [];
  const claimed = new Set<string>();
  const claim = (run: Run) => {
    for (const { on } of run.steps) claimed.add(on.name);
  };
  for (const playbook of containment.runs.keys()) advance(containment, playbook, input);
  const runs = [...containment.runs.values()].filter((r) => r.status === "running" || r.status === "undoing");
  for (const run of runs) claim(run);
  for (const playbook of inTurn(state, input.keeper)) {
    const { firing, stale } = causes(playbook, input);
    if (firing.length === 0 && stale.length === 0 && !input.asked.has(playbook.name)) continue;
    const decision = decidePlaybook({
      playbook,
      firing,
      stale,
      asked: input.asked.get(playbook.name),
      run: containment.runs.get(playbook.name),
      situations: new Map(playbook.steps.map(({ on }) => [on.name, input.situationOf(on)])),
      now: input.now,
      bootId: input.bootId,
    });
    if (decision === undefined) continue;
    const taken = playbook.steps.find(({ on }) => claimed.has(on.name));
    if (decision.act && taken !== undefined) {
      const detail = `${taken.on.name}: another playbook acts on it in this cycle`;
      decisions.push({
        ...decision,
        act: false,
        reason: "covered_by_playbook",
        heldBy: taken.on.name,
        detail,
      });
      continue;
    }
    const guarded = decision.act ? guardedBy(playbook, input) : undefined;
    decisions.push(guarded === undefined ? decision : { ...decision, act: false, ...guarded });
    if (!decision.act || guarded !== undefined) continue;
    const run = begin(playbook, firing, input);
    claim(run);
    runs.push(run);
  }
  const place = new Map(settings.playbooks.map(({ name }, index) => [name, index]));
  const placeOf = (decision: PlaybookDecision) => place.get(decision.playbook) as number;
  return { decisions: decisions.sort((a, b) => placeOf(a) - placeOf(b)), runs, claimed };
}

/** As they are configured, but those on targets that were acted on longer ago before the others. */
function inTurn({ settings }: LoopState, keeper: Keeper): readonly Playbook[] {
  const last = new Map<Playbook, number>();
  for (const playbook of settings.playbooks) {
    const on = playbook.steps.map((step) => step.on);
    last.set(
      playbook,
      keeper.lastMonoMs(
        on,
        on.some((target) => isShadow(target, settings)),
      ),
    );
  }
  const before = (a: number, b: number) => (a === b ? 0 : a - b);
  return settings.playbooks.toSorted((a, b) => before(last.get(a) as number, last.get(b) as number));
}

function causes(
  playbook: Playbook,
  { state, now, bootId }: PlanInput,
): {
  firing: AlertState[];
  stale: AlertState[];
} {
  const firing: AlertState[] = [];
  const stale: AlertState[] = [];
  if (playbook.alert === undefined) return { firing, stale };
  const at = { now, bootId, staleMs: state.settings.alertStaleMs };
  for (const alert of state.containment.inbox.values()) {
    if (alert.status !== "firing" || !matches(playbook.alert, alert)) continue;
    (standing(alert, at).status === "firing" ? firing : stale).push(alert);
  }
  return { firing, stale };
}

/** The guard that holds a playbook back, if one does; else its actions are counted. */
function guardedBy(
  playbook: Playbook,
  { state, asked, keeper }: PlanInput,
): Pick<PlaybookDecision, "reason" | "detail" | "heldBy" | "untilMs"> | undefined {
  const on = [...new Map(playbook.steps.map((s) => [s.on.name, s.on])).values()];
  const held = keeper.admit({
    on,
    // A forecast asks for it, or its alert does.
    signal: asked.get(playbook.name)?.signal ?? (playbook.alert as AlertMatcher).name,
    action: (playbook.steps[0] as Step).kind,
    shadow: on.some((target) => isShadow(target, state.settings)),
    playbook: playbook.name,
  });
  if (held === undefined) return undefined;
  const { hold, detail, target, untilMs } = held;
  const text = `${target}: ${detail}`;
  return { reason: hold, detail: text, heldBy: target, ...(untilMs === undefined ? {} : { untilMs }) };
}

/** Moves a run on as far as the alerts have: joined by further ones, or to be taken back when all have ended. */
function advance(containment: Containment, playbook: string, input: PlanInput): void {
  const run = containment.runs.get(playbook);
  if (run === undefined || run.status === "ended" || run.status === "undoing") return;
  let next = run;
  const live = run.status === "running" || effectUntilMono(run, input.now, input.bootId) !== undefined;
  const configured = input.state.settings.playbooks.find((p) => p.name === playbook);
  if (live && configured !== undefined) next = joined(next, causes(configured, input).firing);
  if (episodesOver(next, containment.inbox))
    next = { ...next, status: next.undoOnResolved && next.mode === "auto" ? "undoing" : "ended" };
  if (next === run) return;
  containment.runs.set(playbook, next);
  containment.unsaved.add(playbook);
}

/** A new run, every step still to be carried out. */
function begin(playbook: Playbook, firing: readonly AlertState[], input: PlanInput): Run {
  const { state, now } = input;
  const shadow = playbook.steps.some(({ on }) => isShadow(on, state.settings));
  const asked = input.asked.get(playbook.name);
  const region = regionOf(playbook, state, now);
  return {
    id: input.newId(),
    playbook: playbook.name,
    mode: shadow ? "shadow" : "auto",
    ...evidence(playbook, firing, asked),
    episodes: firing.map(({ fingerprint, startsAtMs }) => ({ fingerprint, startsAtMs })),
    ...region,
    undoOnResolved: playbook.undoOnResolved,
    ...verifyOf(playbook),
    startedAt: now,
    bootId: input.bootId,
    status: "running",
    steps: playbook.steps.map((step) => ({
      kind: step.kind,
      on: step.on,
      status: "pending",
      detail: "not carried out yet",
      undoAttempts: 0,
      ...(step.expiresMs === undefined ? {} : { expiresMs: step.expiresMs }),
      ...(step.undo === undefined ? {} : { undo: step.undo }),
    })),
  };
}

function verifyOf({ verify, forecast }: Playbook): Pick<Run, "verify"> {
  const series = verify ?? forecast;
  return series === undefined ? {} : { verify: series };
}

type Evidence = Pick<Run, "cause" | "target" | "signal" | "predictor"> & {
  forecast?: number | undefined;
  threshold?: number;
};

function evidence(playbook: Playbook, firing: readonly AlertState[], asked: Decision | undefined): Evidence {
  if (asked !== undefined) {
    const { trigger, ...rest } = evidenceOf(asked);
    return { cause: trigger, target: asked.target, ...rest };
  }
  const [{ name, labels }] = firing as [AlertState];
  const target = labels.job ?? (playbook.steps[0] as Step).on.name;
  return { cause: "alert", target, signal: name, predictor: "alertmanager" };
}

function regionOf(playbook: Playbook, state: LoopState, now: Instant): Pick<Run, "region" | "regionWhy"> {
  if (playbook.regionsOf === undefined) return {};
  const history = state.containment.regions.get(playbook.regionsOf);
  if (history === undefined) return { regionWhy: `the regions of ${playbook.regionsOf} are not known` };
  const choice = chooseRegion(history, now);
  return choice.region === undefined
    ? { regionWhy: choice.none }
    : { region: choice.region, regionWhy: choice.why };
}
