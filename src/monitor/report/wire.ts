// What the monitor sends to its status page and API, derived from where it is made: the server and the page in the
// browser are checked against the same types, so that a field renamed at one end is an error at the other.
import type { pauseFields, silenceFields } from "./guard-status.ts";
import type { DecisionLog } from "./page/decision-log.ts";
import type { PageFeed } from "./page/feed.ts";
import type { Overview, VerifiedAction } from "./status.ts";

export type { State } from "./page/decision-log.ts";
export type { Delta, Frame } from "./page/feed.ts";
export type { Row } from "./page/fleet.ts";
export type { Column } from "./page/rings.ts";
export type { Overview } from "./status.ts";

/** Everything that the page shows first. */
export type Fleet = ReturnType<PageFeed["fleet"]>;
export type Decisions = ReturnType<DecisionLog["find"]>;
export type LoggedDecision = Decisions["decisions"][number];
type Series = NonNullable<ReturnType<PageFeed["series"]>>;
/** The recent past of one series. */
export type Past = Series["series"][number];
/** The recent past of a target, and what was done on it. */
export type TargetPast = Series & { readonly actions: readonly VerifiedAction[] };

export type Pause = ReturnType<typeof pauseFields>;
/** A silence, who gave it, and the targets that it matches now. */
export interface Silence extends ReturnType<typeof silenceFields> {
  readonly source: "person" | "configuration";
  readonly matches: readonly string[];
}

export type Escalation = Overview["escalations"][number];
export type Verification = Overview["verifications"][number];

/** Settings that a replay of the recent past can be asked at. */
export const SENSITIVITIES = ["strict", "default", "eager"] as const;
export type Sensitivity = (typeof SENSITIVITIES)[number];

/** The recent past at other settings, beside what was really done. */
export interface Replay {
  readonly from: string;
  readonly to: string;
  readonly series: number;
  readonly samples: number;
  /** In force. */
  readonly sensitivity: Sensitivity;
  readonly done: readonly ReplayedAction[];
  readonly replayed: readonly {
    readonly sensitivity: Sensitivity;
    readonly actions: readonly ReplayedAction[];
  }[];
  readonly took_seconds: number;
}

export interface ReplayedAction {
  readonly at: string;
  readonly target: string;
  readonly metric: string;
  readonly trigger: string;
  /** The same in a few words. */
  readonly because: string;
  readonly predictor?: string;
  readonly forecast?: number | null;
  readonly probability?: number;
  readonly action?: string;
  readonly outcome?: string;
}
