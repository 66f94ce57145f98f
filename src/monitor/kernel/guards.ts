import type { Instant } from "./time.ts";

/** Which actions a silence or a maintenance window is about. `*` stands for any run of characters. */
export interface Matcher {
  readonly target: string;
  readonly signal: string;
  /** Kind of action, e.g. `mitigate`. */
  readonly action: string;
}

/** "Leave this alone until then", said by a person. Calendar time: it is meant on the wall clock. */
export interface Silence extends Matcher {
  readonly id: string;
  readonly author: string;
  readonly reason: string;
  /** Wall clock, milliseconds since the Unix epoch; from start (included) to end (excluded). */
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

/** A planned time in which nothing is acted on, from the configuration. */
export interface MaintenanceWindow extends Matcher {
  /** Unique. */
  readonly name: string;
  readonly reason: string;
  readonly when: Weekly | Once;
}

/** The same hours on some days of the week, on the clocks of a time zone. */
export interface Weekly {
  readonly kind: "weekly";
  /** Days on which it begins: 0 is Sunday, 6 Saturday. */
  readonly days: readonly number[];
  /** Minutes after local midnight, 0 to 1439 and 0 to 1440; an end that is not after the start is on the next day. */
  readonly fromMinute: number;
  readonly toMinute: number;
  /** IANA name, e.g. `America/Sao_Paulo`. */
  readonly timeZone: string;
}

/** A single window, wall clock milliseconds. */
export interface Once {
  readonly kind: "once";
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

/** Nothing is acted on, on the word of a person. */
export interface Pause {
  readonly by: string;
  readonly reason: string;
  readonly since: Instant;
  /** Its end on both clocks; absent: until a person lifts it. The monotonic one decides. */
  readonly untilMs?: number;
  readonly untilMonoMs?: number;
}

/** At most `actions` within any window of `windowMs`, counted from their intents. */
export interface CapSettings {
  readonly actions: number;
  readonly windowMs: number;
}

export interface StormSettings {
  /** It begins when more than this share of the targets, and at least `minTargets`, turned at risk within `windowMs`. */
  readonly share: number;
  readonly minTargets: number;
  readonly windowMs: number;
  /** It ends when at most this share has been unwell for `calmMs` without a break. */
  readonly exitShare: number;
  readonly calmMs: number;
}

export interface StartupSettings {
  /** So many starts within `windowMs` are a crash loop; it holds until `quietMs` after the last one. */
  readonly starts: number;
  readonly windowMs: number;
  readonly quietMs: number;
}

export interface CompletenessSettings {
  /** Least share of a target's signals that must be usable, of those that are not merely absent. */
  readonly targetShare: number;
  /** Least share of the series seen within `memoryMs` that must have a value now. */
  readonly fleetShare: number;
  /** Below so many series seen the share of the fleet says nothing. */
  readonly minSeries: number;
  readonly memoryMs: number;
}

export interface BackoffSettings {
  /** The cooldown is multiplied by this for each action in a row that did not help, up to `maxMs`. */
  readonly factor: number;
  readonly maxMs: number;
}

/** The brakes. Every one has a default that is on. */
export interface GuardSettings {
  readonly targetCap: CapSettings;
  readonly fleetCap: CapSettings;
  readonly storm: StormSettings;
  readonly startup: StartupSettings;
  readonly completeness: CompletenessSettings;
  readonly backoff: BackoffSettings;
  readonly maintenance: readonly MaintenanceWindow[];
  readonly silences: readonly Silence[];
}
