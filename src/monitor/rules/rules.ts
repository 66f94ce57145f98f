/** The dials of the decision, shared by every predictor. */
export interface Rules {
  /** Forecast horizon, seconds. */
  readonly horizonS: number;
  /** Probability from which a series in risk is acted on at once, 0..1. */
  readonly probStrong: number;
  /** Probability from which a series in risk is acted on when the next cycle confirms it, 0..1. */
  readonly probConfirmMin: number;
  /** Quality gate: a fit below this R^2 triggers nothing, 0..1. */
  readonly minR2: number;
  /** Share of the hard limit from which a forecast alone triggers, 0..1. */
  readonly preTimeoutRatio: number;
}

/** Cycles in a row that the confirmation band needs. */
export const CONFIRM_CYCLES = 2;
