/** A condition on one series that asks for an action; fed every sample in order. */
export interface Rule {
  /** @param value NaN where it is missing. @returns whether it asks for an action now. */
  push(timeS: number, value: number): boolean;
  /** The target has just been acted on. */
  acted?(): void;
}

/** What a baseline may know of its series. */
export interface RuleSpec {
  readonly slo: number;
  readonly exit: number;
  readonly limit: number;
  readonly horizonS: number;
}

/** Samples are scraped with some jitter: a minute held is a minute less this, seconds. */
const JITTER_S = 2;

/** Prometheus' `for:`: true once `condition` has held for `forS` seconds of samples; a missing one ends it. */
function heldFor(forS: number, condition: (timeS: number, value: number) => boolean): Rule {
  let since = Number.NaN;
  return {
    push(timeS, value) {
      if (!condition(timeS, value)) {
        since = Number.NaN;
        return false;
      }
      if (Number.isNaN(since)) since = timeS;
      return timeS - since >= forS - JITTER_S;
    },
  };
}

/** `value > SLO`, for one minute. */
export function staticRule({ slo }: RuleSpec): Rule {
  return heldFor(60, (_, value) => value > slo);
}

/**
 * `predict_linear(value[range], horizon) > SLO`, for one minute: least squares through the samples of the last
 * `rangeS` seconds, read `horizonS` after now. Like Prometheus it needs two samples, and forgets nothing after an
 * action.
 */
export function predictLinearRule({ slo, horizonS }: RuleSpec, rangeS: number): Rule {
  const times: number[] = [];
  const values: number[] = [];
  return heldFor(60, (timeS, value) => {
    if (value >= 0) {
      times.push(timeS);
      values.push(value);
    }
    while (times.length > 0 && timeS - (times[0] as number) > rangeS) {
      times.shift();
      values.shift();
    }
    return value >= 0 && times.length >= 2 && lineAt(times, values, timeS, horizonS) > slo;
  });
}

/** Ordinary least squares, read `aheadS` seconds after `nowS`. */
function lineAt(times: readonly number[], values: readonly number[], nowS: number, aheadS: number): number {
  const n = times.length;
  let st = 0;
  let sy = 0;
  for (let i = 0; i < n; i++) {
    st += (times[i] as number) - nowS;
    sy += values[i] as number;
  }
  const meanT = st / n;
  const meanY = sy / n;
  let tt = 0;
  let ty = 0;
  for (let i = 0; i < n; i++) {
    const dt = (times[i] as number) - nowS - meanT;
    tt += dt * dt;
    ty += dt * ((values[i] as number) - meanY);
  }
  return meanY + (tt > 0 ? ty / tt : 0) * (aheadS - meanT);
}
