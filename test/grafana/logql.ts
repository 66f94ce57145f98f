import { parser } from "@grafana/lezer-logql";
import type { SyntaxNode } from "@lezer/common";

// There is no Loki to ask on a development machine, but there is its grammar. This evaluates, over the grammar's own
// tree, exactly the part of LogQL that the repository uses, as Loki 3 does, and refuses everything else by name.

/** A line as Loki keeps it. */
export interface Entry {
  readonly labels: Readonly<Record<string, string>>;
  readonly line: string;
  readonly atMs: number;
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Answer =
  | { readonly kind: "lines"; readonly lines: readonly Entry[] }
  | { readonly kind: "vector"; readonly samples: readonly Sample[] }
  | { readonly kind: "scalar"; readonly value: number };

interface Context {
  readonly text: string;
  readonly entries: readonly Entry[];
  readonly nowMs: number;
}

interface Unwrapped extends Entry {
  readonly value: number;
}

/**
 * The answer of a query at one moment.
 * @throws Error where the query is not LogQL, uses what is not known here, or fails as it would in Loki
 */
export function evaluate(query: string, entries: readonly Entry[], nowMs: number): Answer {
  const tree = parser.parse(query);
  tree.iterate({
    enter(node) {
      if (!node.type.isError) return;
      throw new Error(`not LogQL at character ${node.from + 1}: ${query}`);
    },
  });
  return expression({ text: query, entries, nowMs }, only(tree.topNode));
}

function expression(context: Context, node: SyntaxNode): Answer {
  switch (node.name) {
    case "Expr":
    case "MetricExpr":
      return expression(context, only(node));
    case "LogExpr":
      return { kind: "lines", lines: select(context, node) };
    case "VectorAggregationExpr":
      return { kind: "vector", samples: aggregate(context, node) };
    case "RangeAggregationExpr":
      return { kind: "vector", samples: overTime(context, node) };
    case "BinOpExpr":
      return calculate(context, node);
    case "LiteralExpr":
      return { kind: "scalar", value: Number(read(context, node)) };
    default:
      return unknown(context, node);
  }
}

function aggregate(context: Context, node: SyntaxNode): Sample[] {
  const operation = only(child(node, "VectorOp")).name;
  const grouping = node.getChild("Grouping");
  if (grouping !== null && grouping.getChild("By") === null) unknown(context, grouping);
  const by = grouping === null ? [] : identifiers(context, grouping);
  const inner = expression(context, child(node, "MetricExpr"));
  if (inner.kind !== "vector") throw new Error(`${operation} of what is no vector: ${context.text}`);
  const groups = new Map<string, { labels: Record<string, string>; values: number[] }>();
  for (const { labels, value } of inner.samples) {
    const kept = Object.fromEntries(by.flatMap((l) => (labels[l] === undefined ? [] : [[l, labels[l]]])));
    const key = JSON.stringify(kept);
    const group = groups.get(key) ?? { labels: kept, values: [] };
    group.values.push(value);
    groups.set(key, group);
  }
  const combine = (values: readonly number[]): number => {
    if (operation === "Sum") return values.reduce((a, b) => a + b, 0);
    if (operation === "Max") return Math.max(...values);
    if (operation === "Min") return Math.min(...values);
    return unknown(context, node);
  };
  return [...groups.values()].map(({ labels, values }) => ({ labels, value: combine(values) }));
}

function overTime(context: Context, node: SyntaxNode): Sample[] {
  const operation = only(child(node, "RangeOp")).name;
  const range = child(node, "LogRangeExpr");
  const sinceMs = context.nowMs - durationMs(read(context, only(child(range, "Range"))));
  const entries = select(context, range).filter((e) => e.atMs > sinceMs && e.atMs <= context.nowMs);
  if (operation === "AbsentOverTime") {
    const constant = matchers(context, range).flatMap(({ label, operator, value }) =>
      operator === "Eq" ? [[label, value]] : [],
    );
    return entries.length > 0 ? [] : [{ labels: Object.fromEntries(constant), value: 1 }];
  }
  const series = new Map<string, { labels: Record<string, string>; entries: Unwrapped[] }>();
  const field = unwrappedField(context, range);
  for (const entry of entries) {
    const { __error__: failed, ...labels } = { ...entry.labels };
    // As in Loki: one line that the pipeline could not read fails the whole metric query.
    if (failed !== undefined) throw new Error(`pipeline error ${failed}: ${entry.line}`);
    const value = field === undefined ? Number.NaN : Number(labels[field]);
    if (field !== undefined) {
      if (Number.isNaN(value))
        throw new Error(`pipeline error SampleExtractionErr (${field}): ${entry.line}`);
      delete labels[field];
    }
    const key = JSON.stringify(Object.entries(labels).sort());
    const found = series.get(key) ?? { labels, entries: [] };
    found.entries.push({ ...entry, value });
    series.set(key, found);
  }
  const combine = (all: readonly Unwrapped[]): number => {
    if (operation === "CountOverTime") return all.length;
    if (operation === "MaxOverTime" && field !== undefined) return Math.max(...all.map((e) => e.value));
    return unknown(context, node);
  };
  return [...series.values()].map((s) => ({ labels: s.labels, value: combine(s.entries) }));
}

function unwrappedField(context: Context, range: SyntaxNode): string | undefined {
  const unwrap = range.getChild("UnwrapExpr");
  if (unwrap === null) return undefined;
  if (unwrap.getChild("ConvOp") !== null || unwrap.getChild("LabelFilter") !== null) unknown(context, unwrap);
  return read(context, child(unwrap, "Identifier"));
}

/** A vector and a number, either way round; comparisons keep what holds. */
function calculate(context: Context, node: SyntaxNode): Answer {
  const [left, right] = node.getChildren("Expr").map((side) => expression(context, side));
  const operator = [...children(node)].find((c) => !["Expr", "BinOpModifier"].includes(c.name))?.name ?? "";
  if (left?.kind !== "vector" || right?.kind !== "scalar") return unknown(context, node);
  const by = right.value;
  const keep = (holds: (value: number) => boolean): Answer => ({
    kind: "vector",
    samples: left.samples.filter((s) => holds(s.value)),
  });
  if (operator === "Mul")
    return { kind: "vector", samples: left.samples.map((s) => ({ ...s, value: s.value * by })) };
  if (operator === "Gtr") return keep((v) => v > by);
  if (operator === "Lss") return keep((v) => v < by);
  if (operator === "Eql") return keep((v) => v === by);
  return unknown(context, node);
}

interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

function matchers(context: Context, node: SyntaxNode): Matcher[] {
  const found: Matcher[] = [];
  const walk = (inner: SyntaxNode): void => {
    for (const c of children(inner)) {
      if (c.name === "Matcher") found.push(matcher(context, c));
      else walk(c);
    }
  };
  walk(child(node, "Selector"));
  return found;
}

function matcher(context: Context, node: SyntaxNode): Matcher {
  const [label, operator, value] = [...children(node)];
  if (label === undefined || operator === undefined || value?.name !== "String")
    return unknown(context, node);
  return { label: read(context, label), operator: operator.name, value: text(context, value) };
}

function fits({ label, operator, value }: Matcher, labels: Readonly<Record<string, string>>): boolean {
  const own = labels[label] ?? "";
  if (operator === "Eq") return own === value;
  if (operator === "Neq") return own !== value;
  if (operator === "Re") return new RegExp(`^(?:${value})$`, "s").test(own);
  if (operator === "Nre") return !new RegExp(`^(?:${value})$`, "s").test(own);
  throw new Error(`no operator ${operator}`);
}

/** The entries of a selector after its pipeline. */
function select(context: Context, node: SyntaxNode): Entry[] {
  const all = matchers(context, node);
  if (all.every((m) => fits(m, {})))
    throw new Error(`a selector needs a matcher that does not fit an empty value: ${context.text}`);
  let entries = context.entries.filter((e) => all.every((m) => fits(m, e.labels)));
  for (const stage of stages(node)) entries = entries.flatMap((entry) => apply(context, stage, entry) ?? []);
  return entries;
}

/** Stages of a pipeline, first first: the grammar nests them to the left. */
function stages(node: SyntaxNode): SyntaxNode[] {
  const pipeline = node.getChild("PipelineExpr");
  if (pipeline === null) return [...node.getChildren("PipelineStage")];
  return [
    ...stages(pipeline),
    ...(pipeline.getChild("PipelineExpr") ? pipeline.getChildren("PipelineStage") : []),
  ];
}

/** One stage; undefined: the line is dropped. */
function apply(context: Context, stage: SyntaxNode, entry: Entry): Entry | undefined {
  const what = [...children(stage)].find((c) => c.name !== "Pipe");
  if (what === undefined) return unknown(context, stage);
  switch (what.name) {
    case "LineFilters": {
      const filters = what.getChildren("LineFilter");
      return filters.every((f) => contains(context, f, entry.line)) ? entry : undefined;
    }
    case "LabelParser":
      return what.getChild("Json") === null ? unknown(context, what) : withFields(entry);
    case "LabelFilter":
      return fits(matcher(context, only(what)), entry.labels) ? entry : undefined;
    case "LineFormatExpr":
      return { ...entry, line: formatted(text(context, child(what, "String")), entry.labels) };
    default:
      return unknown(context, what);
  }
}

function contains(context: Context, filter: SyntaxNode, line: string): boolean {
  const operator = only(child(filter, "Filter")).name;
  if (operator !== "PipeExact") unknown(context, filter);
  return line.includes(text(context, child(filter, "String")));
}

/** `| json`: objects are flattened, arrays are left out, a name that is taken gets `_extracted`. */
function withFields(entry: Entry): Entry {
  const labels: Record<string, string> = { ...entry.labels };
  const add = (name: string, value: unknown): void => {
    if (Array.isArray(value) || value === null) return;
    if (typeof value === "object")
      for (const [key, inner] of Object.entries(value)) add(`${name}_${plain(key)}`, inner);
    else labels[name in entry.labels ? `${name}_extracted` : name] = String(value);
  };
  try {
    for (const [key, value] of Object.entries(JSON.parse(entry.line) as object)) add(plain(key), value);
    return { ...entry, labels };
  } catch {
    return { ...entry, labels: { ...entry.labels, __error__: "JSONParserErr" } };
  }
}

function plain(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}

/** A template that only names fields. */
function formatted(template: string, labels: Readonly<Record<string, string>>): string {
  const line = template.replaceAll(/\{\{\s*\.(\w+)\s*\}\}/g, (_, name: string) => labels[name] ?? "");
  if (line.includes("{{") && !Object.values(labels).some((v) => v.includes("{{")))
    throw new Error(`not known here: the template ${template}`);
  return line;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function durationMs(duration: string): number {
  const parts = [...duration.matchAll(/(\d+)(ms|[smhd])/g)];
  if (parts.map((p) => p[0]).join("") !== duration) throw new Error(`not a duration: ${duration}`);
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ""] ?? 0), 0);
}

