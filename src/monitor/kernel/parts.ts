/** One part of a target, e.g. a region of the gateway. Unknown is absent, never zero. */
export interface PartReading {
  readonly part: string;
  readonly backlog?: number;
  /** Cumulative count of what came in, for rates. */
  readonly inboundTotal?: number;
}

/** Where the parts of a target are read. */
export interface PartsRecipe {
  /** Label that names the part, e.g. `region`. */
  readonly label: string;
  /** Gauge of the backlog and counter of what comes in; other labels are summed over. */
  readonly backlogMetric: string;
  readonly inboundMetric: string;
}
