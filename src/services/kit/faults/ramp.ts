/** A value that grows linearly over a time, then stays. Times are monotonic milliseconds. */
export interface Ramp {
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
  /** 0: `to` at once. */
  readonly durationMs: number;
}

/** A value that does not grow. */
export function constantRamp(value: number): Ramp {
  return { from: value, to: value, startMs: 0, durationMs: 0 };
}

/** Share of the growth that is done at `nowMs`, 0 to 1. */
export function progressAt(
  span: { readonly startMs: number; readonly durationMs: number },
  nowMs: number,
): number {
  if (span.durationMs <= 0) return 1;
  return Math.min(1, Math.max(0, (nowMs - span.startMs) / span.durationMs));
}

/** The value at `nowMs`. */
export function rampAt(ramp: Ramp, nowMs: number): number {
  return ramp.from + (ramp.to - ramp.from) * progressAt(ramp, nowMs);
}

/**
 * The ramp after a further amount. Without `overMs` the amount counts at once and a growth under way goes on; with it,
 * one growth leads from the present value to the new final one.
 */
export function raise(
  ramp: Ramp,
  change: { readonly by: number; readonly cap: number; readonly nowMs: number; readonly overMs: number },
): Ramp {
  const to = Math.min(change.cap, ramp.to + change.by);
  if (change.overMs > 0) {
    return { from: rampAt(ramp, change.nowMs), to, startMs: change.nowMs, durationMs: change.overMs };
  }
  return { ...ramp, from: Math.min(change.cap, ramp.from + change.by), to };
}

/** The ramp that leads from the present value to another one. */
export function steerTo(
  ramp: Ramp,
  change: { readonly to: number; readonly nowMs: number; readonly overMs: number },
): Ramp {
  if (change.overMs <= 0) return constantRamp(change.to);
  return {
    from: rampAt(ramp, change.nowMs),
    to: change.to,
    startMs: change.nowMs,
    durationMs: change.overMs,
  };
}
