import { type Method, specOf } from "./decider.ts";
import { type Run, trueValueAt } from "./runs.ts";
import { TAIL_S } from "./shapes.ts";

/** What one method did in one run. */
export interface Outcome {
  readonly days: number;
  /** Mitigations while nothing was wrong (in a fault run: before the onset). */
  readonly falseActs: number;
  /** Seconds from the onset to the first mitigation after it; NaN: none. */
  readonly delayS: number;
  /** Seconds from the first mitigation to the breach; negative when late; -`TAIL_S` when none came. NaN without a fault. */
  readonly leadS: number;
  /** Sum and number of |forecast - truth| / truth at the horizon, between onset and breach. */
  readonly apeSum: number;
  readonly apeCount: number;
  /** Triggers of the false mitigations, for people. */
  readonly triggers: readonly string[];
}

/** Runs one method over one run. A fault run ends at the first mitigation after the onset (forecasts are read on). */
export function judge(method: Method, run: Run): Outcome {
  const spec = specOf(run);
  const decider = method.create(spec);
  const { onsetS, breachS } = run.truth;
  const isFault = run.scenario.group === "fault";
  const sample = { timeS: 0, value: 0, support: undefined as number | undefined };
  const triggers: string[] = [];
  let actedS = Number.NaN;
  let falseActs = 0;
  let apeSum = 0;
  let apeCount = 0;
  for (let i = 0; i < run.times.length; i++) {
    const t = run.times[i] as number;
    sample.timeS = t;
    sample.value = run.values[i] as number;
    const n = run.support[i] as number;
    sample.support = Number.isNaN(n) ? undefined : n;
    const acted = decider.push(sample);
    if (acted !== undefined) {
      if (isFault && t >= onsetS) {
        actedS = t;
        break;
      }
      falseActs++;
      triggers.push(acted.trigger);
    }
    if (isFault && t > onsetS && t < breachS && decider.forecast !== undefined) {
      const truth = trueValueAt(run, t + spec.horizonS);
      const forecast = decider.forecast();
      if (truth > 0 && Number.isFinite(forecast)) {
        apeSum += Math.abs(forecast - truth) / truth;
        apeCount++;
      }
    }
  }
  return {
    days: (isFault ? onsetS : (run.times[run.times.length - 1] ?? 0)) / 86_400,
    falseActs,
    delayS: actedS - onsetS,
    leadS: isFault ? (Number.isNaN(actedS) ? -TAIL_S : Math.max(-TAIL_S, breachS - actedS)) : Number.NaN,
    apeSum,
    apeCount,
    triggers,
  };
}
