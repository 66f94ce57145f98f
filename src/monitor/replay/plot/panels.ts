import { seriesKey, type Target } from "../../kernel/target.ts";
import { CAUSE_WORDS } from "../../rules/explain.ts";
import type { ReplayedAction } from "../engine/engine.ts";
import { type History, type SeriesHistory, usualStepMs } from "../input/history.ts";
import type { Incident, Labels } from "../input/labels.ts";
import { showTime } from "../output/time.ts";
import { COLUMNS, type SeriesTrace, type Trace } from "./trace.ts";

/** Most panels in one file. */
const MOST_PANELS = 24;

export interface PlotInput {
  readonly history: History;
  readonly targets: readonly Target[];
  readonly actions: readonly ReplayedAction[];
  readonly labels: Labels | undefined;
  readonly trace: Trace;
  /** Forecast horizon, seconds. */
  readonly horizonS: number;
}

/** What the page of a replay is drawn from, as JSON; times in seconds. */
export type Plot = ReturnType<typeof plotOf>;

/** Charts of a replay: one a series, those with an action first, then those with an incident. */
export function plotOf(input: PlotInput) {
  const panels = choosePanels(input);
  const left = panels.length - Math.min(panels.length, MOST_PANELS);
  const n = input.actions.length;
  return {
    title: `Replay: ${panels.length} series, ${n} action${n === 1 ? "" : "s"}`,
    note: `Times are UTC.${left === 0 ? "" : ` ${left} more series are left out (at most ${MOST_PANELS} are drawn).`}`,
    horizonS: input.horizonS,
    panels: panels.slice(0, MOST_PANELS).map(panelOf),
  };
}

type Chosen = ReturnType<typeof choosePanels>[number];

function choosePanels({ history, targets, labels, trace, actions }: PlotInput) {
  const acted = Map.groupBy(actions, (a) => seriesKey(a.target, a.signal));
  const chosen = history.series.flatMap((series) => {
    const key = seriesKey(series.target, series.signal);
    const target = targets.find((t) => t.name === series.target);
    const signal = target?.signals.find((s) => s.name === series.signal);
    const own = trace.get(key);
    if (signal === undefined || own === undefined) return [];
    return [{ series, signal, trace: own, actions: acted.get(key) ?? [], incidents: labels?.get(key) ?? [] }];
  });
  const rank = (c: (typeof chosen)[number]) => (c.actions.length > 0 ? 2 : c.incidents.length > 0 ? 1 : 0);
  return chosen.sort((a, b) => rank(b) - rank(a));
}

function panelOf({ series, signal, trace, actions, incidents }: Chosen) {
  const { slo, limit } = signal.thresholds;
  const from = series.timesMs[0] as number;
  const to = Math.max(from + 1, series.timesMs[series.count - 1] as number);
  const top = topValue(series, trace, { slo, limit });
  return {
    ...{ target: series.target, metric: series.signal, slo, limit },
    window: [from / 1000, to / 1000] as [number, number],
    range: [0, top] as [number, number],
    observed: observed(series),
    forecast: forecasts(trace),
    marks: [
      ...incidents.flatMap(incidentMarks),
      ...actions.map((a) => ({ at: a.atMs / 1000, mark: "◆", text: a.reason })),
    ].sort((a, b) => a.at - b.at),
    actions: actions.map((a) => ({
      time: showTime(a.atMs),
      because: CAUSE_WORDS[a.reason],
      forecast: a.forecast ?? null,
      probability: a.probability,
    })),
  };
}

/** The highest value shown: all that was observed, the SLO, and the limit where it is not far above. */
function topValue(series: SeriesHistory, trace: SeriesTrace, { slo, limit }: { slo: number; limit: number }) {
  const highest = (values: Float64Array) => values.filter((v) => v > 0).reduce((a, b) => Math.max(a, b), 0);
  const seen = Math.max(slo, highest(series.values.subarray(0, series.count)));
  // A wild forecast must not squeeze what was observed into a flat line: what is above is cut off.
  const high = Math.max(seen, Math.min(highest(trace.forecast), 1.5 * seen));
  return 1.08 * (limit <= 1.6 * high ? Math.max(limit, high) : high);
}

const short = (value: number) => Number(value.toPrecision(5));

/** The samples; more than fit a plot as the lowest and the highest of each column of time. Null is a gap. */
function observed(series: SeriesHistory): { at: number[]; values: (number | null)[] } {
  const { timesMs, values, count } = series;
  const [at, kept]: [number[], (number | null)[]] = [[], []];
  const fromMs = timesMs[0] as number;
  const width = Math.max(1, ((timesMs[count - 1] as number) - fromMs) / COLUMNS);
  const column = (i: number) => Math.floor(((timesMs[i] as number) - fromMs) / width);
  const put = (timeMs: number, value: number | null) => {
    at.push(timeMs / 1000);
    kept.push(value);
  };
  const gapMs = 3 * usualStepMs(series);
  let seenMs = Number.NaN;
  for (let i = 0; i < count; ) {
    const own = column(i);
    const known: number[] = [];
    for (; i < count && column(i) === own; i++) if ((values[i] as number) >= 0) known.push(i);
    const [first, last] = [known[0], known.at(-1)];
    if (first === undefined || last === undefined) continue;
    if ((timesMs[first] as number) - seenMs > gapMs) put(seenMs + 1, null);
    known.sort((a, b) => (values[a] as number) - (values[b] as number));
    for (const k of new Set([known[0] as number, known.at(-1) as number].sort((a, b) => a - b)))
      put(timesMs[k] as number, short(values[k] as number));
    seenMs = timesMs[last] as number;
  }
  return { at, values: kept };
}

/** Columns may be narrower than the cycle: forecasts up to this many columns apart are joined. */
const JOIN = 40;

function forecasts({ fromMs, columnMs, forecast, low, high }: SeriesTrace) {
  const at: number[] = [];
  const rows: (number | null)[][] = [];
  let before = Number.NaN;
  forecast.forEach((value, k) => {
    if (Number.isNaN(value)) return;
    const atMs = fromMs + (k + 0.5) * columnMs;
    if (k - before > JOIN) {
      at.push((atMs - columnMs / 2) / 1000);
      rows.push([null, null, null]);
    }
    at.push(atMs / 1000);
    rows.push([value, low[k] as number, high[k] as number].map((v) => (Number.isNaN(v) ? null : short(v))));
    before = k;
  });
  const pick = (i: number) => rows.map((row) => row[i] ?? null);
  return { at, value: pick(0), low: pick(1), high: pick(2) };
}

function incidentMarks({ onsetMs, breachMs }: Incident) {
  const mark = (ms: number, text: string) => ({ at: ms / 1000, mark: "", text });
  if (onsetMs === breachMs) return [mark(onsetMs, "onset and breach")];
  return [mark(onsetMs, "onset"), mark(breachMs, "breach")];
}
