import type { GuardHold } from "../kernel/decision.ts";
import type { Matcher, Pause, Silence } from "../kernel/guards.ts";
import type { Unusable } from "../kernel/observation.ts";
import type { VerificationOutcome } from "../kernel/verification.ts";
import type { Latch } from "./latch.ts";
import type { StormState } from "./storm.ts";

/** A guard that says no: its reason, why in one line with the numbers, and until when where it knows. */
export interface Held {
  readonly hold: GuardHold;
  /** Wall clock, milliseconds: now plus what is left on the monotonic clock. Absent: until something else happens. */
  readonly untilMs?: number;
  readonly detail: string;
}

/** What is to be done, as the guards look at it. */
export interface GateSubject {
  readonly target: string;
  readonly signal: string;
  /** Kind of action. */
  readonly action: string;
  /** It takes back an earlier action: no guard holds it. */
  readonly undo: boolean;
  /** It is only imagined: it uses up the budget of imagined actions, not that of real ones. */
  readonly shadow: boolean;
  readonly cooldownMs: number;
  /** The playbook that it is a step of. */
  readonly playbook?: string;
}

/** Every guard asked. */
export interface Gated {
  readonly open: boolean;
  /** The first in the order of `GUARD_ORDER` that holds: the reason of the decision. */
  readonly hold: Held | undefined;
  /** All that hold, in that order. */
  readonly all: readonly Held[];
}

/** An action as the caps count it: from its intent. */
export interface ActionMark {
  readonly target: string;
  readonly monoMs: number;
  readonly shadow: boolean;
  /** The playbook whose run it is a place of. */
  readonly playbook?: string;
}

/** A start of the monitor, on both clocks. */
export interface StartMark {
  readonly wallMs: number;
  readonly monoMs: number;
}

/** A silence or a maintenance window that holds now. */
export interface CalendarHold extends Matcher {
  readonly hold: "silenced" | "maintenance_window";
  readonly detail: string;
  readonly untilMonoMs: number;
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

/** A decision that a guard held back. */
export interface HeldBack {
  readonly hold: GuardHold;
  readonly target: string;
  readonly signal: string;
}

/** What the guards and verification did in one cycle, for metrics and the status page. */
export interface GuardReport {
  /** Guards that hold anything now, whether or not something wants to act. */
  readonly holding: readonly GuardHold[];
  /** What they held back in this cycle: the first guard of each. */
  readonly heldBack: readonly HeldBack[];
  /** Actions left in the window: scope `fleet` or `target:NAME`. */
  readonly budgets: readonly { readonly scope: string; readonly left: number }[];
  /** Verifications that ended in this cycle. */
  readonly verifications: readonly { readonly target: string; readonly outcome: VerificationOutcome }[];
  /** Every target under watch, and whether it is escalated. */
  readonly escalated: readonly { readonly target: string; readonly escalated: boolean }[];
  readonly paused: boolean;
  readonly storm: boolean;
}
