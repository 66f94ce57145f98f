import { GUARD_HOLDS, type GuardHold } from "../kernel/decision.ts";
import type { GuardSettings } from "../kernel/guards.ts";
import type { Instant } from "../kernel/time.ts";
import type { Escalation, Try } from "../kernel/verification.ts";
import { backoffHold } from "./backoff.ts";
import { dataPartialHold, findCompleteness } from "./completeness.ts";
import { escalatedHold } from "./escalated.ts";
import { resumeLatch } from "./latch.ts";
import { isOver, pauseHold, resumePause } from "./pause.ts";
import { budgetLeft, rateCap, spend } from "./rate-cap.ts";
import { advanceCalendar, calendarHold } from "./silence.ts";
import { recordStart, resumeStarts, startupHold } from "./startup.ts";
import { advanceStorm, CALM, resumeStorm, stormHold } from "./storm.ts";
import type {
  ActionMark,
  Gated,
  GateSubject,
  GuardReport,
  GuardState,
  Held,
  ObservedTarget,
} from "./types.ts";

export { fairShare, withoutPlaces } from "./rate-cap.ts";

/** What is known of a target's past actions: see `src/monitor/verify`. */
export interface TargetPast {
  readonly tries: readonly Try[];
  readonly escalation?: Escalation;
}

/** What the guards are asked with. */
export interface GateContext {
  readonly settings: GuardSettings;
  /** The past of a target; undefined: none. */
  readonly past: (target: string) => TargetPast | undefined;
  readonly now: Instant;
}

/** Guards that know nothing yet. */
export function freshGuards(bootId: string): GuardState {
  return {
    bootId,
    actions: [],
    starts: [],
    storm: CALM,
    seen: {},
    data: { targets: {} },
    silences: [],
    latches: {},
    calendar: [],
  };
}

/**
 * State of an earlier run, taken up: call it once a start, then `countStart`. Under the same boot nothing changes.
 * After a reboot the two monotonic clocks cannot be compared: what was done counts as done just now, so that no budget
 * is ever more than it should be.
 */
export function resumeGuards(
  state: GuardState,
  context: { settings: GuardSettings; now: Instant; bootId: string },
): GuardState {
  const { now, bootId } = context;
  if (state.bootId === bootId) return state;
  const latches = Object.entries(state.latches).flatMap(([key, latch]) => {
    const resumed = resumeLatch(latch, now);
    return resumed === undefined ? [] : [[key, resumed] as const];
  });
  const { pause: before, ...rest } = state;
  const pause = resumePause(before, now);
  return {
    ...rest,
    bootId,
    actions: state.actions.map((a) => ({ ...a, monoMs: now.monoMs })),
    starts: resumeStarts(state.starts, context.settings.startup.windowMs, now),
    storm: resumeStorm(state.storm, now),
    seen: {},
    data: { targets: {} },
    latches: Object.fromEntries(latches),
    calendar: [],
    ...(pause === undefined ? {} : { pause }),
    ...(state.lostMonoMs === undefined ? {} : { lostMonoMs: now.monoMs }),
  };
}

/** State in place of one that could not be read: budgets count as used up for one window. */
export function lostGuards(bootId: string, now: Instant): GuardState {
  return { ...freshGuards(bootId), lostMonoMs: now.monoMs };
}

/** Counts this start of the monitor. */
export function countStart(state: GuardState, now: Instant): GuardState {
  return { ...state, starts: recordStart(state.starts, now) };
}

/** Actions taken from the journal instead of from saved state: it is written before every call. Ascending in time. */
export function withActions(state: GuardState, actions: readonly ActionMark[]): GuardState {
  return { ...state, actions: actions.toSorted((a, b) => a.monoMs - b.monoMs) };
}

/** One cycle: storm, completeness, calendar and the end of a pause. Call it before anything is gated. */
export function advanceGuards(
  state: GuardState,
  input: { targets: readonly ObservedTarget[]; settings: GuardSettings; now: Instant },
): GuardState {
  const { targets, settings, now } = input;
  const { seen, data } = findCompleteness({ state, targets, settings: settings.completeness, now });
  const storm = advanceStorm({ state: state.storm, targets, settings: settings.storm, now });
  return applyCalendar({ ...state, seen, data, storm }, settings, now);
}

