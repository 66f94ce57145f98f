import type { GuardName } from "../kernel/decision.ts";
import type { GuardSettings } from "../kernel/guards.ts";
import type { Instant } from "../kernel/time.ts";
import { backoff } from "./backoff/index.ts";
import { advanceCalendar } from "./calendar/calendar.ts";
import { completeness } from "./completeness/index.ts";
import { cooldown } from "./cooldown/index.ts";
import { escalated } from "./escalation/index.ts";
import type {
  ActionMark,
  Admission,
  Blocked,
  Cycle,
  Facts,
  Guard,
  GuardReport,
  GuardState,
  Party,
  Question,
} from "./guard.ts";
import { maintenance } from "./maintenance/index.ts";
import { isOver, paused, pauseFinding } from "./pause/index.ts";
import { budgetLeft } from "./rate-cap/budget.ts";
import { fleetCap, targetCap } from "./rate-cap/index.ts";
import { silenced } from "./silence/index.ts";
import { recordStart, startup } from "./startup/index.ts";
import { CALM, storm } from "./storm/index.ts";
import { unresolved } from "./unresolved/index.ts";

/**
 * Every guard, in the order in which they are asked: what is under way; what a person said; then what the monitor is not
 * fit to judge; then the target's own past; then the budgets.
 */
export const GUARDS: readonly Guard[] = [
  unresolved,
  cooldown,
  paused,
  silenced,
  maintenance,
  startup,
  completeness,
  storm,
  escalated,
  backoff,
  targetCap,
  fleetCap,
];

export const GUARD_NAMES: readonly GuardName[] = GUARDS.map(({ name }) => name);

/** Nobody else wants to act. */
export const NOBODY: Question["waiting"] = { most: 0, targets: () => [] };

/** Asks every guard about one step, right before its intent is written. Taking an effect back passes all of them. */
export function admission(question: Question, facts: Facts): Admission {
  if (question.cause === "undo") return { blocked: undefined, all: [] };
  const all = GUARDS.flatMap((guard) => {
    if (guard.asked === "run" && question.continues) return [];
    return blockedBy(guard, question, facts) ?? [];
  });
  return { blocked: all[0], all };
}

function blockedBy(guard: Guard, question: Question, facts: Facts): Blocked | undefined {
  for (const party of partiesOf(guard, question)) {
    const found = guard.check(party, question, facts);
    if (found !== undefined) return { guard: guard.name, target: party.name, ...found };
  }
  return undefined;
}

/** Whom a guard looks at, each once, the asker first. */
function partiesOf({ looksAt }: Guard, { asker, callees }: Question): readonly Party[] {
  if (looksAt.includes("fleet")) return [asker];
  const parties = [
    ...(looksAt.includes("asker") ? [asker] : []),
    ...(looksAt.includes("callee") ? callees : []),
  ];
  return parties.filter(({ name }, n) => parties.findIndex((p) => p.name === name) === n);
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
 * After a reboot the two monotonic clocks cannot be compared: each guard carries over what it remembers.
 */
export function resumeGuards(
  state: GuardState,
  context: { settings: GuardSettings; now: Instant; bootId: string },
): GuardState {
  const { bootId } = context;
  if (state.bootId === bootId) return state;
  return GUARDS.reduce((next, guard) => guard.resume?.(next, context) ?? next, { ...state, bootId });
}

/** State in place of one that could not be read: budgets count as used up for one window. */
export function lostGuards(bootId: string, now: Instant): GuardState {
  return { ...freshGuards(bootId), lostMonoMs: now.monoMs };
}

/** Counts this start of the monitor. */
export function countStart(state: GuardState, now: Instant): GuardState {
  return { ...state, starts: recordStart(state.starts, now) };
}

/** Actions taken from the journal instead of from saved state: it is written before every call. */
export function withActions(state: GuardState, actions: readonly ActionMark[]): GuardState {
  return { ...state, actions: actions.toSorted((a, b) => a.monoMs - b.monoMs) };
}

/** One cycle of what each guard remembers. Call it before anything is asked. */
export function advanceGuards(state: GuardState, cycle: Cycle): GuardState {
  const next = GUARDS.reduce((before, guard) => guard.advance?.(before, cycle) ?? before, state);
  return applyCalendar(next, cycle.settings, cycle.now);
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

/** What the guards do now, without the verifications and what was blocked in this cycle. */
export function guardReport(
  targets: readonly Party[],
  facts: Facts & { readonly shadow: boolean },
): Pick<GuardReport, "holding" | "budgets" | "escalated" | "paused" | "storm"> {
  const { state, settings, past, now, shadow } = facts;
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
  const any = targets.map(
    (target): Question => ({
      asker: target,
      callees: [target],
      signal: "*",
      action: "*",
      cause: "alert",
      shadow,
      run: "",
      continues: false,
      waiting: NOBODY,
    }),
  );
  const inCalendar = ({ name }: Guard) =>
    state.calendar.some(
      (c) => (c.kind === "silence" ? silenced : maintenance).name === name && c.untilMonoMs > now.monoMs,
    );
  return {
    holding: GUARDS.filter(
      (guard) => inCalendar(guard) || any.some((one) => blockedBy(guard, one, facts) !== undefined),
    ).map(({ name }) => name),
    budgets: [cap(undefined), ...targets.map((t) => cap(t.name))],
    escalated: targets.map(({ name }) => ({ target: name, escalated: past(name)?.escalation !== undefined })),
    paused: pauseFinding(state.pause, now) !== undefined,
    storm: state.storm.active,
  };
}
