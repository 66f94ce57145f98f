import { seriesKey } from "../../kernel/target.ts";

/** The samples of one series. A missing value is NaN; a negative one is kept, for the loop to refuse. */
export interface SeriesHistory {
  readonly target: string;
  readonly signal: string;
  readonly count: number;
  /** Milliseconds since the Unix epoch, ascending; the first `count` are meant. */
  readonly timesMs: Float64Array;
  /** In the signal's unit. */
  readonly values: Float64Array;
}

/** Everything that is replayed. */
export interface History {
  /** In the order of their first appearance. */
  readonly series: readonly SeriesHistory[];
  /** Values that are there, of all series. */
  readonly samples: number;
}

/** A history of these series. */
export function historyOf(series: readonly SeriesHistory[]): History {
  let samples = 0;
  for (const { values, count } of series)
    for (let i = 0; i < count; i++) if (Number.isFinite(values[i])) samples += 1;
  return { series, samples };
}

/** Collects samples into typed arrays. */
export interface Recorder {
  /** Position of a series, which is begun when it is new. */
  seriesAt(target: string, signal: string): number;
  /** Time of the newest sample of a series; -Infinity when it has none. */
  newestMs(at: number): number;
  /** `timeMs` must be later than `newestMs`. */
  add(at: number, timeMs: number, value: number): void;
  end(): History;
}

interface Growing {
  readonly target: string;
  readonly signal: string;
  count: number;
  timesMs: Float64Array;
  values: Float64Array;
}

const FIRST_CAPACITY = 256;

export function createRecorder(): Recorder {
  const series: Growing[] = [];
  const byKey = new Map<string, number>();
  return {
    seriesAt(target, signal) {
      const key = seriesKey(target, signal);
      const known = byKey.get(key);
      if (known !== undefined) return known;
      byKey.set(key, series.length);
      return (
        series.push({
          target: own(target),
          signal: own(signal),
          count: 0,
          timesMs: new Float64Array(FIRST_CAPACITY),
          values: new Float64Array(FIRST_CAPACITY),
        }) - 1
      );
    },
    newestMs(at) {
      const s = series[at];
      return s === undefined || s.count === 0 ? Number.NEGATIVE_INFINITY : (s.timesMs[s.count - 1] as number);
    },
    add(at, timeMs, value) {
      const s = series[at] as Growing;
      if (s.count === s.timesMs.length) {
        s.timesMs = doubled(s.timesMs);
        s.values = doubled(s.values);
      }
      s.timesMs[s.count] = timeMs;
      s.values[s.count] = value;
      s.count += 1;
    },
    end: () => historyOf(series),
  };
}

/** A copy of its own: a piece cut out of a larger text would keep all of that in memory. */
function own(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}

function doubled(array: Float64Array): Float64Array {
  const larger = new Float64Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** Median distance of a series' samples, milliseconds; Infinity with fewer than two. */
export function usualStepMs({ timesMs, count }: SeriesHistory): number {
  if (count < 2) return Number.POSITIVE_INFINITY;
  const steps = new Float64Array(count - 1);
  for (let i = 1; i < count; i++) steps[i - 1] = (timesMs[i] as number) - (timesMs[i - 1] as number);
  steps.sort();
  return steps[(count - 1) >> 1] as number;
}

/** Time of which a series speaks between two moments, milliseconds; silences longer than `silenceMs` do not count. */
export function observedMs(
  series: SeriesHistory,
  silenceMs: number,
  untilMs = Number.POSITIVE_INFINITY,
): number {
  const { timesMs, values, count } = series;
  const longest = Math.max(silenceMs, 1.5 * usualStepMs(series));
  let sum = 0;
  let last = Number.NaN;
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(values[i] as number)) continue;
    const t = Math.min(timesMs[i] as number, untilMs);
    if (t - last <= longest) sum += t - last;
    last = t;
    if (t >= untilMs) break;
  }
  return sum;
}
