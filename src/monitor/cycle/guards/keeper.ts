import {
  admit,
  advanceGuards,
  fairShare,
  type GateContext,
  gate,
  guardReport,
  withoutPlaces,
} from "../../guards/index.ts";
import type {
  Gated,
  GateSubject,
  GuardReport,
  Held,
  HeldBack,
  ObservedSignal,
  ObservedTarget,
} from "../../guards/types.ts";
import type { Intent } from "../../kernel/action.ts";
import type { ActionTarget } from "../../kernel/containment.ts";
import type { Decision, GuardHold } from "../../kernel/decision.ts";
import { GUARD_HOLDS } from "../../kernel/decision.ts";
import type { Instant } from "../../kernel/time.ts";
import type { PlaybookDecision } from "../../playbooks/decide.ts";
import type { Verified } from "../healing/index.ts";
import { getOrCreateTargetState, type LoopState, type SeriesRow } from "../state.ts";

/**
 * What the guards look at in one cycle: which targets are at risk, and which of their signals have a value.
 * @param decided one a series of the plan, in its order.
 */
export function observedTargets(
  { rows }: Pick<LoopState, "rows">,
  decided: readonly Decision[],
): ObservedTarget[] {
  const targets = new Map<
    string,
    { target: string; atRisk: boolean | undefined; signals: ObservedSignal[] }
  >();
  for (const [i, d] of decided.entries()) {
    let of = targets.get(d.target);
    if (of === undefined) {
      of = { target: d.target, atRisk: undefined, signals: [] };
      targets.set(d.target, of);
    }
    if (!DATA.has(d.reason)) of.atRisk = of.atRisk === true || d.inRisk || d.trigger !== undefined;
    of.signals.push({ signal: d.signal, key: (rows[i] as SeriesRow).key, status: statusOf(d) });
  }
  return [...targets.values()];
}

const DATA: ReadonlySet<string> = new Set(["data_missing", "data_stale", "data_invalid", "data_unreachable"]);

function statusOf(d: Decision): ObservedTarget["signals"][number]["status"] {
  if (d.reason === "data_missing") return "missing";
  if (d.reason === "data_stale") return "stale";
  if (d.reason === "data_invalid") return "invalid";
  return d.reason === "data_unreachable" ? "unreachable" : "ok";
}

/** What wants to be done to some targets at once: all of them must be free, and each is counted. */
export interface Wish {
  readonly on: readonly Pick<ActionTarget, "name" | "cooldownMs">[];
  readonly signal: string;
  readonly action: string;
  readonly shadow: boolean;
  readonly playbook?: string;
}

/** Asks the guards for one cycle, counting what it lets through. */
export interface Keeper {
  /** The first guard that holds, or undefined. Nothing is counted. */
  look(wish: Wish): (Held & { readonly target: string }) | undefined;
  /** Told what will be asked for in this cycle beside what is asked for first. */
  expect(wishes: readonly Wish[]): void;
  /** The first guard that holds, or undefined: it may be done, and is counted. */
  admit(wish: Wish): (Held & { readonly target: string }) | undefined;
  /** When any of these targets was last acted on, monotonic milliseconds; -Infinity: never. Who waited longer is asked first. */
  lastMonoMs(on: Wish["on"], shadow: boolean): number;
}

/** @param wanted told of each target before the guards are asked: the last action on it must be judged by then. */
export function createKeeper(state: LoopState, now: Instant, wanted: (target: string) => void): Keeper {
  const context = contextOf(state, now);
  const waiting = new Set<Wish>();
  return {
    look(wish) {
      for (const { name } of wish.on) wanted(name);
      return heldNow(state, wish, context);
    },
    expect(wishes) {
      for (const wish of wishes) waiting.add(wish);
    },
    admit(wish) {
      for (const { name } of wish.on) wanted(name);
      for (const other of waiting) if (sameTargets(other, wish)) waiting.delete(other);
      return admitAll({ state, wish, waiting, context });
    },
    lastMonoMs: (on, shadow) => Math.max(...on.map(({ name }) => lastActionOn(state, name, shadow))),
  };
}

function lastActionOn(state: LoopState, target: string, shadow: boolean): number {
  const { lastActionMonoMs, lastShadowMonoMs } = getOrCreateTargetState(state, target);
  const never = Number.NEGATIVE_INFINITY;
  return Math.max(lastActionMonoMs ?? never, (shadow ? lastShadowMonoMs : undefined) ?? never);
}

function sameTargets(a: Wish, b: Wish): boolean {
  return a.on.some(({ name }) => b.on.some((on) => on.name === name));
}

