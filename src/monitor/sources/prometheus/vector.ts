import { isObject } from "../../../common/net/json.ts";
import type { Unusable } from "../../kernel/observation.ts";
import type { Target } from "../../kernel/target.ts";
import { oneLine } from "../../kernel/text.ts";

/** What one answer says of one job. */
export type JobReading =
  | {
      readonly ok: true;
      readonly value: number;
      readonly evaluatedMs: number;
      readonly instance: string | undefined;
    }
  | { readonly ok: false; readonly status: Unusable; readonly detail: string };

/** What an instant query answers, and what a range query does. */
export type ResultType = "vector" | "matrix";

export type ParsedAnswer =
  | { readonly ok: true; readonly rows: readonly unknown[] }
  | { readonly ok: false; readonly detail: string };

/** One row, taken apart; `value` is undefined where there is no number (then `problem` says why). */
export interface VectorRow {
  readonly job: string;
  readonly instance: string;
  readonly evaluatedMs: number;
  readonly value: number | undefined;
  readonly problem: "missing" | "nan" | "invalid" | undefined;
}

/** Characters of an answer that are told. */
const LINE = 120;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const NOT_FINITE = /^(?:NaN|[+-]?Inf)$/;

/**
 * Checks the envelope of an answer. Not `ok` when it is not JSON, an error, of another type, or carries warnings (or
 * infos that speak of partial data): then nothing in it can be trusted.
 */
export function parseAnswer(text: string, type: ResultType): ParsedAnswer {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return { ok: false, detail: `answer is not JSON: ${oneLine(text.slice(0, 500), LINE)}` };
  }
  if (!isObject(answer)) return { ok: false, detail: "answer is not a JSON object" };
  if (answer.status !== "success") {
    const reason =
      typeof answer.error === "string" ? answer.error : `status ${JSON.stringify(answer.status)}`;
    return { ok: false, detail: `query failed: ${oneLine(reason, LINE)}` };
  }
  const remark = distrust(answer);
  if (remark !== undefined) return { ok: false, detail: remark };
  const data = answer.data;
  if (!isObject(data) || data.resultType !== type || !Array.isArray(data.result)) {
    return { ok: false, detail: `answer has no data.result of type "${type}"` };
  }
  return { ok: true, rows: data.result };
}

/** Why an answer says of itself that it is not to be trusted, if it does. */
export function distrust(answer: Readonly<Record<string, unknown>>): string | undefined {
  if (hasItems(answer.warnings))
    return `answer carries a warning: ${oneLine(String(answer.warnings[0]), LINE)}`;
  if (!isAbsent(answer.warnings)) return "answer carries warnings that are no list";
  if (hasItems(answer.infos)) {
    // Infos are mostly hints about naming; only those about partial data matter.
    const partial = answer.infos.find((info) => /partial/i.test(String(info)));
    if (partial !== undefined) return `answer is partial: ${oneLine(String(partial), LINE)}`;
  }
  return undefined;
}

/** Takes one row apart; undefined when it is no sample with a `job` label. */
export function readRow(row: unknown): VectorRow | undefined {
  if (!isObject(row) || !isObject(row.metric)) return undefined;
  const { job, instance } = row.metric;
  if (typeof job !== "string") return undefined;
  const name = typeof instance === "string" ? instance : "";
  const pair = row.value;
  if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "number" || !Number.isFinite(pair[0])) {
    return { job, instance: name, evaluatedMs: 0, value: undefined, problem: "invalid" };
  }
  const evaluatedMs = Math.round(pair[0] * 1000);
  const raw: unknown = pair[1];
  if (typeof raw === "string" && DECIMAL.test(raw)) {
    const value = Number(raw);
    if (Number.isFinite(value)) return { job, instance: name, evaluatedMs, value, problem: undefined };
  }
  return { job, instance: name, evaluatedMs, value: undefined, problem: problemOf(raw) };
}

