import type { Held } from "../guards/types.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import { cooldownLeftMs } from "../kernel/cooldown.ts";
import type { Decision } from "../kernel/decision.ts";
import type { Observation } from "../kernel/observation.ts";
import type { Target } from "../kernel/target.ts";
import type { Instant } from "../kernel/time.ts";
import type { PlaybookDecision } from "../playbooks/decide.ts";
import { coverByMostUrgent, type TargetSituation, urgency } from "../rules/decide.ts";
import { type ActContext, actOn, isShadow } from "./act.ts";
import { type Contained, contain, playbookFor } from "./containment/index.ts";
import { advanceBrakes, createKeeper, type Keeper, observedTargets, type Wish } from "./guards/keeper.ts";
import { advanceVerification, concludeFor, notifyPeople, type Verified } from "./healing/index.ts";
import { getOrCreateTargetState, type LoopState } from "./state.ts";
import type { ActionRecord } from "./types.ts";

/** What is true of a target, whichever of its signals is judged. */
export function situationOf(state: LoopState, target: ActionTarget, now: Instant): TargetSituation {
  const memory = getOrCreateTargetState(state, target.name);
  const real = cooldownLeftMs(memory.lastActionMonoMs, target.cooldownMs, now);
  const imagined = isShadow(target, state.settings)
    ? cooldownLeftMs(memory.lastShadowMonoMs, target.cooldownMs, now)
    : 0;
  return { cooldownLeftMs: Math.max(real, imagined), intentUnresolved: memory.unresolved.length > 0 };
}

/** What one cycle did. */
export interface ActedOn {
  readonly decisions: readonly Decision[];
  readonly actions: readonly ActionRecord[];
  readonly playbooks: readonly PlaybookDecision[];
  readonly verified: readonly Verified[];
}

/**
 * One cycle from the decisions on: what earlier actions did is verified, playbooks are decided, the guards asked, and
 * what they let through is carried out. At most one action a target, by a playbook or a plain mitigation.
 */
export async function actOnAll(input: {
  decided: readonly Decision[];
  observations: readonly Observation[];
  now: Instant;
  ctx: ActContext;
}): Promise<ActedOn> {
  const { now, ctx } = input;
  const { state, ports } = ctx;
  const targets = observedTargets(state, input.decided);
  const verified = advanceVerification({ ...input, state, ports, targets });
  const actions: ActionRecord[] = [];
  const record = (made: ActionRecord) => {
    actions.push(made);
    ctx.ports.reporter.action(made);
  };
  advanceBrakes(ctx.state, targets, now);
  const keeper = createKeeper(
    state,
    now,
    (target) => void verified.push(...concludeFor(state, ports, target, now)),
  );
  const open = openOnes(input.decided, keeper, state);
  const decided = oneATarget(open);
  keeper.expect(decided.filter((d) => isPlain(d, state)).map((d) => mitigationOf(d, state)));
  const contained = contain({
    decisions: decided,
    observations: input.observations,
    situationOf: (on) => situationOf(ctx.state, ctx.state.configured.get(on.name) ?? on, now),
    now,
    keeper,
    ctx,
  });
  const forecasts = guardMitigations(nextInLine(open, contained, state), contained, keeper, state);
  const mitigate = (decision: Decision): Decision | Promise<Decision> => {
    const target = ctx.state.configured.get(decision.target);
    if (!decision.act || target === undefined || contained.answers(decision)) return decision;
    return carryOut(decision, target);
  };
  const carryOut = async (decision: Decision, target: Target): Promise<Decision> => {
    const acted = await actOn(decision, target, now, ctx);
    if ("blocked" in acted) return { ...decision, act: false, reason: acted.blocked };
    record(acted.record);
    return decision;
  };
  const [mitigated, playbooks] = await Promise.all([
    Promise.all(forecasts.map(mitigate)),
    contained.carry(record),
    notifyPeople(state, ports),
  ]);
  const decisions = mitigated.map((d) => contained.answered(d, playbooks));
  return { decisions, actions, playbooks, verified };
}

/** At most one decision to act a target; in most cycles there is none at all. */
function oneATarget(decided: readonly Decision[]): readonly Decision[] {
  if (!decided.some((d) => d.act)) return decided;
  return [...Map.groupBy(decided, (d) => d.target).values()].flatMap(coverByMostUrgent);
}

/** Whether a decision would act, by the plain mitigation. */
function isPlain(d: Decision, state: LoopState): boolean {
  return d.act && playbookFor(state, d) === undefined;
}

/** The guards are asked before one signal is chosen to act for its target, so that one that is held hides no other. */
function openOnes(decided: readonly Decision[], keeper: Keeper, state: LoopState): readonly Decision[] {
  if (!decided.some((d) => d.act)) return decided;
  return decided.map((d) => {
    const held = isPlain(d, state) ? keeper.look(mitigationOf(d, state)) : undefined;
    return held === undefined ? d : heldBy(d, held);
  });
}

/** Where the playbook that answers the most urgent signal of a target is held back, the next signal acts in its place. */
function nextInLine(open: readonly Decision[], contained: Contained, state: LoopState): readonly Decision[] {
  const { forecasts, claimed } = contained;
  const free = open.filter((d) => isPlain(d, state) && !claimed.has(d.target));
  if (free.length === 0) return forecasts;
  const acting = new Set(forecasts.filter((d) => d.act).map((d) => d.target));
  const next = new Set<Decision>();
  for (const [target, all] of Map.groupBy(free, (d) => d.target))
    if (!acting.has(target)) next.add(all.reduce((a, b) => (urgency(b) > urgency(a) ? b : a)));
  return forecasts.map((d, index) => {
    const asked = open[index] as Decision;
    return next.has(asked) ? asked : d;
  });
}

/** The plain mitigations as the guards let them through, the most urgent first. */
function guardMitigations(
  forecasts: readonly Decision[],
  contained: Contained,
  keeper: Keeper,
  state: LoopState,
): readonly Decision[] {
  const wishes = forecasts
    .filter((d) => d.act && !contained.answers(d))
    .sort((a, b) => urgency(b) - urgency(a));
  if (wishes.length === 0) return forecasts;
  const held = new Map<Decision, Decision>();
  for (const d of wishes) {
    const found = keeper.admit(mitigationOf(d, state));
    if (found !== undefined) held.set(d, heldBy(d, found));
  }
  return forecasts.map((d) => held.get(d) ?? d);
}

function heldBy(d: Decision, { hold, detail, untilMs }: Held): Decision {
  return { ...d, act: false, reason: hold, detail, untilMs };
}

function mitigationOf({ target, signal }: Decision, state: LoopState): Wish {
  const on = state.configured.get(target) as Target;
  return { on: [on], signal, action: "mitigate", shadow: isShadow(on, state.settings) };
}