function heldNow(
  state: LoopState,
  wish: Wish,
  context: GateContext,
): (Held & { readonly target: string }) | undefined {
  for (const on of wish.on) {
    const { hold } = gate(state.brakes.guards, subjectOf(wish, on), context);
    if (hold !== undefined) return { ...hold, target: on.name };
  }
  return undefined;
}

function admitAll(input: {
  readonly state: LoopState;
  readonly wish: Wish;
  readonly waiting: ReadonlySet<Wish>;
  readonly context: GateContext;
}): (Held & { readonly target: string }) | undefined {
  const { state, wish, waiting, context } = input;
  const { guards } = state.brakes;
  const held = heldNow(state, wish, context);
  if (held !== undefined) return held;
  const others = [...waiting]
    .filter((other) => wish.shadow || !other.shadow)
    .flatMap((other) => other.on.map((on) => subjectOf(other, on)))
    .filter((subject) => gate(guards, subject, context).open)
    .map(({ target }) => target);
  const { settings, now } = context;
  const on = wish.on.map(({ name }) => name);
  const share = fairShare({
    state: guards,
    cap: settings.fleetCap,
    shadow: wish.shadow,
    now,
    on,
    others,
    lastMonoMs: (target) => lastActionOn(state, target, wish.shadow),
  });
  if (share !== undefined) return { ...share, target: on[0] as string };
  // A run acts as one: it takes one place of the fleet's budget a target, and all of them or none.
  const subjects = wish.on.map((target) => subjectOf(wish, target));
  const all = admit(guards, subjects, context);
  for (const [n, { hold }] of all.gated.entries())
    if (hold !== undefined) return { ...hold, target: (subjects[n] as GateSubject).target };
  state.brakes.guards = all.state;
  return undefined;
}

/** Gives back the places in the budgets of a run that never acted. */
export function releaseBudget(state: LoopState, playbook: string, targets: readonly string[]): void {
  state.brakes.guards = withoutPlaces(state.brakes.guards, playbook, targets);
}

function subjectOf(wish: Wish, on: Wish["on"][number]): GateSubject {
  const { on: _all, ...of } = wish;
  return { ...of, target: on.name, cooldownMs: on.cooldownMs, undo: false };
}

function contextOf(state: LoopState, now: Instant): GateContext {
  return { settings: state.settings.guards, past: (target) => state.healing.state.targets[target], now };
}

/** One look at the fleet and the clocks, before anything is asked for. */
export function advanceBrakes(state: LoopState, targets: readonly ObservedTarget[], now: Instant): void {
  state.brakes.guards = advanceGuards(state.brakes.guards, {
    targets,
    settings: state.settings.guards,
    now,
  });
}

/** The guards asked again just before a call: its own place in the budgets is taken already. */
export function recheckGuards(
  state: LoopState,
  intent: Pick<Intent, "target" | "signal" | "kind" | "origin">,
  on: ActionTarget | undefined,
  now: Instant,
): Gated {
  const { lostMonoMs: _counted, ...rest } = state.brakes.guards;
  const subject: GateSubject = {
    target: intent.target,
    signal: intent.signal,
    action: intent.kind,
    undo: intent.origin?.undoes !== undefined,
    shadow: false,
    cooldownMs: on?.cooldownMs ?? 0,
  };
  return gate({ ...rest, actions: [] }, subject, contextOf(state, now));
}

/** What the guards did in this cycle. */
export function reportGuards(input: {
  readonly state: LoopState;
  readonly decisions: readonly Decision[];
  readonly playbooks: readonly PlaybookDecision[];
  readonly now: Instant;
  readonly verified: readonly Verified[];
}): GuardReport {
  const { state, now } = input;
  const targets = state.settings.targets.map(({ name, cooldownMs }) => ({ target: name, cooldownMs }));
  const shadow = !state.settings.autoHeal;
  const held: HeldBack[] = [];
  for (const { reason, target, signal } of input.decisions)
    if (isGuardHold(reason)) held.push({ hold: reason, target, signal });
  for (const { reason, heldBy, playbook } of input.playbooks)
    if (isGuardHold(reason)) held.push({ hold: reason, target: heldBy as string, signal: playbook });
  return {
    ...guardReport(state.brakes.guards, targets, { ...contextOf(state, now), shadow }),
    heldBack: held,
    verifications: input.verified.map(({ target, outcome }) => ({ target, outcome })),
  };
}

const HOLDS: ReadonlySet<string> = new Set(GUARD_HOLDS);

function isGuardHold(reason: string): reason is GuardHold {
  return HOLDS.has(reason);
}
