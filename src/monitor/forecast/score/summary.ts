import { fade } from "./aggregate.ts";
import { aggregateAt, type ScoreBank } from "./bank.ts";
import * as at from "./layout.ts";

/** Forecasts whose probability lay in one tenth of 0..1. */
interface Decile {
  /** Mean probability said, and share of them that came true; undefined where there were none. */
  readonly forecastMean: number | undefined;
  readonly observedShare: number | undefined;
  /** Number of forecasts, the older ones counting less. */
  readonly count: number;
}

/** Alarms and breaches since the start; leads over the last 64 true alarms. */
interface AlarmFigures {
  /** Followed by a sample above the SLO within the alarm window. */
  readonly true: number;
  /** Not followed by one, and not acted on. */
  readonly false: number;
  /** Acted on, or without samples to tell by. */
  readonly unknowable: number;
  /** Came when the series was above its SLO already. */
  readonly late: number;
  readonly meanLeadS: number | undefined;
  readonly medianLeadS: number | undefined;
  /** Excursions above the SLO (first in a horizon) that a true alarm foretold, that none did, that followed an action. */
  readonly breachesAnnounced: number;
  readonly breachesUnannounced: number;
  readonly breachesUnknowable: number;
}

/** How good a predictor has been. Shares, errors and means are rolling (half-life of the bank); numbers are since the start. */
export interface ScoreSummary {
  /** Mean absolute percentage error as a share of the observed value (0.18 = 18 %); undefined before the first score. */
  readonly mape: number | undefined;
  /** Share of outcomes inside the interval, and the share it claims; undefined without intervals. */
  readonly coverage: number | undefined;
  readonly nominalCoverage: number | undefined;
  readonly deciles: readonly Decile[];
  /** Mean squared error of the probability, 0..1 (Brier 1950). */
  readonly brier: number | undefined;
  /** Expected calibration error over the deciles, 0..1: mean |said - seen|, weighted by their numbers. Too large when few. */
  readonly calibrationError: number | undefined;
  /** Scored; without a sample to score by; void after an action; left out as too close to another. */
  readonly scored: number;
  readonly unscored: number;
  readonly voided: number;
  readonly thinned: number;
  /** Scored, but too close to zero for a percentage error. */
  readonly belowFloor: number;
  /** Time of the newest score. */
  readonly lastScoredS: number | undefined;
  readonly alarms: AlarmFigures;
}

/** The aggregate of a group, or of all groups together, brought to the newest block among them. */
function gather(bank: ScoreBank, w: number, group: number | undefined): { a: Float64Array; leads: number[] } {
  if (group !== undefined) {
    const a = aggregateOf(bank, w, group);
    return { a, leads: leadsOf(a) };
  }
  const parts = bank.groups.map((_, g) => aggregateOf(bank, w, g));
  const started = parts.filter((p) => !Number.isNaN(p[at.BLOCK]));
  const newest = Math.max(...started.map((p) => p[at.BLOCK] as number));
  const a = new Float64Array(at.AGGREGATE);
  a[at.LAST_SCORED] =
    started.length === 0 ? Number.NaN : Math.max(...started.map((p) => p[at.LAST_SCORED] as number));
  for (const part of parts) {
    for (let k = 0; k < at.LAST_SCORED; k++) a[k] = (a[k] as number) + (part[k] as number);
    if (Number.isNaN(part[at.BLOCK])) continue;
    const left = fade(bank, newest - (part[at.BLOCK] as number));
    for (let k = at.FADING; k < at.FADING_END; k++) a[k] = (a[k] as number) + left * (part[k] as number);
  }
  return { a, leads: parts.flatMap(leadsOf) };
}

function aggregateOf(bank: ScoreBank, w: number, g: number): Float64Array {
  const o = aggregateAt(bank, w, g);
  return bank.aggregates.subarray(o, o + at.AGGREGATE);
}

function leadsOf(a: Float64Array): number[] {
  return [...a.subarray(at.LEAD, at.LEAD + (a[at.LEAD_COUNT] as number))];
}

function ratio(above: number, below: number): number | undefined {
  return below > 0 ? above / below : undefined;
}

function deciles(a: Float64Array): Decile[] {
  return Array.from({ length: at.DECILES }, (_, d) => {
    const n = a[at.DECILE_N + d] as number;
    return {
      forecastMean: ratio(a[at.DECILE_P + d] as number, n),
      observedShare: ratio(a[at.DECILE_HITS + d] as number, n),
      count: n,
    };
  });
}

function median(sorted: readonly number[]): number | undefined {
  if (sorted.length === 0) return undefined;
  const mid = sorted.length >> 1;
  const upper = sorted[mid] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[mid - 1] as number)) / 2;
}

function alarmFigures(a: Float64Array, leads: number[]): AlarmFigures {
  leads.sort((x, y) => x - y);
  return {
    true: a[at.ALARMS_TRUE] as number,
    false: a[at.ALARMS_FALSE] as number,
    unknowable: a[at.ALARMS_UNKNOWABLE] as number,
    late: a[at.ALARMS_LATE] as number,
    meanLeadS: ratio(
      leads.reduce((sum, lead) => sum + lead, 0),
      leads.length,
    ),
    medianLeadS: median(leads),
    breachesAnnounced: a[at.BREACHES_ANNOUNCED] as number,
    breachesUnannounced: a[at.BREACHES_UNANNOUNCED] as number,
    breachesUnknowable: a[at.BREACHES_UNKNOWABLE] as number,
  };
}

/** The figures of predictor `w` (an index into `predictors`) over one group, or over all when none is given. */
export function summary(bank: ScoreBank, w: number, group?: number): ScoreSummary {
  const { a, leads } = gather(bank, w, group);
  const nominal = (bank.predictors[w] as { nominalCoverage: number }).nominalCoverage;
  const tenths = deciles(a);
  const off = tenths.reduce(
    (sum, d) => sum + d.count * Math.abs((d.forecastMean ?? 0) - (d.observedShare ?? 0)),
    0,
  );
  const last = a[at.LAST_SCORED] as number;
  return {
    mape: ratio(a[at.APE] as number, a[at.APE_N] as number),
    coverage: ratio(a[at.COVERED] as number, a[at.COVER_N] as number),
    nominalCoverage: Number.isNaN(nominal) ? undefined : nominal,
    deciles: tenths,
    brier: ratio(a[at.SQUARED] as number, a[at.PROB_N] as number),
    calibrationError: ratio(off, a[at.PROB_N] as number),
    scored: a[at.SCORED] as number,
    unscored: a[at.UNSCORED] as number,
    voided: a[at.VOIDED] as number,
    thinned: a[at.THINNED] as number,
    belowFloor: a[at.BELOW_FLOOR] as number,
    lastScoredS: Number.isNaN(last) ? undefined : last,
    alarms: alarmFigures(a, leads),
  };
}
