import { formatDuration } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { ActionMark, Finding, GuardState, Question } from "../guard.ts";

/** At most `actions` within any window of `windowMs`, counted from their intents. */
export interface CapSettings {
  readonly actions: number;
  readonly windowMs: number;
}

type Counted = Pick<GuardState, "actions" | "lostMonoMs">;

/** One budget and who asks for a place in it. */
export interface Budget {
  readonly state: Counted;
  readonly cap: CapSettings;
  /** The target, as asker or as callee; undefined: the fleet. */
  readonly scope: string | undefined;
  readonly shadow: boolean;
  /** Whose places do not count: they are its own. */
  readonly run?: string;
  readonly now: Instant;
}

/**
 * Sliding-window cap on monotonic time, per target or for the whole fleet: no window of that length ever holds more
 * actions than allowed. Where earlier state was lost the window counts as full.
 * @param places how many are asked for at once: all of them or none.
 */
export function rateCap(budget: Budget, places = 1): Finding | undefined {
  const { state, cap, scope, now } = budget;
  const lostUntil = (state.lostMonoMs ?? Number.NEGATIVE_INFINITY) + cap.windowMs;
  const lost = lostUntil > now.monoMs;
  const inWindow = placesInWindow(budget);
  if (inWindow.length + places <= cap.actions && !lost) return undefined;
  const of = scope === undefined ? "over all targets" : `on ${scope}`;
  const window = formatDuration(cap.windowMs);
  if (places > cap.actions)
    return {
      detail: `${places} actions at once are more than the ${cap.actions} allowed ${of} within ${window}`,
    };
  // They are free again when so many are left as are allowed less those asked for.
  const blocking = inWindow[inWindow.length + places - 1 - cap.actions] ?? Number.NEGATIVE_INFINITY;
  const untilMonoMs = Math.max(blocking + cap.windowMs, lost ? lostUntil : 0);
  const count =
    lost && inWindow.length < cap.actions ? "earlier actions are not known, so all" : inWindow.length;
  return {
    untilMs: now.wallMs + (untilMonoMs - now.monoMs),
    detail: `${count} of ${cap.actions} actions ${of} within ${window} are used up`,
  };
}

/** Actions that the cap still allows now. */
export function budgetLeft(budget: Budget): number {
  const { state, cap, now } = budget;
  if ((state.lostMonoMs ?? Number.NEGATIVE_INFINITY) + cap.windowMs > now.monoMs) return 0;
  return Math.max(0, cap.actions - placesInWindow(budget).length);
}

/**
 * The fleet's last places go to those that were acted on longest ago: a target leaves one to each other one that wants to
 * act now and has waited longer, so that one whose cause comes back again and again does not use up what all share.
 * @param on what is to be called; @param waiting further targets that want to act, whom no other guard holds;
 * @param lastMonoMs when a target was last acted on, -Infinity: never.
 */
export function fairShare(
  budget: Budget,
  {
    on,
    waiting,
    lastMonoMs,
  }: {
    readonly on: readonly string[];
    readonly waiting: Question["waiting"];
    readonly lastMonoMs: (target: string) => number;
  },
): Finding | undefined {
  const left = budgetLeft(budget);
  if (left - waiting.most >= on.length) return undefined;
  const last = Math.max(...on.map(lastMonoMs));
  const first = waiting.targets().filter((target) => !on.includes(target) && lastMonoMs(target) < last);
  if (first.length === 0 || left - first.length >= on.length) return undefined;
  const { cap } = budget;
  return {
    detail: `${left} of ${cap.actions} actions over all targets within ${formatDuration(cap.windowMs)} left, for ${first.join(", ")} first, acted on longer ago`,
  };
}

/** Takes the places of a run, once, at its first intent. Marks that no cap looks at any more are dropped. */
export function spend<S extends Counted>(state: S, mark: ActionMark, longestWindowMs: number): S {
  if (state.actions.some((a) => a.run === mark.run)) return state;
  const kept = state.actions.filter((a) => mark.monoMs - a.monoMs < longestWindowMs);
  return { ...state, actions: [...kept, mark] };
}

/** Gives back the places of a run that never acted. */
export function releaseBudget<S extends Counted>(state: S, run: string): S {
  return { ...state, actions: state.actions.filter((a) => a.run !== run) };
}

/** Monotonic time of each place in the window, ascending. An imagined action counts the real ones too; a real one only its like. */
function placesInWindow({ state, cap, scope, shadow, run, now }: Budget): number[] {
  const places: number[] = [];
  for (const a of state.actions) {
    if (now.monoMs - a.monoMs >= cap.windowMs || a.run === run || (a.shadow && !shadow)) continue;
    if (scope === undefined) for (const _ of a.targets) places.push(a.monoMs);
    else if (a.asker === scope || a.targets.includes(scope)) places.push(a.monoMs);
  }
  return places;
}
