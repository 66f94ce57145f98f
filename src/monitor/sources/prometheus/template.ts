import {
  type Matcher,
  type Query,
  readQuery,
  type Selector,
  type Span,
  unquoted,
} from "../../../common/promql/query.ts";
import type { SignalShape } from "../../kernel/signal.ts";
import { alternation, startsPromql } from "./promql.ts";

/** One metric that a query reads, as a template. */
export interface Read {
  /** Name and matchers; for people and for queries about its samples. */
  readonly selector: string;
  /** The same for one series of those that share a time: of a histogram one bucket. */
  readonly one: string;
  readonly metric: string;
  /** Whether a range of it is read: then one sample is not enough. */
  readonly ranged: boolean;
  /** Whether only the numerator of a ratio reads it: a counter that has counted nothing yet may be absent. */
  readonly mayBeAbsent: boolean;
}

/** What is asked for a signal, with the placeholders of `renderPromql`. */
export interface Template {
  /** The signal's query; instant selectors take no sample older than `$age`, a ratio without numerator is 0. */
  readonly values: string;
  readonly reads: readonly Read[];
  /** When its instances were scraped last: a time, negative where that failed. */
  readonly scraped: string;
  /** Whether the start of its process went back, so that there are several. */
  readonly starts: string;
  /** Where the value is a quantile of a histogram: its buckets, and the factor from their unit to the signal's. */
  readonly buckets?: { readonly query: string; readonly factor: number; readonly metric: string };
}

/** Functions that ask for the samples' times or for their absence: samples must reach them as they are. */
const ABOUT_SAMPLES = ["timestamp", "absent"];

const cache = new Map<string, Template>();

/** Reads a signal's query. One that does not parse is sent as it is, and Prometheus says what is wrong with it. */
export function templateOf(promql: string, shape: SignalShape): Template {
  const key = `${shape}\n${promql}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const query = readQuery(promql);
  const made: Template =
    query === undefined ? { values: promql, reads: [], ...ofInstances([]) } : analysed(promql, query, shape);
  cache.set(key, made);
  return made;
}

function analysed(promql: string, query: Query, shape: SignalShape): Template {
  const own = query.selectors.filter(isOwn);
  const { division, quantile } = query;
  const ratio = shape === "ratio" ? division : undefined;
  const reads = new Map<string, Read>();
  for (const selector of own) {
    const { metric, range } = selector;
    if (metric === undefined) continue;
    const text = promql.slice(selector.from, selector.to);
    const before = reads.get(text);
    const mayBeAbsent =
      ratio !== undefined && isIn(selector, ratio.numerator) && (before?.mayBeAbsent ?? true);
    const ranged = range !== undefined || before?.ranged === true;
    reads.set(text, { selector: text, one: oneOf(text, selector), metric, ranged, mayBeAbsent });
  }
  const buckets = quantile && own.find((selector) => isIn(selector, quantile.of));
  return {
    values: valuesOf(promql, query, ratio),
    reads: [...reads.values()],
    ...ofInstances(sharedMatchers(own)),
    ...(quantile === undefined || buckets?.metric === undefined
      ? {}
      : {
          buckets: {
            query: `group by ($id, le) (${promql.slice(buckets.from, buckets.to)})`,
            factor: quantile.factor,
            metric: buckets.metric.replace(/_bucket$/, ""),
          },
        }),
  };
}

/** It selects by the target, so that what it reads is the target's. */
function isOwn({ matchers }: Selector): boolean {
  return matchers.some(({ literal }) => /^(["'`])\$jobs\1$/.test(literal));
}

function isIn({ from, to }: Span, span: Span): boolean {
  return from >= span.from && to <= span.to;
}

/** Every bucket of a histogram has the same times: one of them tells them. */
function oneOf(text: string, { metric, matchers }: Selector): string {
  if (!metric?.endsWith("_bucket") || matchers.some(({ name }) => name === "le")) return text;
  return text.replace(/\}$/, ', le="+Inf"}');
}

function valuesOf(promql: string, { selectors }: Query, ratio: Query["division"]): string {
  const young = (span: Span): string => {
    let text = "";
    let at = span.from;
    for (const selector of selectors) {
      if (!isIn(selector, span) || !isPlain(selector)) continue;
      const own = promql.slice(selector.from, selector.to);
      text += `${promql.slice(at, selector.from)}(${own} and timestamp(${own}) >= time() - $age)`;
      at = selector.to;
    }
    return text + promql.slice(at, span.to);
  };
  const whole = { from: 0, to: promql.length };
  if (ratio === undefined) return young(whole);
  const { numerator, denominator } = ratio;
  const [above, below] = [young(numerator), young(denominator)];
  return `${promql.slice(0, numerator.from)}((${above}) or 0 * (${below})) / (${below})${promql.slice(denominator.to)}`;
}

/** An instant selector of one metric, whose newest sample is what is used. */
function isPlain(selector: Selector): boolean {
  const { range, moved, metric, within } = selector;
  const aboutSamples = within.some((name) => ABOUT_SAMPLES.includes(name));
  return isOwn(selector) && range === undefined && !moved && metric !== undefined && !aboutSamples;
}

/** Matchers beside the target's that all selectors have: they may select instances, e.g. `env="prod"`. */
function sharedMatchers(selectors: readonly Selector[]): Matcher[] {
  const [first, ...rest] = selectors;
  if (first === undefined) return [];
  const same = (a: Matcher, b: Matcher) => a.name === b.name && a.op === b.op && a.literal === b.literal;
  return first.matchers.filter(
    (matcher) =>
      !/\$jobs/.test(matcher.literal) &&
      !["__name__", "le"].includes(matcher.name) &&
      /^[a-zA-Z_]\w*$/.test(matcher.name) &&
      rest.every(({ matchers }) => matchers.some((other) => same(matcher, other))),
  );
}

/** Queries about the instances that series are of. */
export function ofInstances(shared: readonly Matcher[]): Pick<Template, "scraped" | "starts"> {
  const matchers = ['job=~"$jobs"', ...shared.map(orAbsent)].join(", ");
  return { scraped: scrapedPromql(matchers), starts: startsPromql(matchers) };
}

/**
 * For each target, its least trustworthy instance: one that is down, otherwise the one scraped longest ago.
 * The value is the time of the last scrape in Unix seconds, negative when that scrape failed; of what was pushed, the time
 * of the last push.
 *
 * An instant query stamps every result with the evaluation time, whatever the age of the samples below it;
 * `timestamp()` of a plain selector is the exception and tells the sample's own time.
 */
function scrapedPromql(matchers: string): string {
  const up = `up{${matchers}}`;
  return `bottomk by ($id) (1, timestamp(${up}) * (2 * ${up} - 1) or push_time_seconds{${matchers}})`;
}

/** A label of the series need not be one of the instance: then it selects every instance. */
function orAbsent({ name, op, literal }: Matcher): string {
  const value = unquoted(literal) ?? "";
  if (op === "=~") return `${name}=~${literal.slice(0, -1)}|${literal.slice(-1)}`;
  if (op === "=" && value !== "") return `${name}=~"${alternation([value])}|"`;
  return `${name}${op}${literal}`;
}
