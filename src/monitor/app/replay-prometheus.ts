import { Agent } from "undici";
import { isObject } from "../../common/net/json.ts";
import type { Config } from "../config/types.ts";
import { makePlan } from "../cycle/state.ts";
import { ReplayInputError } from "../replay/input/error.ts";
import { createRecorder, type History, historyOf, type Recorder } from "../replay/input/history.ts";
import { labelOf } from "../sources/prometheus/answer.ts";
import { Bounds } from "../sources/prometheus/bounds.ts";
import { createQueryClient, type QueryClient } from "../sources/prometheus/client.ts";
import { agesOf, groupPlan, type QueryGroup, rendered } from "../sources/prometheus/groups.ts";
import { MAX_POINTS } from "../sources/prometheus/history.ts";
import { described, keyOf, type Names } from "../sources/prometheus/identity.ts";

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
    const client = createQueryClient({
      baseUrl: range.url,
      dispatcher: agent,
      maxResponseBytes: config.sources.maxResponseBytes,
      maxRetryDelayMs: MAX_RETRY_DELAY_MS,
      random: Math.random,
    });
    const recorder = createRecorder();
    const bounds = new Bounds();
    const rough = new Set<string>();
    for (const grid of gridsOf(range)) await readGrid({ reading, client, grid, recorder, bounds, rough });
    for (const why of rough) note(`values that say no more than "at least" are left out: ${why}`);
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
  readonly client: QueryClient;
  readonly grid: Grid;
  readonly recorder: Recorder;
  readonly bounds: Bounds;
  /** Why values were left out. */
  readonly rough: Set<string>;
}

type Identities = readonly (readonly string[])[];

async function readGrid(input: GridReading): Promise<void> {
  const { grid, reading } = input;
  const { rateWindowMs: windowMs, maxSampleAgeMs: ageMs } = reading.config.sources;
  const size = Math.max(1, Math.floor(POINTS_PER_QUERY / grid.points));
  const plan = makePlan(reading.config.targets);
  for (const group of groupPlan(plan, () => ({ windowMs, ageMs }))) {
    const all = [...group.members.values()].map(({ identity }) => identity);
    for (let from = 0; from < all.length; from += size)
      await readSome(input, group, all.slice(from, from + size));
  }
}

async function readSome(input: GridReading, group: QueryGroup, some: Identities): Promise<void> {
  const { grid, recorder } = input;
  await readBounds(input, group, some);
  const values = await readValues(input, group, some);
  const usable = await readUsable(input, group, some);
  for (const identity of some) {
    const key = keyOf(identity);
    const [row, fresh] = [values.get(key), usable.get(key)];
    for (const { target, signal } of group.members.get(key)?.series ?? []) {
      const at = recorder.seriesAt(target.name, signal.name);
      for (let k = 0; k < grid.points; k++) {
        const value = fresh?.[k] === 1 ? (row?.[k] ?? Number.NaN) : Number.NaN;
        recorder.add(at, grid.fromMs + k * grid.stepMs, exact(value));
      }
      /** What cannot be told from the buckets is no value; what is over the SLO in any case is. */
      function exact(value: number): number {
        const judged = Number.isNaN(value) ? undefined : input.bounds.judge(group, key, value, signal);
        if (judged === undefined || judged === "unknown") return value;
        if (judged.value >= signal.thresholds.slo) return judged.value;
        input.rough.add(judged.why);
        return Number.NaN;
      }
    }
  }
}

/** The buckets as they were at the end. */
async function readBounds(input: GridReading, group: QueryGroup, some: Identities): Promise<void> {
  const { bounds, grid } = input;
  const last = { fromMs: grid.fromMs + (grid.points - 1) * grid.stepMs, stepMs: grid.stepMs, points: 1 };
  await bounds.read(group, some.map(keyOf), {
    monoMs: 0,
    ask: async (promql, { names, also = "" }) => {
      const rows = await queryRange({ ...input, grid: last }, promql, names);
      const about = { lacks: undefined, instance: "", evaluatedMs: 0, value: 1, problem: undefined };
      return {
        ok: true,
        rows: rows.map(({ key, labels }) => ({ ...about, key, also: labelOf(labels, also) })),
      };
    },
  });
}