function identifiers(context: Context, node: SyntaxNode): string[] {
  return [...children(node)].flatMap((c) =>
    c.name === "Identifier" ? [read(context, c)] : identifiers(context, c),
  );
}

/** A string literal, in quotes or in backticks. */
function text(context: Context, node: SyntaxNode): string {
  const raw = read(context, node);
  return raw.startsWith("`") ? raw.slice(1, -1) : (JSON.parse(raw) as string);
}

function read(context: Context, node: SyntaxNode): string {
  return context.text.slice(node.from, node.to);
}

function* children(node: SyntaxNode): Generator<SyntaxNode> {
  for (let c = node.firstChild; c !== null; c = c.nextSibling) yield c;
}

function child(node: SyntaxNode, name: string): SyntaxNode {
  const found = node.getChild(name);
  if (found === null) throw new Error(`not known here: ${node.name} without ${name}`);
  return found;
}

function only(node: SyntaxNode): SyntaxNode {
  const all = [...children(node)];
  if (all.length !== 1 || all[0] === undefined)
    throw new Error(`not known here: ${node.name} with ${all.map((c) => c.name).join(", ")}`);
  return all[0];
}

function unknown(context: Context, node: SyntaxNode): never {
  throw new Error(`not known here: ${node.name} in ${context.text}`);
}
