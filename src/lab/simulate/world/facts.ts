import type { LoopSettings, TickReport } from "../../../monitor/cycle/types.ts";
import type { InstanceOutcome, Intent, Outcome } from "../../../monitor/kernel/action.ts";
import type { Effect } from "./service.ts";

/** One journal, and the monitor that runs on it now. Two of them know nothing of each other. */
export interface SiteView {
  readonly name: string;
  /** Settings in force by the file, whatever the monitor makes of them. */
  readonly settings: LoopSettings;
  /** Its wall clock now. */
  readonly wallMs: number;
  /** When the settings in force came to be so, world time. */
  readonly settingsSinceMs: number;
  /** World time of every start, and of those that are on its disk and on the clock of the present boot. */
  readonly starts: readonly number[];
  readonly countedStarts: readonly number[];
  /** World time at which its journal was last lost, its machine last booted, its disk last failed; -Infinity: never. */
  readonly lostMs: number;
  readonly bootedMs: number;
  readonly diskFailedMs: number;
  /** World time at which it last went on after it stood still; -Infinity: never. */
  readonly wentOnMs: number;
}

/** An intent that is on disk. */
export interface IntentFact {
  readonly intent: Intent;
  readonly site: SiteView;
  /** World time of its writing. */
  readonly atMs: number;
  /** Terminal records on disk. */
  readonly outcomes: { readonly outcome: Outcome; readonly atMs: number }[];
  readonly calls: CallFact[];
  /** All intents of its run that took nothing back, itself included, oldest first. */
  readonly ofRun: readonly IntentFact[];
  /** The journal that held it is lost. */
  lost: boolean;
  /** It was written, and the monitor was told that it was not. */
  readonly unsure: boolean;
}

/** A call of an action by a monitor: `execute`, not the questions about it. */
export interface CallFact {
  readonly intent: Intent;
  readonly site: SiteView;
  readonly instance: string;
  readonly atMs: number;
  /** Undefined when no intent of its id is on disk. */
  readonly fact: IntentFact | undefined;
  came?: InstanceOutcome;
  /** World time of that. */
  cameMs?: number;
}

export interface EffectFact extends Effect {
  readonly atMs: number;
}

/** What a monitor was served for one series in its newest look. */
export interface SeenSeries {
  /** World time of the answer; -1: never asked. */
  atMs: number;
  /** Undefined: nothing is wrong with it. */
  flaw: string | undefined;
  value: number;
  /** World time of the scrape that it speaks of. */
  scrapedMs: number;
}

/** One cycle of one monitor. */
export interface CycleFact {
  readonly site: SiteView;
  readonly report: TickReport;
  /** World time at which it began and ended. */
  readonly beganMs: number;
  readonly atMs: number;
  /** Aligned with the plan that the cycle ran on. */
  readonly seen: readonly SeenSeries[];
  /** Intents written in it. */
  readonly intents: readonly IntentFact[];
}

/** What a person told a monitor, and the monitor took: it is on its disk, but for a request. */
export interface ToldFact {
  readonly what: "pause" | "resume" | "silence" | "go_on" | "request";
  readonly site: SiteView;
  /** A target or something else that is called; of a silence `*` for all. */
  readonly target?: string;
  /** Kind of action of a silence; absent: all. */
  readonly action?: string;
  /** Playbook of a request; absent: the mitigation. */
  readonly playbook?: string;
  /** World time of the end of a silence. */
  readonly untilMs?: number;
}

/** What the checkers of the promises are told of, as it happens. Each says at once what is broken. */
export interface Checker {
  /** Which promise of the catalogue: 1 to 7. */
  readonly promise: number;
  readonly title: string;
  intent?(fact: IntentFact): void;
  call?(fact: CallFact): void;
  outcome?(fact: IntentFact): void;
  effect?(fact: EffectFact): void;
  cycle?(fact: CycleFact): void;
  /** A monitor starts: the newest entry of `site.starts`. */
  start?(site: SiteView): void;
  told?(fact: ToldFact): void;
  notice?(site: SiteView, event: string, fields: Readonly<Record<string, string | number | boolean>>): void;
  /** The world ends. */
  end?(): void;
}

/** A broken promise. */
export interface Violation {
  readonly promise: number;
  readonly atMs: number;
  readonly text: string;
}