/** The part of `advanceGuards` that a new pause or silence needs to hold at once. */
export function applyCalendar(state: GuardState, settings: GuardSettings, now: Instant): GuardState {
  const { pause, ...rest } = state;
  const silences = [...settings.silences, ...state.silences];
  const { latches, calendar } = advanceCalendar({
    silences,
    windows: settings.maintenance,
    latches: state.latches,
    now,
  });
  return {
    ...rest,
    latches,
    calendar,
    ...(pause === undefined || isOver(pause, now) ? {} : { pause }),
  };
}

type Rule = (state: GuardState, subject: GateSubject, context: GateContext) => Held | undefined;

/** What a person said; then what the monitor is not fit to judge; then the target's own past; then the budgets. */
const RULES: Readonly<Record<GuardHold, Rule>> = {
  paused: (state, _, { now }) => pauseHold(state.pause, now),
  silenced: (state, subject, { now }) => calendarHold(state.calendar, "silenced", subject, now),
  maintenance_window: (state, subject, { now }) =>
    calendarHold(state.calendar, "maintenance_window", subject, now),
  startup_hold: (state, _, { settings, now }) => startupHold(state.starts, settings.startup, now),
  data_partial: (state, { target }) => dataPartialHold(state.data, target),
  storm_hold: (state, _, { settings, now }) => stormHold(state.storm, settings.storm, now),
  escalated: (_, { target }, { past, now }) => escalatedHold(past(target)?.escalation, now),
  backoff_active: (_, { target, cooldownMs }, { past, settings, now }) =>
    backoffHold({ tries: past(target)?.tries ?? [], cooldownMs, settings: settings.backoff, now }),
  rate_cap_target: (state, { target, shadow }, { settings, now }) =>
    rateCap({ state, cap: settings.targetCap, scope: target, shadow, now }),
  rate_cap_fleet: (state, { shadow }, { settings, now }) =>
    rateCap({ state, cap: settings.fleetCap, scope: undefined, shadow, now }),
};

/** Asks every guard about one action. An undo passes all of them. */
export function gate(state: GuardState, subject: GateSubject, context: GateContext): Gated {
  if (subject.undo) return { open: true, hold: undefined, all: [] };
  const all = GUARD_HOLDS.flatMap((name) => RULES[name](state, subject, context) ?? []);
  return { open: all.length === 0, hold: all[0], all };
}

/**
 * Asks the guards about the actions of one cycle, the most urgent first, and counts each one let through before the
 * next is asked, so that a cycle cannot overdraw a budget. An undo is not counted.
 */
export function admit(
  state: GuardState,
  subjects: readonly GateSubject[],
  context: GateContext,
): { state: GuardState; gated: Gated[] } {
  let next = state;
  const { settings, now } = context;
  const longestWindowMs = Math.max(settings.targetCap.windowMs, settings.fleetCap.windowMs);
  const gated = subjects.map((subject) => {
    const found = gate(next, subject, context);
    if (found.open && !subject.undo) next = spend(next, subject, { now, longestWindowMs });
    return found;
  });
  return { state: next, gated };
}

/** What the guards do now, without the verifications and what was held back in this cycle. */
export function guardReport(
  state: GuardState,
  targets: readonly { readonly target: string; readonly cooldownMs: number }[],
  context: GateContext & { shadow: boolean },
): Pick<GuardReport, "holding" | "budgets" | "escalated" | "paused" | "storm"> {
  const { settings, past, now, shadow } = context;
  const cap = (scope: string | undefined) => ({
    scope: scope === undefined ? "fleet" : `target:${scope}`,
    left: budgetLeft({
      state,
      cap: scope === undefined ? settings.fleetCap : settings.targetCap,
      scope,
      shadow,
      now,
    }),
  });
  // Whatever the signal and the action: a calendar hold on one of them is found by its pattern.
  const any = targets.map(({ target, cooldownMs }) => ({
    target,
    signal: "*",
    action: "*",
    undo: false,
    shadow,
    cooldownMs,
  }));
  const inCalendar = (name: GuardHold) =>
    state.calendar.some((c) => c.hold === name && c.untilMonoMs > now.monoMs);
  return {
    holding: GUARD_HOLDS.filter(
      (name) => inCalendar(name) || any.some((one) => RULES[name](state, one, context) !== undefined),
    ),
    budgets: [cap(undefined), ...targets.map((t) => cap(t.target))],
    escalated: targets.map(({ target }) => ({ target, escalated: past(target)?.escalation !== undefined })),
    paused: pauseHold(state.pause, now) !== undefined,
    storm: state.storm.active,
  };
}
