import type { MetricSource, Observation } from "../../kernel/observation.ts";
import { type Series, seriesKey } from "../../kernel/target.ts";
import type { SeriesHistory } from "../input/history.ts";

const SOURCE_NAME = "replay";

const MISSING: Observation = { status: "missing", source: SOURCE_NAME, detail: "no value" };
const NEGATIVE: Observation = { status: "invalid", source: SOURCE_NAME, detail: "value is negative" };

interface Cursor {
  readonly history: SeriesHistory;
  /** Position of the newest sample at or before the last time asked for; -1 before the first. */
  at: number;
}

/**
 * A metric source that knows the past: for each series the newest sample at or before `now`, with its own timestamp,
 * judged as the live sources judge (older than `maxSampleAgeMs` is stale). Time may only go forward.
 */
export function createHistorySource(input: {
  series: readonly SeriesHistory[];
  maxSampleAgeMs: number;
}): MetricSource {
  const { maxSampleAgeMs } = input;
  const cursors = new Map(
    input.series.map((history) => [seriesKey(history.target, history.signal), { history, at: -1 } as Cursor]),
  );
  let plan: readonly Series[] | undefined;
  let along: (Cursor | undefined)[] = [];
  return {
    name: SOURCE_NAME,
    async observe(request) {
      if (request.plan !== plan) {
        plan = request.plan;
        along = plan.map((s) => cursors.get(seriesKey(s.target.name, s.signal.name)));
      }
      const { wallMs } = request.now;
      return along.map((cursor) => (cursor === undefined ? MISSING : read(cursor, wallMs, maxSampleAgeMs)));
    },
  };
}

function read(cursor: Cursor, nowMs: number, maxSampleAgeMs: number): Observation {
  const { timesMs, values, count } = cursor.history;
  let { at } = cursor;
  while (at + 1 < count && (timesMs[at + 1] as number) <= nowMs) at += 1;
  cursor.at = at;
  if (at < 0) return MISSING;
  const value = values[at] as number;
  if (!Number.isFinite(value)) return MISSING;
  const timestampMs = timesMs[at] as number;
  const ageMs = nowMs - timestampMs;
  if (ageMs > maxSampleAgeMs)
    return {
      status: "stale",
      source: SOURCE_NAME,
      detail: `sample is ${ageMs / 1000} s old, limit ${maxSampleAgeMs / 1000} s`,
    };
  if (value < 0) return NEGATIVE;
  return { status: "ok", source: SOURCE_NAME, value, timestampMs };
}