/** Value of a label of one row, where it has it. */
export function labelOf(row: unknown, label: string): string | undefined {
  const value = isObject(row) && isObject(row.metric) ? row.metric[label] : undefined;
  return typeof value === "string" ? value : undefined;
}

function problemOf(raw: unknown): "missing" | "nan" | "invalid" {
  if (raw === null || raw === "") return "missing";
  if (raw === "NaN") return "nan";
  return typeof raw === "string" && NOT_FINITE.test(raw) ? "missing" : "invalid";
}

/**
 * One reading a job. `job`: exactly one row each, a second one makes that job `invalid`. `worst_instance`: the largest
 * of one row an instance; an instance without traffic (NaN) is passed over, any other flaw spoils its job only.
 */
export function readJobs(
  rows: readonly unknown[],
  aggregate: Target["aggregate"],
): ReadonlyMap<string, JobReading> {
  return aggregate === "job" ? readWholeJobs(rows) : readWorstInstances(rows);
}

/** Key of a count: its job, or one instance of it. */
export function countKey(job: string, instance: string | undefined): string {
  return `${job}\n${instance ?? ""}`;
}

/** Counts that are finite and not negative, by `countKey`. */
export function readCounts(rows: readonly unknown[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const raw of rows) {
    const row = readRow(raw);
    if (row?.value !== undefined && row.value >= 0) counts.set(countKey(row.job, row.instance), row.value);
  }
  return counts;
}

function readWholeJobs(rows: readonly unknown[]): ReadonlyMap<string, JobReading> {
  const readings = new Map<string, JobReading>();
  for (const raw of rows) {
    const row = readRow(raw);
    if (row) readings.set(row.job, readings.has(row.job) ? duplicate(`job ${row.job}`) : readingOf(row));
  }
  return readings;
}

function readWorstInstances(rows: readonly unknown[]): ReadonlyMap<string, JobReading> {
  const readings = new Map<string, JobReading>();
  const seen = new Map<string, Set<string>>();
  for (const raw of rows) {
    const row = readRow(raw);
    if (!row) continue;
    const { job, instance } = row;
    const instances = seen.get(job);
    if (!instances) {
      seen.set(job, new Set([instance]));
      readings.set(job, readingOf(row));
      continue;
    }
    const previous = readings.get(job);
    const reading = instances.has(instance) ? duplicate(`instance ${instance}`) : worse(previous, row);
    if (reading !== previous) readings.set(job, reading);
    instances.add(instance);
  }
  return readings;
}

function worse(previous: JobReading | undefined, row: VectorRow): JobReading {
  if (!previous || isIdle(previous)) return readingOf(row);
  // The common case first, and without building anything: a good value that is not the largest.
  if (previous.ok && row.value !== undefined && row.value >= 0 && row.value <= previous.value)
    return previous;
  const reading = readingOf(row);
  return !previous.ok || isIdle(reading) ? previous : reading;
}

const IDLE = "value is NaN (no traffic in the window)";

function isIdle(reading: JobReading): boolean {
  return !reading.ok && reading.detail === IDLE;
}

function readingOf(row: VectorRow): JobReading {
  const { value, evaluatedMs, problem } = row;
  if (value === undefined) {
    if (problem === "nan") return { ok: false, status: "missing", detail: IDLE };
    if (problem === "missing") return { ok: false, status: "missing", detail: "value is empty or infinite" };
    return { ok: false, status: "invalid", detail: "value is not a number" };
  }
  if (value < 0) return { ok: false, status: "invalid", detail: `value is negative: ${value}` };
  const instance = row.instance === "" ? undefined : row.instance;
  return { ok: true, value: value + 0, evaluatedMs, instance };
}

function duplicate(what: string): JobReading {
  return { ok: false, status: "invalid", detail: `more than one series for ${what}` };
}

/** An empty list says as much as none. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || Array.isArray(value);
}

function hasItems(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0;
}
