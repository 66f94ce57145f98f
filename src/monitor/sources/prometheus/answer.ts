import { isObject } from "../../../common/net/json.ts";
import { oneLine } from "../../kernel/text.ts";
import { keyOf, type Names } from "./identity.ts";

/** What an instant query answers, and what a range query does. */
export type ResultType = "vector" | "matrix";

export type ParsedAnswer =
  | { readonly ok: true; readonly rows: readonly unknown[] }
  | { readonly ok: false; readonly detail: string };

/** Which labels of a row are read. */
export interface Shape {
  /** Those that tell targets apart. */
  readonly names: Names;
  /** One more, e.g. `le`. */
  readonly also?: string;
}

/** One row, taken apart; `value` is undefined where there is no number (then `problem` says why). */
export interface VectorRow {
  /** `keyOf` its labels. */
  readonly key: string;
  /** The first of those labels that it does not have. */
  readonly lacks: string | undefined;
  readonly instance: string;
  readonly also: string | undefined;
  readonly evaluatedMs: number;
  readonly value: number | undefined;
  readonly problem: "missing" | "nan" | "invalid" | undefined;
}

/** Characters of an answer that are told. */
const LINE = 120;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const NOT_FINITE = /^(?:NaN|[+-]?Inf)$/;

/**
 * Checks the envelope of an answer. Not `ok` when it is not JSON, an error, of another type, or says of itself that it is
 * not whole: then nothing in it can be trusted.
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

/** Hints about the query, not about the data. Prometheus before 2.53 and Thanos have them among the warnings. */
const HINT = /^PromQL info: /;

/**
 * Why an answer says of itself that it is not to be trusted, if it does. Prometheus, Thanos and Mimir warn;
 * VictoriaMetrics says `isPartial`, where a storage node did not answer.
 */
export function distrust(answer: Readonly<Record<string, unknown>>): string | undefined {
  const { warnings, infos, isPartial } = answer;
  if (isPartial !== undefined && isPartial !== null && isPartial !== false)
    return "answer is partial (isPartial)";
  if (!isAbsent(warnings)) return "answer carries warnings that are no list";
  const warning = itemsOf(warnings).find((item) => !HINT.test(String(item)));
  if (warning !== undefined) return `answer carries a warning: ${oneLine(String(warning), LINE)}`;
  const partial = itemsOf(infos).find((info) => speaksOfPartialData(String(info)));
  return partial === undefined ? undefined : `answer is partial: ${oneLine(String(partial), LINE)}`;
}

/** Not by a name that it merely quotes. */
function speaksOfPartialData(info: string): boolean {
  return !HINT.test(info) && /\bpartial\b/i.test(info.replaceAll(/(["'`]).*?\1/g, ""));
}

/** Takes one row apart; undefined when it is no row. */
export function readRow(row: unknown, { names, also }: Shape): VectorRow | undefined {
  if (!isObject(row) || !isObject(row.metric)) return undefined;
  const { metric, value: pair } = row;
  const labels = names.map((name) => labelOf(metric, name) ?? "");
  const about = {
    key: keyOf(labels),
    lacks: names.find((_, i) => labels[i] === ""),
    instance: labelOf(metric, "instance") ?? "",
    also: also === undefined ? undefined : labelOf(metric, also),
  };
  if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "number" || !Number.isFinite(pair[0])) {
    return { ...about, evaluatedMs: 0, value: undefined, problem: "invalid" };
  }
  const evaluatedMs = Math.round(pair[0] * 1000);
  const raw: unknown = pair[1];
  if (typeof raw === "string" && DECIMAL.test(raw)) {
    const value = Number(raw);
    if (Number.isFinite(value)) return { ...about, evaluatedMs, value, problem: undefined };
  }
  return { ...about, evaluatedMs, value: undefined, problem: problemOf(raw) };
}

/** Value of a label, where there is such a text. */
export function labelOf(metric: Readonly<Record<string, unknown>>, label: string): string | undefined {
  const value = Object.hasOwn(metric, label) ? metric[label] : undefined;
  return typeof value === "string" ? value : undefined;
}

function problemOf(raw: unknown): "missing" | "nan" | "invalid" {
  if (raw === null || raw === "") return "missing";
  if (raw === "NaN") return "nan";
  return typeof raw === "string" && NOT_FINITE.test(raw) ? "missing" : "invalid";
}

/** An empty list says as much as none. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || Array.isArray(value);
}

function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
