import type { Run, Sample } from "./runs.ts";
import type { Kind } from "./shapes.ts";

/** An action that a method took, and why. */
export interface Acted {
  readonly trigger: string;
  readonly reason: string;
}

/**
 * The thing under test: one series, samples in order. `push` answers what it did with this sample; cooldown and
 * forgetting after an action are its own business. `forecast` (signal units, at the horizon) is read for MAPE only.
 */
export interface Decider {
  push(sample: Readonly<Sample>): Acted | undefined;
  forecast?(): number;
}

/** What a method may know of a series before it starts. */
export interface SeriesSpec {
  readonly kind: Kind;
  readonly slo: number;
  readonly limit: number;
  readonly cycleS: number;
  readonly horizonS: number;
  readonly rateWindowS: number;
}

/** A row of the table: how to make a decider for one series. */
export interface Method {
  readonly name: string;
  readonly title: string;
  readonly create: (spec: SeriesSpec) => Decider;
}

/** A rule without its cooldown: says whether it would act, and starts afresh on `forget`. */
export interface Rule {
  push(sample: Readonly<Sample>): Acted | undefined;
  forget(timeS: number): void;
  forecast?(): number;
}

const COOLDOWN_S = 300;
const HORIZON_S = 180;

/** A rule under the daemon's guard: at most one action in `COOLDOWN_S`, samples from before an action are forgotten. */
export function guarded(rule: Rule): Decider {
  let quietUntil = Number.NEGATIVE_INFINITY;
  const decider: Decider = {
    push(sample) {
      const acted = rule.push(sample);
      if (acted === undefined || sample.timeS < quietUntil) return undefined;
      quietUntil = sample.timeS + COOLDOWN_S;
      rule.forget(sample.timeS);
      return acted;
    },
  };
  const { forecast } = rule;
  if (forecast !== undefined) decider.forecast = () => forecast.call(rule);
  return decider;
}

/** Either rule may speak; both are forgotten together. */
export function either(first: Rule, second: Rule): Rule {
  return {
    push(sample) {
      const a = first.push(sample);
      const b = second.push(sample);
      return a ?? b;
    },
    forget(timeS) {
      first.forget(timeS);
      second.forget(timeS);
    },
    forecast: () => (first.forecast === undefined ? Number.NaN : first.forecast()),
  };
}

/** The spec of a run's series. */
export function specOf(run: Run): SeriesSpec {
  return {
    kind: run.scenario.kind,
    slo: run.slo,
    limit: run.limit,
    cycleS: run.cycleS,
    horizonS: HORIZON_S,
    rateWindowS: run.rateWindowS,
  };
}
