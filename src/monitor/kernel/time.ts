/** One reading of both clocks. */
export interface Instant {
  /** Wall clock, milliseconds since the Unix epoch. For labels and for matching samples; never for durations. */
  readonly wallMs: number;
  /** Monotonic clock, milliseconds from an arbitrary origin that is fixed for `Clock.bootId`. For durations. */
  readonly monoMs: number;
}

/** Where time comes from. The same code runs live, in replay and in simulation. */
export interface Clock {
  now(): Instant;
  /** Identifies the origin of `monoMs`: two readings compare only under the same id. */
  readonly bootId: string;
}
