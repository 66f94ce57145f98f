import type { CapSettings } from "../kernel/guards.ts";
import { formatDuration } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import type { ActionMark, GateSubject, GuardState, Held } from "./types.ts";

type Counted = Pick<GuardState, "actions" | "lostMonoMs">;

/**
 * Sliding-window cap on monotonic time, per target or for the whole fleet: no window of that length ever holds more
 * intents than allowed. Where earlier state was lost the window counts as full.
 * @param scope the target, or undefined for the fleet.
 */
export function rateCap(input: {
  state: Counted;
  cap: CapSettings;
  scope: string | undefined;
  shadow: boolean;
  now: Instant;
}): Held | undefined {
  const { state, cap, scope, now } = input;
  const lostUntil = (state.lostMonoMs ?? Number.NEGATIVE_INFINITY) + cap.windowMs;
  const lost = lostUntil > now.monoMs;
  if (state.actions.length < cap.actions && !lost) return undefined;
  const inWindow = marksInWindow(input);
  if (inWindow.length < cap.actions && !lost) return undefined;
  // One is free again when so many are left as are allowed less one.
  const blocking = inWindow[inWindow.length - cap.actions]?.monoMs ?? Number.NEGATIVE_INFINITY;
  const untilMonoMs = Math.max(blocking + cap.windowMs, lost ? lostUntil : 0);
  const of = scope === undefined ? "over all targets" : `on ${scope}`;
  const count =
    lost && inWindow.length < cap.actions ? "earlier actions are not known, so all" : inWindow.length;
  return {
    hold: scope === undefined ? "rate_cap_fleet" : "rate_cap_target",
    untilMs: now.wallMs + (untilMonoMs - now.monoMs),
    detail: `${count} of ${cap.actions} actions ${of} within ${formatDuration(cap.windowMs)} are used up`,
  };
}

/** Actions that the cap still allows now. */
export function budgetLeft(input: Parameters<typeof rateCap>[0]): number {
  const { state, cap, now } = input;
  if ((state.lostMonoMs ?? Number.NEGATIVE_INFINITY) + cap.windowMs > now.monoMs) return 0;
  return Math.max(0, cap.actions - marksInWindow(input).length);
}

/**
 * The fleet's last places go to those that were acted on longest ago: a target leaves one to each other one that wants to
 * act now and has waited longer, so that one whose cause comes back again and again does not use up what all share.
 * @param on the targets of what is asked for; @param others further targets that want to act, whom no other guard holds;
 * @param lastMonoMs when a target was last acted on, -Infinity: never.
 */
export function fairShare(
  input: Omit<Parameters<typeof rateCap>[0], "scope"> & {
    readonly on: readonly string[];
    readonly others: readonly string[];
    readonly lastMonoMs: (target: string) => number;
  },
): Held | undefined {
  const { cap, on, others, lastMonoMs } = input;
  const last = Math.max(...on.map(lastMonoMs));
  const first = others.filter((target) => !on.includes(target) && lastMonoMs(target) < last);
  const left = budgetLeft({ ...input, scope: undefined });
  if (first.length === 0 || left - first.length >= on.length) return undefined;
  return {
    hold: "rate_cap_fleet",
    detail: `${left} of ${cap.actions} actions over all targets within ${formatDuration(cap.windowMs)} left, for ${first.join(", ")} first, acted on longer ago`,
  };
}

/** Counts an action: call it once an intent, before the call. Marks that no cap looks at any more are dropped. */
export function spend<S extends Counted>(
  state: S,
  { target, shadow, playbook }: Pick<GateSubject, "target" | "shadow" | "playbook">,
  context: { now: Instant; longestWindowMs: number },
): S {
  const { now, longestWindowMs } = context;
  const kept = state.actions.filter((a) => now.monoMs - a.monoMs < longestWindowMs);
  const of = playbook === undefined ? {} : { playbook };
  const mark: ActionMark = { target, monoMs: now.monoMs, shadow, ...of };
  return { ...state, actions: [...kept, mark] };
}

/** Without the place that the newest run of a playbook has on each of these targets. */
export function withoutPlaces<S extends Counted>(state: S, playbook: string, targets: readonly string[]): S {
  const newest = targets.map((t) =>
    state.actions.findLastIndex((a) => a.playbook === playbook && a.target === t),
  );
  return { ...state, actions: state.actions.filter((_, index) => !newest.includes(index)) };
}

/** An imagined action counts the real ones too; a real one only its like. */
function marksInWindow(input: Parameters<typeof rateCap>[0]): ActionMark[] {
  const { state, cap, scope, shadow, now } = input;
  return state.actions.filter(
    (a) =>
      now.monoMs - a.monoMs < cap.windowMs &&
      (scope === undefined || a.target === scope) &&
      (shadow || !a.shadow),
  );
}
