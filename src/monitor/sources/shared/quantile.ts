/** The standard buckets are at most this wide, upper bound by lower bound; in wider ones interpolation is guessing. */
const WIDEST = 4;
/** A value of the last bound may differ in its last digits. */
const SAME = 1e-9;

/** A quantile that its buckets tell less exactly than the number looks. */
export interface LowerBound {
  /** What it certainly reaches, in the unit of `value`. */
  readonly value: number;
  /** For people: which buckets there are. */
  readonly why: string;
}

/**
 * Whether a quantile that was interpolated between buckets stands for no more than a lower bound: it lies in the last,
 * open bucket, or in one that is so wide that nobody can tell on which side of the SLO it is.
 * @param bounds finite upper bounds, ascending, at least one, in the unit of `value`.
 * @param slo in the same unit.
 */
export function lowerBound(
  value: number,
  bounds: readonly number[],
  {
    slo,
    metric,
    shown,
  }: { readonly slo: number; readonly metric: string; readonly shown: (value: number) => string },
): LowerBound | undefined {
  const top = bounds.at(-1) as number;
  if (value >= top * (1 - SAME)) return { value: top, why: `the buckets of ${metric} end at ${shown(top)}` };
  const at = bounds.findIndex((bound) => value <= bound * (1 + SAME));
  const upper = bounds[at] as number;
  const lower = at === 0 ? 0 : (bounds[at - 1] as number);
  if (slo <= lower || slo >= upper || upper <= WIDEST * lower) return undefined;
  return {
    value: lower,
    why: `the SLO lies inside the bucket of ${metric} from ${shown(lower)} to ${shown(upper)}`,
  };
}

/** Whether a value lies on one of the bounds: they may have changed since they were read. */
export function onBound(value: number, bounds: readonly number[]): boolean {
  return bounds.some((bound) => Math.abs(value - bound) <= SAME * bound);
}
