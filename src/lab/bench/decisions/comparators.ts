import { type Acted, guarded, type Method, type Rule, type SeriesSpec } from "./decider.ts";

/** Last samples in order, dropped by number or by age. */
interface Window {
  readonly times: number[];
  readonly values: number[];
}

function remember(w: Window, timeS: number, value: number, keep: { count?: number; ageS?: number }): void {
  w.times.push(timeS);
  w.values.push(value);
  while (
    w.times.length > (keep.count ?? Number.POSITIVE_INFINITY) ||
    timeS - (w.times[0] as number) > (keep.ageS ?? Number.POSITIVE_INFINITY)
  ) {
    w.times.shift();
    w.values.shift();
  }
}

/** Ordinary least squares through the window, read at `aheadS` after its last sample. */
function leastSquares(w: Window, aheadS: number): { forecast: number; r2: number } {
  const n = w.times.length;
  const last = w.times[n - 1] as number;
  let st = 0;
  let sy = 0;
  for (let i = 0; i < n; i++) {
    st += (w.times[i] as number) - last;
    sy += w.values[i] as number;
  }
  const mt = st / n;
  const my = sy / n;
  let stt = 0;
  let sty = 0;
  let syy = 0;
  for (let i = 0; i < n; i++) {
    const dt = (w.times[i] as number) - last - mt;
    const dy = (w.values[i] as number) - my;
    stt += dt * dt;
    sty += dt * dy;
    syy += dy * dy;
  }
  const slope = stt > 0 ? sty / stt : 0;
  return { forecast: my + slope * (aheadS - mt), r2: syy > 0 ? (slope * sty) / syy : 1 };
}

function usable(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** The founding algorithm with its defaults: 20 samples, R2 >= 0.2, probability from the SLO to the hard limit. */
export function linearRule(spec: SeriesSpec): Rule {
  const w: Window = { times: [], values: [] };
  let inRisk = false;
  let confirming = 0;
  let last = Number.NaN;
  return {
    push(s): Acted | undefined {
      if (!usable(s.value)) return undefined;
      remember(w, s.timeS, s.value, { count: 20 });
      if (w.times.length < 3) return undefined;
      const { forecast, r2 } = leastSquares(w, spec.horizonS);
      last = forecast;
      if (forecast > spec.slo) inRisk = true;
      else if (forecast < 0.9 * spec.slo) inRisk = false;
      const probability = Math.max(0, Math.min(1, (forecast - spec.slo) / (spec.limit - spec.slo)));
      const inBand = inRisk && r2 >= 0.2 && probability >= 0.3 && probability < 0.6;
      confirming = inBand ? confirming + 1 : 0;
      if (r2 < 0.2) return undefined;
      const reason = `forecast ${forecast.toPrecision(3)}, R2 ${r2.toFixed(2)}`;
      if (forecast >= 0.9 * spec.limit) return { trigger: "pre_timeout", reason };
      if (inRisk && probability >= 0.6) return { trigger: "strong", reason };
      return confirming >= 2 ? { trigger: "confirmed", reason } : undefined;
    },
    forget() {
      w.times.length = 0;
      w.values.length = 0;
      inRisk = false;
      confirming = 0;
    },
    forecast: () => last,
  };
}

/** A condition that must hold for `forS` seconds, as Prometheus' `for:` has it; a missing sample ends it. */
function heldFor(
  forS: number,
  condition: (timeS: number, value: number) => boolean,
  reset: () => void,
): Rule {
  let since = Number.NaN;
  return {
    push(s) {
      if (!usable(s.value) || !condition(s.timeS, s.value)) {
        since = Number.NaN;
        return undefined;
      }
      if (Number.isNaN(since)) since = s.timeS;
      // Rule evaluations are aligned in Prometheus; two seconds of grace for jittered sampling.
      return s.timeS - since >= forS - 2 ? { trigger: "rule", reason: `held for ${forS} s` } : undefined;
    },
    forget() {
      since = Number.NaN;
      reset();
    },
  };
}

/** `y > SLO` for one minute. @internal for its tests */
export function staticRule(spec: SeriesSpec): Rule {
  return heldFor(
    60,
    (_, value) => value > spec.slo,
    () => undefined,
  );
}

/** `predict_linear(y[range], horizon) > SLO` for one minute. @internal for its tests */
export function predictLinearRule(spec: SeriesSpec, rangeS: number): Rule {
  const w: Window = { times: [], values: [] };
  let last = Number.NaN;
  const rule = heldFor(
    60,
    (timeS, value) => {
      remember(w, timeS, value, { ageS: rangeS });
      if (w.times.length < 2) return false;
      last = leastSquares(w, spec.horizonS).forecast;
      return last > spec.slo;
    },
    () => {
      w.times.length = 0;
      w.values.length = 0;
    },
  );
  rule.forecast = () => last;
  return rule;
}

/** What is in use today, and the founding algorithm. */
export const COMPARATORS: readonly Method[] = [
  { name: "linear", title: "founding algorithm (linear, 20 samples)", create: (s) => guarded(linearRule(s)) },
  { name: "static", title: "static threshold for 1 m", create: (s) => guarded(staticRule(s)) },
  {
    name: "predict_linear_5m",
    title: "predict_linear 5 m for 1 m",
    create: (s) => guarded(predictLinearRule(s, 300)),
  },
  {
    name: "predict_linear_10m",
    title: "predict_linear 10 m for 1 m",
    create: (s) => guarded(predictLinearRule(s, 600)),
  },
];
