import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";

export interface Matcher {
  readonly name: string;
  readonly op: "=" | "!=" | "=~" | "!~";
  /** The quoted literal as it is written. */
  readonly literal: string;
}

/** One vector selector of a query; positions are of the text that was read. */
export interface Selector {
  /** Metric name and matchers, without range, offset and `@`. */
  readonly from: number;
  readonly to: number;
  /** Undefined where it is not stated plainly, as in `{__name__=~"a|b"}`. */
  readonly metric: string | undefined;
  readonly matchers: readonly Matcher[];
  /** What stands in the brackets behind it; undefined: an instant selector. */
  readonly range: string | undefined;
  /** Whether it is read at another time than the query's: offset, `@`, a subquery. */
  readonly moved: boolean;
  /** Names of the functions around it, the innermost first. */
  readonly within: readonly string[];
}

/** A span of the text that was read. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Query {
  readonly selectors: readonly Selector[];
  /** A quantile of a histogram that the query comes to, up to a constant factor and `max by` or `min by`. */
  readonly quantile?: { readonly q: number; readonly factor: number; readonly of: Span };
  /** Both sides of the division that the query is, where they are matched on all their labels. */
  readonly division?: { readonly numerator: Span; readonly denominator: Span };
}

/** As long as what they stand for, so that positions in the query are positions in the template. */
const STAND_INS: Readonly<Record<string, string>> = { $by: "job", $window: "999999s" };

/**
 * What a PromQL query reads, by Prometheus' own grammar. The placeholders `$by` and `$window` may stand in it, `$jobs` in
 * its strings.
 * @returns undefined where it does not parse.
 */
export function readQuery(template: string): Query | undefined {
  const text = template.replace(/\$(?:by|window)\b/g, (name) => STAND_INS[name] as string);
  const root = parser.parse(text).topNode;
  const selectors: Selector[] = [];
  let broken = false;
  root.cursor().iterate((node) => {
    broken ||= node.type.isError;
    if (node.name === "VectorSelector") selectors.push(selectorAt(node.node, text, template));
  });
  const top = root.firstChild;
  if (broken || top === null) return undefined;
  const quantile = quantileIn(top, text);
  const division = divisionIn(top);
  return {
    selectors,
    ...(quantile === undefined ? {} : { quantile }),
    ...(division === undefined ? {} : { division }),
  };
}

/** A metric name with matchers on its own, e.g. `http_requests_total{code=~"5.."}`; undefined where it is anything else. */
export function readSelector(text: string): Selector | undefined {
  const top = parser.parse(text).topNode.firstChild;
  if (top?.name !== "VectorSelector" || top.from !== 0 || top.to !== text.length) return undefined;
  const read = readQuery(text)?.selectors[0];
  return read?.metric === undefined ? undefined : read;
}

