import type { ReplayedAction } from "../engine/engine.ts";
import type { Score } from "../score.ts";

/** A method and how it did. */
export interface MethodScores {
  readonly method: string;
  readonly scores: readonly Score[];
}

/** What a replay came to. */
export interface Summary {
  readonly series: number;
  /** Values that were there. */
  readonly samples: number;
  readonly actions: number;
  readonly wallMs: number;
}

/** One JSON object for an action; `ts` in Unix seconds, as in the input. */
export function actionLine(action: ReplayedAction): string {
  return JSON.stringify({
    type: "action",
    target: action.target,
    signal: action.signal,
    ts: action.atMs / 1000,
    reason: action.reason,
    forecast: action.forecast ?? null,
    probability: action.probability,
  });
}

/** One JSON object a method and signal. */
export function scoreLine(method: string, { signal, series, actions, judged }: Score): string {
  const by =
    judged === undefined
      ? {}
      : {
          labelled: judged.series,
          incidents: judged.incidents,
          detected_before_breach: judged.detected,
          late: judged.late,
          lead_mean_seconds: judged.leadMeanS ?? null,
          lead_median_seconds: judged.leadMedianS ?? null,
          false_mitigations: judged.falseActions,
          healthy_service_days: judged.healthyDays,
          false_per_service_day: judged.falsePerDay ?? null,
        };
  return JSON.stringify({ type: "score", method, signal, series, actions, ...by });
}

/** The last line. */
export function summaryLine(s: Summary): string {
  return JSON.stringify({
    type: "summary",
    series: s.series,
    samples: s.samples,
    actions: s.actions,
    wall_ms: Math.round(s.wallMs),
  });
}
