import type { ActionTarget } from "../kernel/containment.ts";
import type { Cause, GuardName } from "../kernel/decision.ts";
import type { Matcher, Pause, Silence } from "../kernel/guards.ts";
import type { Unusable } from "../kernel/observation.ts";
import type { Plugin, PluginDocs } from "../kernel/plugin.ts";
import type { Instant } from "../kernel/time.ts";
import type { Attempt, Escalation, VerificationOutcome } from "../kernel/verification.ts";
import type { Latch } from "./calendar/latch.ts";

/** A target as the guards look at it: the one that asked, or one that is to be called. */
export type Party = Pick<ActionTarget, "name" | "cooldownMs">;

/** What is asked of the guards: one step of a run, right before its intent is written. */
export interface Question {
  /** Whose symptom it is: its silences, budget, escalation, pauses between actions. */
  readonly asker: Party;
  /** What is to be called: at the first step of a run everything that the run would call, later the step's own. */
  readonly callees: readonly Party[];
  /** Signal of the asker, or the name of the alert. */
  readonly signal: string;
  /** Kind of the action. */
  readonly action: string;
  readonly cause: Cause;
  /** It is only imagined: it uses up the budget of imagined actions, not that of real ones. */
  readonly shadow: boolean;
  /** Id of the run. */
  readonly run: string;
  /** An earlier step of the run was let through: its place in the budgets is taken, its own cooldown does not hold it. */
  readonly continues: boolean;
  /** What other runs want to call now, and no guard holds: the fleet's last places are shared with them. */
  readonly waiting: {
    /** No more than so many. */
    readonly most: number;
    readonly targets: () => readonly string[];
  };
}

/** A guard that says no: its name is the reason; why, in one line with the numbers; until when, where it knows. */
export interface Blocked {
  readonly guard: GuardName;
  /** The party whose guard it is; the asker where it holds the fleet. */
  readonly target: string;
  /** Wall clock, milliseconds: now plus what is left on the monotonic clock. Absent: until something else happens. */
  readonly untilMs?: number;
  readonly detail: string;
}

/** Every guard asked. */
export interface Admission {
  /** The first guard that holds, in the order of `GUARDS`: the reason. Undefined: it may be done. */
  readonly blocked: Blocked | undefined;
  /** All that hold, in that order. */
  readonly all: readonly Blocked[];
}

/** What is known of a target's past actions: see `src/monitor/verify`. */
interface TargetPast {
  readonly attempts: readonly Attempt[];
  readonly escalation?: Escalation;
}

/** When a target was last acted on, monotonic milliseconds, and whether what came of it is still unknown. */
export interface TargetMemory {
  readonly lastActionMonoMs: number | undefined;
  /** The same for actions that shadow mode only imagined. */
  readonly lastShadowMonoMs: number | undefined;
  readonly unresolved: boolean;
}

/** What the guards know: plain data, and look-ups in it. */
export interface Facts {
  readonly state: GuardState;
  readonly settings: SettingsBySection;
  readonly past: (target: string) => TargetPast | undefined;
  readonly memory: (target: string) => TargetMemory;
  readonly now: Instant;
}

/** What one cycle shows the guards. */
export interface Cycle {
  readonly targets: readonly ObservedTarget[];
  readonly settings: SettingsBySection;
  readonly now: Instant;
}

/** Found by one guard; who it is about is added by `admission`. */
export type Finding = Omit<Blocked, "guard" | "target">;

/** Settings of guards by section, as code names it: `target_cap` of the file is `targetCap`. */
export type SettingsBySection = Readonly<Record<string, unknown>>;