/** The text that a quoted literal of PromQL stands for; undefined where it has an escape that is none. */
export function unquoted(literal: string): string | undefined {
  const inner = literal.slice(1, -1);
  if (literal.startsWith("`")) return inner;
  const plain = inner.replaceAll("\\'", "'").replace(/(?<!\\)((?:\\\\)*)"/g, '$1\\"');
  try {
    return JSON.parse(`"${plain.replace(/\\x([0-9a-fA-F]{2})/g, "\\u00$1")}"`) as string;
  } catch {
    return undefined;
  }
}

function selectorAt(node: SyntaxNode, text: string, template: string): Selector {
  const { from, to } = node;
  const matchers = matchersOf(node, template);
  const named = node.getChild("Identifier") ?? node.getChild("LabelMatchers")?.getChild("QuotedLabelName");
  const spelt = matchers.find(({ name, op }) => name === "__name__" && op === "=");
  const written = named == null ? undefined : text.slice(named.from, named.to);
  const quoted = written?.startsWith('"') ? unquoted(written) : written;
  const around = surroundings(node, text, template);
  return { from, to, metric: quoted ?? (spelt && unquoted(spelt.literal)), matchers, ...around };
}

function matchersOf(node: SyntaxNode, text: string): Matcher[] {
  const list = node.getChild("LabelMatchers");
  if (list === null) return [];
  const all = [...list.getChildren("UnquotedLabelMatcher"), ...list.getChildren("QuotedLabelMatcher")];
  return all
    .toSorted((a, b) => a.from - b.from)
    .map((matcher) => {
      const part = (name: string) => {
        const at = matcher.getChild(name);
        return at === null ? "" : text.slice(at.from, at.to);
      };
      const name = part("LabelName") || (unquoted(part("QuotedLabelName")) ?? "");
      return { name, op: part("MatchOp") as Matcher["op"], literal: part("StringLiteral") };
    });
}

function surroundings(node: SyntaxNode, text: string, template: string) {
  const within: string[] = [];
  let range: string | undefined;
  let moved = false;
  let end = node.to;
  for (let up = node.parent; up !== null; up = up.parent) {
    if (up.name === "MatrixSelector") {
      range = template.slice(node.to + 1, up.to - 1).trim();
      end = up.to;
    } else if (up.name === "SubqueryExpr") moved = true;
    // The grammar hangs a whole sum below the offset of its last selector.
    else if (up.name === "OffsetExpr" || up.name === "StepInvariantExpr") moved ||= up.firstChild?.to === end;
    else if (up.name === "FunctionCall") within.push(nameOf(up, text));
  }
  return { range, moved, within };
}

function nameOf(call: SyntaxNode, text: string): string {
  const name = call.getChild("FunctionIdentifier");
  return name === null ? "" : text.slice(name.from, name.to);
}

function numberAt(node: SyntaxNode | null, text: string): number | undefined {
  if (node?.name !== "NumberDurationLiteral") return undefined;
  const value = Number(text.slice(node.from, node.to));
  return Number.isFinite(value) ? value : undefined;
}

function quantileIn(top: SyntaxNode, text: string): Query["quantile"] {
  let node: SyntaxNode | null = top;
  let factor = 1;
  while (node !== null) {
    const first: SyntaxNode | null = node.firstChild;
    const second: SyntaxNode | null = node.lastChild;
    if (node.name === "ParenExpr") node = first;
    else if (node.name === "AggregateExpr") {
      const op = node.getChild("AggregateOp");
      if (op === null || !["max", "min"].includes(text.slice(op.from, op.to).toLowerCase())) return undefined;
      node = node.getChild("FunctionCallBody")?.firstChild ?? null;
    } else if (node.name === "BinaryExpr") {
      const left = numberAt(first, text);
      const right = numberAt(second, text);
      const times = node.getChild("Mul") !== null;
      if (times && left !== undefined) [factor, node] = [factor * left, second];
      else if (times && right !== undefined) [factor, node] = [factor * right, first];
      else if (node.getChild("Div") !== null && right !== undefined) [factor, node] = [factor / right, first];
      else return undefined;
    } else if (node.name === "FunctionCall" && nameOf(node, text) === "histogram_quantile") {
      const body: SyntaxNode | null = node.getChild("FunctionCallBody");
      const q = numberAt(body?.firstChild ?? null, text);
      const of = body?.lastChild;
      return q === undefined || of == null ? undefined : { q, factor, of: { from: of.from, to: of.to } };
    } else return undefined;
  }
  return undefined;
}

function divisionIn(top: SyntaxNode): Query["division"] {
  let node: SyntaxNode | null = top;
  while (node?.name === "ParenExpr") node = node.firstChild;
  if (node?.name !== "BinaryExpr" || node.getChild("Div") === null) return undefined;
  const [numerator, denominator] = [node.firstChild, node.lastChild];
  if (node.getChild("MatchingModifierClause") !== null || numerator === null || denominator === null)
    return undefined;
  if ([numerator, denominator].some(({ name }) => name === "NumberDurationLiteral")) return undefined;
  const span = ({ from, to }: SyntaxNode) => ({ from, to });
  return { numerator: span(numerator), denominator: span(denominator) };
}
