import type { NO_SETTINGS } from "../../common/settings/fields.ts";
import { type Internal, type InternalKey, internalKey } from "../../common/settings/internal.ts";
import type { GuardName } from "../kernel/decision.ts";
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
  SettingsBySection,
} from "./guard.ts";
import { maintenance } from "./maintenance/index.ts";
import { isOver, paused } from "./pause/index.ts";
import { fleetCap, targetCap } from "./rate-cap/index.ts";
import { silenced } from "./silence/index.ts";
import { recordStart, startup } from "./startup/index.ts";
import { CALM, storm } from "./storm/index.ts";
import { unresolved } from "./unresolved/index.ts";

/**
 * Every guard, in the order in which they are asked: what is under way; what a person said; then what the monitor is not
 * fit to judge; then the target's own past; then the budgets.
 */
const ALL = [
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
] as const;

export const GUARDS: readonly Guard[] = ALL;

export const GUARD_NAMES: readonly GuardName[] = GUARDS.map(({ kind }) => kind);

type Configured = Exclude<(typeof ALL)[number], { readonly settings: typeof NO_SETTINGS }>;
type KeyOf<G extends Guard> = InternalKey<G extends { readonly section: infer S } ? S : G["kind"]>;

/** What the configuration says of guards. */
export type GuardSettings = {
  readonly [G in Configured as KeyOf<G>]: Internal<G["settings"]>;
};

const KEYS = new Map(GUARDS.map((guard) => [guard, internalKey(guard.section ?? guard.kind)]));
const ownOf = (guard: Guard, settings: SettingsBySection) => settings[KEYS.get(guard) ?? ""];

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
    const found = guard.check(party, question, facts, ownOf(guard, facts.settings));
    if (found !== undefined) return { guard: guard.kind, target: party.name, ...found };
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
  { settings, now, bootId }: { settings: SettingsBySection; now: Instant; bootId: string },
): GuardState {
  if (state.bootId === bootId) return state;
  return GUARDS.reduce((next, guard) => guard.resume?.(next, now, ownOf(guard, settings)) ?? next, {
    ...state,
    bootId,
  });
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
export function advanceGuards(
  state: GuardState,
  cycle: Cycle & { readonly settings: GuardSettings },
): GuardState {
  const next = GUARDS.reduce(
    (before, guard) => guard.advance?.(before, cycle, ownOf(guard, cycle.settings)) ?? before,
    state,
  );
  return applyCalendar(next, cycle.settings, cycle.now);
}

/** The part of `advanceGuards` that a new pause or silence needs to hold at once. */
export function applyCalendar(
  state: GuardState,
  settings: Pick<GuardSettings, "silences" | "maintenance">,
  now: Instant,
): GuardState {
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
): Pick<GuardReport, "holding" | "measured"> {
  const { state, now, shadow } = facts;
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
  const inCalendar = (guard: Guard) =>
    state.calendar.some(
      (c) => (c.kind === "silence" ? silenced : maintenance) === guard && c.untilMonoMs > now.monoMs,
    );
  return {
    holding: GUARDS.filter(
      (guard) => inCalendar(guard) || any.some((one) => blockedBy(guard, one, facts) !== undefined),
    ).map(({ kind }) => kind),
    measured: GUARDS.flatMap((guard) => guard.measure?.(targets, facts, ownOf(guard, facts.settings)) ?? []),
  };
}
