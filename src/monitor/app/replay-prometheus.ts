import { Agent } from "undici";
import { isObject } from "../../common/net/json.ts";
import type { Config } from "../config/types.ts";
import { makePlan } from "../cycle/state.ts";
import { ReplayInputError } from "../replay/input/error.ts";
import { createRecorder, type History, historyOf, type Recorder } from "../replay/input/history.ts";
import { createQuery, type Query } from "../sources/prometheus/client.ts";
import { groupPlan, groupQuery, type QueryGroup } from "../sources/prometheus/groups.ts";
import { MAX_POINTS } from "../sources/prometheus/history.ts";
import { freshnessPromql } from "../sources/prometheus/promql.ts";

/** A stretch of the past in Prometheus; times in milliseconds. */
export interface PrometheusRange {
  readonly url: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

interface Reading {
  readonly range: PrometheusRange;
  readonly config: Config;
  readonly stop: AbortSignal;
  readonly note: (line: string) => void;
}

/** Points asked for in one query, over all its series: bounds an answer to some megabytes. */
const POINTS_PER_QUERY = 50_000;
/** Deadline of one query, milliseconds: nobody waits for a cycle here. */
const QUERY_TIMEOUT_MS = 60_000;

/** Longest wait before the one retry of a query, milliseconds. */
const MAX_RETRY_DELAY_MS = 1000;

/** One chunk of time: the evaluation times `fromMs + k * stepMs`, k < `points`. */
interface Grid {
  readonly fromMs: number;
  readonly stepMs: number;
  readonly points: number;
}

/** Values along a grid, NaN where there is none. */
type Row = Float64Array;

/**
 * The configured targets' past, through range queries with the monitor's own PromQL at `start`, `start + step`, …
 * A time at which the monitor would have had no usable value (none there, the last scrape failed or too old) is
 * missing. Anything that goes wrong ends the reading: a gap in the answer must not pass for a quiet time.
 * @throws ReplayInputError
 */
export async function readPrometheusHistory(reading: Reading): Promise<History> {
  const { range, config, note } = reading;
  const agent = new Agent({ connections: 4 });
  try {
    const query = createQuery({
      baseUrl: range.url,
      dispatcher: agent,
      maxResponseBytes: config.sources.maxResponseBytes,
      maxRetryDelayMs: MAX_RETRY_DELAY_MS,
      random: Math.random,
    });
    const recorder = createRecorder();
    const unwatched = new Set<string>();
    for (const grid of gridsOf(range)) await readGrid({ reading, query, grid, recorder, unwatched });
    for (const job of unwatched)
      note(`Prometheus has no "up" of job ${job}: the age of its samples is not known and not judged`);
    const series = recorder.end().series.filter((s) => s.values.subarray(0, s.count).some(Number.isFinite));
    if (series.length === 0) {
      const jobs = config.targets.map((t) => t.job).join(", ");
      throw new ReplayInputError(
        `Prometheus at ${range.url} has nothing of job ${jobs} between --start and --end`,
      );
    }
    return historyOf(series);
  } finally {
    await agent.destroy();
  }
}

function* gridsOf({ startMs, endMs, stepMs }: PrometheusRange): Generator<Grid> {
  const total = Math.floor((endMs - startMs) / stepMs) + 1;
  for (let done = 0; done < total; done += MAX_POINTS)
    yield { fromMs: startMs + done * stepMs, stepMs, points: Math.min(MAX_POINTS, total - done) };
}

interface GridReading {
  readonly reading: Reading;
  readonly query: Query;
  readonly grid: Grid;
  readonly recorder: Recorder;
  /** Jobs without `up`. */
  readonly unwatched: Set<string>;
}

async function readGrid(input: GridReading): Promise<void> {
  const { grid, recorder, reading } = input;
  const size = Math.max(1, Math.floor(POINTS_PER_QUERY / grid.points));
  const plan = makePlan(reading.config.targets);
  for (const group of groupPlan(plan)) {
    const jobs = [...group.byJob.keys()];
    for (let from = 0; from < jobs.length; from += size) {
      const some = jobs.slice(from, from + size);
      const values = await readValues(input, group, some);
      const usable = await readUsable(input, some);
      for (const job of some)
        for (const series of group.byJob.get(job) ?? []) {
          const at = recorder.seriesAt(series.target.name, series.signal.name);
          const row = values.get(job);
          const fresh = usable.get(job);
          for (let k = 0; k < grid.points; k++) {
            const good = fresh === undefined || fresh[k] === 1;
            const value = good ? (row?.[k] ?? Number.NaN) : Number.NaN;
            recorder.add(at, grid.fromMs + k * grid.stepMs, value);
          }
        }
    }
  }
}

/** Each job's values along the grid; of several instances the worst, where the target is judged so. */
async function readValues(
  input: GridReading,
  group: QueryGroup,
  jobs: readonly string[],
): Promise<ReadonlyMap<string, Row>> {
  const promql = groupQuery(group, jobs, input.reading.config.sources.rateWindowMs);
  const rows = new Map<string, Row>();
  for (const series of await queryRange(input, promql)) {
    const known = rows.get(series.job);
    if (known === undefined) rows.set(series.job, series.row);
    else if (group.aggregate === "worst_instance")
      series.row.forEach((v, k) => {
        const before = known[k] as number;
        if (!Number.isNaN(v)) known[k] = Number.isNaN(before) ? v : Math.max(before, v);
      });
    else
      throw new ReplayInputError(
        `the query for ${group.signal} answers more than one series for job ${series.job}: ${promql}`,
      );
  }
  return rows;
}

/** For each job 1 where its last scrape went well and is young enough, else 0; absent for a job without `up`. */
async function readUsable(
  input: GridReading,
  jobs: readonly string[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { grid, reading, unwatched } = input;
  const limitMs = reading.config.sources.maxSampleAgeMs;
  const usable = new Map<string, Uint8Array>();
  for (const { job, row } of await queryRange(input, freshnessPromql(jobs))) {
    const marks = usable.get(job) ?? new Uint8Array(grid.points);
    usable.set(job, marks);
    // Of several instances one answers at a time, the least trustworthy; a failed scrape is negative.
    row.forEach((scrapedS, k) => {
      if (scrapedS > 0 && grid.fromMs + k * grid.stepMs - 1000 * scrapedS <= limitMs) marks[k] = 1;
    });
  }
  for (const job of jobs) if (!usable.has(job)) unwatched.add(job);
  return usable;
}

async function queryRange(
  { reading, query, grid }: GridReading,
  promql: string,
): Promise<{ job: string; row: Row }[]> {
  const { range, stop } = reading;
  const deadline = AbortSignal.any([stop, AbortSignal.timeout(QUERY_TIMEOUT_MS)]);
  const toMs = grid.fromMs + (grid.points - 1) * grid.stepMs;
  const answer = await query(promql, deadline, { ...grid, toMs });
  if (answer.ok) return answer.rows.flatMap((entry) => rowOf(entry, grid));
  throw new ReplayInputError(`Prometheus at ${range.url}: ${stop.aborted ? "interrupted" : answer.detail}`);
}

/** Values of one series put along the grid. */
function rowOf(entry: unknown, grid: Grid): { job: string; row: Row }[] {
  if (!isObject(entry) || !isObject(entry.metric) || !Array.isArray(entry.values)) return [];
  const { job } = entry.metric;
  if (typeof job !== "string") return [];
  const row = new Float64Array(grid.points).fill(Number.NaN);
  for (const pair of entry.values as unknown[]) {
    if (!Array.isArray(pair) || typeof pair[0] !== "number" || typeof pair[1] !== "string") continue;
    const k = Math.round((pair[0] * 1000 - grid.fromMs) / grid.stepMs);
    // Number("+Inf") is NaN, which is what it means here.
    if (k >= 0 && k < grid.points) row[k] = Number(pair[1]);
  }
  return [{ job, row }];
}
