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
interface Weekly {
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
interface Once {
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
