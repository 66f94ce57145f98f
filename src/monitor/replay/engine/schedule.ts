import { type SeriesHistory, usualStepMs } from "../input/history.ts";

export interface ScheduleOptions {
  /** Distance of ticks, milliseconds. */
  readonly cycleMs: number;
  /** A silence of all series is ticked through for this long, milliseconds; what is left of it is skipped. */
  readonly silenceMs: number;
}

/** A sample that comes this many usual steps after the one before is late: until then nothing was missing. */
const LATE = 1.5;

/**
 * When the loop would have run over these series, milliseconds, ascending: every cycle from the first sample on.
 * Where no sample falls into a cycle because the data is coarser, the tick waits for the next sample; through a gap it
 * goes on every cycle, as the monitor does, until the silence has lasted so long that nothing can change any more.
 */
export function tickTimes(series: readonly SeriesHistory[], options: ScheduleOptions): Float64Array {
  const { cycleMs, silenceMs } = options;
  const samples = allTimes(series);
  if (samples.length === 0) return samples;
  const usual = Math.min(...series.map(usualStepMs));
  const ticks: number[] = [];
  let now = samples[0] as number;
  let next = 0;
  for (;;) {
    ticks.push(now);
    while (next < samples.length && (samples[next] as number) <= now) next += 1;
    if (next === samples.length) return Float64Array.from(ticks);
    const newest = samples[next - 1] as number;
    const coming = samples[next] as number;
    const cycle = now + cycleMs;
    if (coming <= cycle) now = cycle;
    else if (coming - newest <= LATE * usual || cycle - newest > silenceMs) now = coming;
    else now = cycle;
  }
}

/** The times of all values that are there, ascending, each once. */
function allTimes(series: readonly SeriesHistory[]): Float64Array {
  const all = new Float64Array(series.reduce((n, s) => n + s.count, 0));
  let n = 0;
  for (const { timesMs, values, count } of series)
    for (let i = 0; i < count; i++) if (Number.isFinite(values[i])) all[n++] = timesMs[i] as number;
  const times = all.subarray(0, n);
  if (series.length === 1) return times;
  times.sort();
  let kept = 0;
  for (const t of times) if (kept === 0 || t !== times[kept - 1]) times[kept++] = t;
  return times.subarray(0, kept);
}
