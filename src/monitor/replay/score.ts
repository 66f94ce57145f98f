import { seriesKey } from "../kernel/target.ts";
import { type History, observedMs, type SeriesHistory } from "./input/history.ts";
import type { Incident, Labels } from "./input/labels.ts";

/** An action, as far as scoring goes. */
export interface TimedAction {
  readonly target: string;
  readonly signal: string;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** How a method did on one signal, or on all. */
export interface Score {
  /** Name of the signal; `all`: over every signal. */
  readonly signal: string;
  readonly series: number;
  readonly actions: number;
  /** What the labels say; undefined without labels. */
  readonly judged: Judged | undefined;
}

export interface Judged {
  /** Labelled series; the others' actions are counted, not judged. */
  readonly series: number;
  readonly incidents: number;
  /** Incidents with an action from the onset on and before the breach. */
  readonly detected: number;
  /** Incidents whose first action came at the breach or after it. */
  readonly late: number;
  /** Breach minus first action, seconds, over detected and late incidents; undefined when there is none. */
  readonly leadMeanS: number | undefined;
  readonly leadMedianS: number | undefined;
  /** Actions before the first onset, or on a series that never broke. */
  readonly falseActions: number;
  /** Days of labelled series in which an action would have been false. */
  readonly healthyDays: number;
  /** False actions a healthy service-day; undefined when there is no such day. */
  readonly falsePerDay: number | undefined;
}

export interface ScoreInput {
  readonly history: History;
  readonly actions: readonly TimedAction[];
  readonly labels: Labels | undefined;
  /** A silence longer than this is not observed time, milliseconds. */
  readonly silenceMs: number;
}

const DAY_MS = 86_400_000;

/** Scores actions by signal, in order of the signals' first appearance, and over all. */
export function score(input: ScoreInput): Score[] {
  const bySignal = Map.groupBy(input.history.series, (s) => s.signal);
  const bySeries = Map.groupBy(input.actions, (a) => seriesKey(a.target, a.signal));
  const rows = [...bySignal].map(([signal, series]) => scoreOf(signal, series, bySeries, input));
  return [...rows, scoreOf("all", input.history.series, bySeries, input)];
}

function scoreOf(
  signal: string,
  series: readonly SeriesHistory[],
  bySeries: ReadonlyMap<string, readonly TimedAction[]>,
  { labels, silenceMs }: ScoreInput,
): Score {
  let actions = 0;
  const tally = { series: 0, incidents: 0, leads: [] as number[], falseActions: 0, healthyMs: 0 };
  for (const one of series) {
    const key = seriesKey(one.target, one.signal);
    const own = bySeries.get(key) ?? [];
    actions += own.length;
    const incidents = labels?.get(key);
    if (incidents === undefined) continue;
    const onset = incidents[0]?.onsetMs ?? Number.POSITIVE_INFINITY;
    tally.series += 1;
    tally.incidents += incidents.length;
    tally.leads.push(...leadsOf(own, incidents));
    tally.falseActions += own.filter((a) => a.atMs < onset).length;
    tally.healthyMs += observedMs(one, silenceMs, onset);
  }
  return { signal, series: series.length, actions, judged: labels && judged(tally) };
}

/** Lead of each incident that was acted on: its first action, from its onset to the next incident's. Milliseconds. */
function leadsOf(actions: readonly TimedAction[], incidents: readonly Incident[]): number[] {
  return incidents.flatMap(({ onsetMs, breachMs }, i) => {
    const endMs = incidents[i + 1]?.onsetMs ?? Number.POSITIVE_INFINITY;
    const first = actions.find((a) => a.atMs >= onsetMs && a.atMs < endMs);
    return first === undefined ? [] : [breachMs - first.atMs];
  });
}

function judged(tally: {
  series: number;
  incidents: number;
  leads: number[];
  falseActions: number;
  healthyMs: number;
}): Judged {
  const { series, incidents, falseActions } = tally;
  const leads = tally.leads.toSorted((a, b) => a - b);
  const n = leads.length;
  const detected = leads.filter((lead) => lead > 0).length;
  const middle = ((leads[(n - 1) >> 1] ?? 0) + (leads[n >> 1] ?? 0)) / 2;
  const days = tally.healthyMs / DAY_MS;
  return {
    series,
    incidents,
    detected,
    late: n - detected,
    leadMeanS: n === 0 ? undefined : leads.reduce((a, b) => a + b, 0) / n / 1000,
    leadMedianS: n === 0 ? undefined : middle / 1000,
    falseActions,
    healthyDays: days,
    falsePerDay: days > 0 ? falseActions / days : undefined,
  };
}