/** One value of a metric that a guard declares. */
export interface Measurement {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One guard: a folder of this room, and an entry of `GUARDS`. Every function is pure. */
export interface Guard<Settings = unknown> extends Plugin<Settings> {
  /** Its name: a reason, and the label of metrics. */
  readonly kind: GuardName;
  readonly docs: PluginDocs & {
    /** Why it holds: reads after "blocked: …, but". */
    readonly summary: string;
  };
  /** Key of its settings below `guards`, where that is not its kind. */
  readonly section?: string;
  /** Whose state it looks at. */
  readonly looksAt: readonly ("asker" | "callee" | "fleet")[];
  /** `run`: asked when a run begins, whose later steps have passed it; `step`: asked at every step. */
  readonly asked: "run" | "step";
  /** @param party the asker or a callee; the asker where it looks at the fleet. */
  check(party: Party, question: Question, facts: Facts, settings: Settings): Finding | undefined;
  /** One cycle of what it remembers, before anything is asked. */
  advance?(state: GuardState, cycle: Cycle, settings: Settings): GuardState;
  /** What it remembers, carried over to another boot, whose monotonic clock has another origin. */
  resume?(state: GuardState, now: Instant, settings: Settings): GuardState;
  /** What its metrics show; a gauge that is left out has no value. @param targets under watch. */
  measure?(
    targets: readonly Party[],
    facts: Facts & { readonly shadow: boolean },
    settings: Settings,
  ): readonly Measurement[];
}

/** The places of a run in the budgets, counted from its first intent. */
export interface ActionMark {
  readonly run: string;
  /** Whose budget it counts against beside that of each target. */
  readonly asker: string;
  /** What the run calls: a place of the fleet's budget each. */
  readonly targets: readonly string[];
  readonly monoMs: number;
  readonly shadow: boolean;
}

/** A start of the monitor, on both clocks. */
export interface StartMark {
  readonly wallMs: number;
  readonly monoMs: number;
}

/** A silence or a maintenance window that holds now. */
export interface CalendarHold extends Matcher {
  readonly kind: "silence" | "maintenance";
  readonly detail: string;
  readonly untilMonoMs: number;
}

/** What the storm hold remembers: plain data. */
export interface StormState {
  readonly active: boolean;
  /** When it began, both clocks; while active. */
  readonly sinceMs?: number;
  readonly sinceMonoMs?: number;
  /** Since when it has been calm without a break, monotonic; while active and calm. */
  readonly calmSinceMonoMs?: number;
  /** When each target last turned at risk, monotonic. */
  readonly turned: Readonly<Record<string, number>>;
  /** Targets at risk when last known. */
  readonly atRisk: readonly string[];
  /** Counted in the newest cycle: targets that turned at risk within the window, those unwell, and all. */
  readonly turnedCount: number;
  readonly unwellCount: number;
  readonly total: number;
}

/** What is wrong with the data as a whole: findings of the newest cycle. */
export interface DataFindings {
  readonly fleet?: string;
  readonly targets: Readonly<Record<string, string>>;
}

/**
 * Everything the guards remember: plain data, fit for JSON. All monotonic times are of the boot `bootId`;
 * `resumeGuards` carries them over to another.
 */
export interface GuardState {
  readonly bootId: string;
  /** Ascending. */
  readonly actions: readonly ActionMark[];
  readonly starts: readonly StartMark[];
  readonly storm: StormState;
  /** Monotonic time at which each series last had a value. */
  readonly seen: Readonly<Record<string, number>>;
  readonly data: DataFindings;
  /** Silences that people gave while it ran; those of the configuration are in the settings. */
  readonly silences: readonly Silence[];
  /** By `silence/ID` and `maintenance/NAME`. */
  readonly latches: Readonly<Record<string, Latch>>;
  readonly calendar: readonly CalendarHold[];
  readonly pause?: Pause;
  /** Earlier state was lost at this monotonic time: budgets count as used up. */
  readonly lostMonoMs?: number;
  /** What further guards remember, by their names. */
  readonly own?: Readonly<Record<string, unknown>>;
}

/** One series in the newest cycle. */
export interface ObservedSignal {
  readonly signal: string;
  /** Its `seriesKey`, where that is known: it is looked up in every cycle. */
  readonly key?: string | undefined;
  readonly status: "ok" | Unusable;
}

/** One target in the newest cycle. */
export interface ObservedTarget {
  readonly target: string;
  /** Some series of it is in risk or triggers; undefined: nothing of it is known now. */
  readonly atRisk: boolean | undefined;
  readonly signals: readonly ObservedSignal[];
}

/** An action that a guard blocked. */
interface BlockedAction {
  readonly guard: GuardName;
  readonly target: string;
  readonly signal: string;
}

/** What the guards and verification did in one cycle, for metrics and the status page. */
export interface GuardReport {
  /** Guards that hold anything now, whether or not something wants to act. */
  readonly holding: readonly GuardName[];
  /** What they blocked in this cycle: the first guard of each. */
  readonly blocked: readonly BlockedAction[];
  /** Their metrics. */
  readonly measured: readonly Measurement[];
  /** Verifications that ended in this cycle. */
  readonly verifications: readonly { readonly target: string; readonly outcome: VerificationOutcome }[];
}

/** The values of one metric of the guards, by its label; `""` where it has none. */
export function measuredAs({ measured }: Pick<GuardReport, "measured">, name: string): Map<string, number> {
  const found = measured.filter((m) => m.name === name);
  return new Map(found.map(({ labels, value }) => [Object.values(labels)[0] ?? "", value]));
}