/** Each target's values along the grid; of several instances the worst, where the target is judged so. */
async function readValues(
  input: GridReading,
  group: QueryGroup,
  some: Identities,
): Promise<ReadonlyMap<string, Row>> {
  const promql = rendered(group, group.template.values, some);
  const rows = new Map<string, Row>();
  for (const { key, row } of await queryRange(input, promql, group.names)) {
    const known = rows.get(key);
    if (known === undefined) rows.set(key, row);
    else if (group.aggregate === "worst_instance")
      row.forEach((v, k) => {
        const before = known[k] as number;
        if (!Number.isNaN(v)) known[k] = Number.isNaN(before) ? v : Math.max(before, v);
      });
    else
      throw new ReplayInputError(
        `the query for ${group.signal} answers more than one series for ${described(group.names, key.split("\n"))}: ${promql}`,
      );
  }
  return rows;
}

/** For each target 1 where all that its value is made of is young enough and its last scrape, if any, went well; else 0. */
async function readUsable(
  input: GridReading,
  group: QueryGroup,
  some: Identities,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { grid } = input;
  const usable = new Map(some.map((identity) => [keyOf(identity), new Uint8Array(grid.points).fill(1)]));
  const scraped = await queryRange(input, rendered(group, group.template.scraped, some), group.names);
  const watched = new Map<string, Uint8Array>();
  for (const { key, row } of scraped) {
    const marks = watched.get(key) ?? new Uint8Array(grid.points);
    watched.set(key, marks);
    // Of several instances one answers at a time, the least trustworthy; a failed scrape is negative.
    row.forEach((scrapedS, k) => {
      if (scrapedS > 0 && grid.fromMs + k * grid.stepMs - 1000 * scrapedS <= group.ageMs) marks[k] = 1;
    });
  }
  for (const [key, marks] of watched) keepOnly(usable.get(key), marks);
  for (const { one, mayBeAbsent } of group.template.reads) {
    if (mayBeAbsent) continue;
    const young = new Map<string, Uint8Array>();
    for (const { key, row } of await queryRange(input, rendered(group, agesOf(one), some), group.names))
      young.set(
        key,
        Uint8Array.from(row, (seconds) => (seconds > 0 ? 1 : 0)),
      );
    for (const [key, marks] of usable) keepOnly(marks, young.get(key) ?? new Uint8Array(grid.points));
  }
  return usable;
}

function keepOnly(marks: Uint8Array | undefined, where: Uint8Array): void {
  marks?.forEach((mark, k) => {
    marks[k] = mark & (where[k] as number);
  });
}

interface RangeRow {
  readonly key: string;
  readonly labels: Readonly<Record<string, unknown>>;
  readonly row: Row;
}

async function queryRange(
  { reading, client, grid }: Pick<GridReading, "reading" | "client" | "grid">,
  promql: string,
  names: Names,
): Promise<RangeRow[]> {
  const { range, stop } = reading;
  const deadline = AbortSignal.any([stop, AbortSignal.timeout(QUERY_TIMEOUT_MS)]);
  const toMs = grid.fromMs + (grid.points - 1) * grid.stepMs;
  const answer = await client.range(promql, { ...grid, toMs }, deadline);
  if (answer.ok) return answer.rows.flatMap((entry) => rowOf(entry, grid, names));
  throw new ReplayInputError(`Prometheus at ${range.url}: ${stop.aborted ? "interrupted" : answer.detail}`);
}

/** Values of one series put along the grid. */
function rowOf(entry: unknown, grid: Grid, names: Names): RangeRow[] {
  if (!isObject(entry) || !isObject(entry.metric) || !Array.isArray(entry.values)) return [];
  const labels = entry.metric;
  const row = new Float64Array(grid.points).fill(Number.NaN);
  for (const pair of entry.values as unknown[]) {
    if (!Array.isArray(pair) || typeof pair[0] !== "number" || typeof pair[1] !== "string") continue;
    const k = Math.round((pair[0] * 1000 - grid.fromMs) / grid.stepMs);
    // Number("+Inf") is NaN, which is what it means here.
    if (k >= 0 && k < grid.points) row[k] = Number(pair[1]);
  }
  return [{ key: keyOf(names.map((name) => labelOf(labels, name) ?? "")), labels, row }];
}
