import type { Judgement } from "../forecast/score/judgement.ts";
import type { ScoreSummary } from "../forecast/score/summary.ts";
import type { TrendConstants } from "../forecast/settings.ts";
import type { GuardReport } from "../guards/guard.ts";
import type { admission, GuardSettings } from "../guards/index.ts";
import type { Action, Intent, Outcome } from "../kernel/action.ts";
import type { Playbook } from "../kernel/containment.ts";
import type { Decision } from "../kernel/decision.ts";
import type { MetricSource, Observation } from "../kernel/observation.ts";
import type { SignalShape } from "../kernel/signal.ts";
import type { Store } from "../kernel/store.ts";
import type { Target } from "../kernel/target.ts";
import type { Clock, Instant } from "../kernel/time.ts";
import type { Notifier, VerificationOutcome, VerificationSettings } from "../kernel/verification.ts";
import type { PlaybookDecision } from "../playbooks/decide.ts";
import type { Rules } from "../rules/rules.ts";

/** What an operator may change while the monitor runs. */
export interface LoopSettings {
  readonly targets: readonly Target[];
  readonly rules: Rules;
  /** How readily the trend predictor speaks. */
  readonly sensitivity: "strict" | "default" | "eager";
  /** Its constants that an operator sets otherwise, by kind of signal. */
  readonly constants: Readonly<Partial<Record<SignalShape, TrendConstants>>>;
  /** Samples in the linear predictor' window. */
  readonly linearWindow: number;
  /** Window of the rates behind windowed signals, milliseconds. */
  readonly rateWindowMs: number;
  /** Oldest sample that is used, milliseconds. */
  readonly maxSampleAgeMs: number;
  /** False: shadow mode. Same decisions, same logs, no call. */
  readonly autoHeal: boolean;
  readonly cycleMs: number;
  /** Time the sources have to answer in one cycle, milliseconds. */
  readonly observeDeadlineMs: number;
  /** How much history a start reads, and how long it waits for it, milliseconds. */
  readonly warmUpMs: number;
  readonly warmUpDeadlineMs: number;
  /** Time one action may take over all instances of its target, milliseconds. */
  readonly actDeadlineMs: number;
  /** An intent older than this is not carried out any more, milliseconds. */
  readonly intentTtlMs: number;
  /** Answers to alerts and to forecasts, beyond the plain mitigation. */
  readonly playbooks: readonly Playbook[];
  /** An alert that was not heard of for so long is not acted on any more, milliseconds. */
  readonly alertStaleMs: number;
  /** Least span over which the rates of regions are compared, seconds. */
  readonly regionWindowS: number;

  readonly guards: GuardSettings;
  readonly verification: VerificationSettings;
  /** How people are called when a target is escalated. */
  readonly escalation: EscalationSettings;
}

/** How escalations are told. */
interface EscalationSettings {
  /** What lasts is told again after so long, and goes out by itself after `lastsMs`, milliseconds. */
  readonly resendMs: number;
  readonly lastsMs: number;
  /** For one telling, milliseconds. */
  readonly timeoutMs: number;
  /** Where people find the monitor. */
  readonly externalUrl: string | undefined;
}

/** Everything outside the loop, as it sees it. */
export interface LoopPorts {
  readonly clock: Clock;
  /** In order of preference; all are asked every cycle, so that each is warm when another fails. */
  readonly sources: readonly MetricSource[];
  readonly store: Store;
  readonly actions: ReadonlyMap<string, Action>;
  readonly reporter: Reporter;
  /** Absent: escalations are only logged and shown. */
  readonly notifier?: Notifier | undefined;
  /** Asks the guards about one step; absent: all of `src/monitor/guards`. */
  readonly admission?: typeof admission | undefined;
  /** A fresh unique id. */
  readonly newId: () => string;
  /** A signal that aborts after so many milliseconds. */
  readonly deadline: (ms: number) => AbortSignal;
}

/** How one source did in one cycle. */
export interface SourceReport {
  readonly name: string;
  readonly ok: number;
  readonly missing: number;
  readonly stale: number;
  readonly invalid: number;
  readonly unreachable: number;
  /** The first thing that was wrong, for people. */
  readonly detail: string | undefined;
  readonly durationMs: number;
}

/** An action that was decided on, and what came of it. */
export interface ActionRecord {
  readonly mode: "auto" | "shadow";
  readonly intent: Intent;
  /** The forecast that asked for it; absent when an alert did. */
  readonly decision?: Decision;
  /** Why, for people: one line. */
  readonly detail: string;
  /** Undefined in shadow mode, and while the outcome is not known yet. */
  readonly outcome: Outcome | undefined;
}

/** What an action turned out to have done. */
export interface Verified {
  readonly intentId: string;
  /** The target whose symptom asked for it. */
  readonly target: string;
  readonly signal: string;
  readonly action: string;
  readonly outcome: VerificationOutcome;
  /** For people: one line, with the numbers. */
  readonly detail: string;
}

export interface TickReport {
  readonly at: Instant;
  readonly mode: "auto" | "shadow";
  readonly decisions: readonly Decision[];
  readonly observations: readonly Observation[];
  readonly actions: readonly ActionRecord[];
  /** Playbooks that something asked for, and what became of that. */
  readonly playbooks: readonly PlaybookDecision[];
  readonly guards: GuardReport;
  /** What earlier actions turned out to have done, known since this cycle. */
  readonly verified: readonly Verified[];
  readonly sources: readonly SourceReport[];
  /** Some series' forecast is past its SLO. */
  readonly breachAny: boolean;
  readonly actionTaken: "mitigation" | "none";
  /** Seconds since the last action on any target; undefined when there was none. */
  readonly sinceLastMitigationS: number | undefined;
  /** The same, target by target; those without an action are absent. */
  readonly sinceByTarget: ReadonlyMap<string, number>;
  readonly durationMs: number;
  /** How good each predictor' forecasts have been, signal by signal: reckoned when it is asked for, as of then. */
  readonly scores: () => readonly PredictorScore[];
}

/** How good the forecasts of one predictor for one signal have been. */
export interface PredictorScore {
  readonly predictor: string;
  readonly signal: string;
  readonly summary: ScoreSummary;
  readonly judgement: Judgement;
}

/** Who is told. Never throws. */
export interface Reporter {
  cycle(report: TickReport): void;
  action(record: ActionRecord): void;
  /** An intent of an earlier cycle or run came to its end. */
  reconciled(intent: Intent, outcome: Outcome): void;
  /** Something a person should know: a stable name and flat fields. */
  notice(event: string, fields: Readonly<Record<string, string | number | boolean>>): void;
}
