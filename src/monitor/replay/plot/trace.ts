import type { Decision, Forecast } from "../../kernel/decision.ts";
import { seriesKey } from "../../kernel/target.ts";
import type { History } from "../input/history.ts";

/** Points kept a series, whatever its length: more than a plot has pixels across. */
export const COLUMNS = 900;

/** The forecasts of one series, at the times they speak of. */
export interface SeriesTrace {
  readonly fromMs: number;
  /** Width of a column, milliseconds. */
  readonly columnMs: number;
  /** In the signal's unit; NaN where none was made. */
  readonly forecast: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
}

export type Trace = ReadonlyMap<string, SeriesTrace>;

export interface Tracer {
  take(decision: Decision, atMs: number): void;
  trace(): Trace;
}

/** Keeps the newest forecast of each column of time, in memory that does not grow with the length of the past. */
export function createTracer(history: History, horizonMs: number): Tracer {
  const traces = new Map<string, SeriesTrace>();
  for (const s of history.series) {
    const fromMs = s.timesMs[0] as number;
    const spanMs = (s.timesMs[s.count - 1] as number) - fromMs + horizonMs;
    traces.set(seriesKey(s.target, s.signal), {
      fromMs,
      columnMs: Math.max(1, spanMs / COLUMNS),
      forecast: unknown(),
      low: unknown(),
      high: unknown(),
    });
  }
  return {
    take(decision, atMs) {
      const trace = traces.get(seriesKey(decision.target, decision.signal));
      const forecast = shownForecast(decision);
      if (trace === undefined || forecast === undefined) return;
      const column = Math.floor((atMs + horizonMs - trace.fromMs) / trace.columnMs);
      if (column < 0 || column > COLUMNS) return;
      // The newest forecast ends with the last column.
      const at = Math.min(column, COLUMNS - 1);
      trace.forecast[at] = forecast.value;
      trace.low[at] = forecast.low ?? Number.NaN;
      trace.high[at] = forecast.high ?? Number.NaN;
    },
    trace: () => traces,
  };
}

function unknown(): Float64Array {
  return new Float64Array(COLUMNS).fill(Number.NaN);
}

/** The forecast to show: one with an interval before one without, then that of the predictor which is named. */
function shownForecast({ verdicts, predictor }: Decision): Forecast | undefined {
  const forecasts = verdicts.flatMap((v) => (v.forecast === undefined ? [] : [v.forecast]));
  return (
    forecasts.find((f) => f.low !== undefined && f.high !== undefined) ??
    forecasts.find((f) => f.predictor === predictor) ??
    forecasts[0]
  );
}
