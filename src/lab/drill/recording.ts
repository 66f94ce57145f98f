import type { Heal, Pace } from "./pace.ts";

/** What the observer saw at one moment. Unknown is absent, never zero. */
export interface Look {
  /** Seconds since the onset of the incident; negative before it. */
  readonly atS: number;
  /** Messages that wait in the gateway, all regions together. */
  readonly queue?: number;
  /** The level that the drill is judged by, in its unit. */
  readonly level?: number;
}

/** One answer that a client of the drill got. */
export interface ClientAnswer {
  /** When the client had it, or gave up; seconds since the onset. */
  readonly atS: number;
  /** It came in time with status 200. */
  readonly ok: boolean;
  /** It is what the schema promises; of an answer that did not come there is nothing to say. */
  readonly valid: boolean;
  /** Pages: no part had to come from the catalogue. */
  readonly whole?: boolean;
}

/** A step that the monitor decided on. */
export interface Act {
  readonly atS: number;
  readonly target: string;
  /** Action and what asked for it, in one line. */
  readonly what: string;
  /** True when the call was made, false in shadow mode or when it did not come about. */
  readonly carriedOut: boolean;
}

/** What became of the telemetry. */
export interface Messages {
  /** Acknowledged to a device. */
  readonly acked: number;
  /** Of those: in the telemetry store once everything was worked off. */
  readonly delivered: number;
  /** Of those: kept as dead letters. */
  readonly deadLettered: number;
  /** Of those: neither. */
  readonly lost: number;
  /** Refused, and kept by the device. */
  readonly refused: number;
}

/** The level that a drill is judged by. */
export interface LevelSpec {
  /** For people, e.g. "messages waiting in the gateway". */
  readonly title: string;
  readonly unit: string;
  /** Above it the service is not what was promised. */
  readonly slo: number;
  /**
   * What containment is: `peak`, the level stops growing; `last_invalid`, the last invalid answer has
   * been served.
   */
  readonly contained: "peak" | "last_invalid";
}

/** Everything that one run of a drill showed. */
export interface Recording {
  readonly drill: string;
  readonly title: string;
  readonly heal: Heal;
  readonly pace: Pace;
  /** Whether Prometheus and Alertmanager themselves were in the loop. */
  readonly prometheus: boolean;
  readonly level: LevelSpec;
  /** Targets that an act must be on to count as detection. */
  readonly targets: readonly string[];
  /** Length of the incident that was watched, seconds. */
  readonly incidentS: number;
  readonly looks: readonly Look[];
  readonly pages: readonly ClientAnswer[];
  /** Answers of the recommender to clients of its own; empty where the drill has none. */
  readonly predictions: readonly ClientAnswer[];
  readonly acts: readonly Act[];
  readonly messages: Messages;
  /** Longest the machine held the drill's own process up while the incident lasted, milliseconds. */
  readonly longestStallMs: number;
}
