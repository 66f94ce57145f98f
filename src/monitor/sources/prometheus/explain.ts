import type { Observation, Unusable } from "../../kernel/observation.ts";
import { oneLine } from "../../kernel/text.ts";
import type { QueryClient, VectorAnswer } from "./client.ts";
import { type GroupAnswers, NAME, type Step } from "./combine.ts";
import { type Member, type QueryGroup, rendered } from "./groups.ts";
import { described } from "./identity.ts";
import type { Intervals } from "./intervals.ts";
import { promqlDuration } from "./promql.ts";
import type { Read } from "./template.ts";

/** Scrapes are counted over so many rate windows, to see how often they are. */
const MEASURE_WINDOWS = 10;
/** Characters of a query that are told. */
const QUERY = 160;

/** A target for which a step found nothing. */
export interface Unexplained {
  readonly key: string;
  readonly member: Member;
  readonly step: Step;
}

interface Asking {
  readonly client: Pick<QueryClient, "instant">;
  readonly intervals: Intervals;
  readonly answers: GroupAnswers;
  readonly signal: AbortSignal;
}

/**
 * Says of each target which step found nothing, and by which query: at most two more queries for each step and metric,
 * whatever the number of targets. Where even these are not answered, what is known already is said.
 */
export async function explain(
  found: readonly Unexplained[],
  asking: Asking,
): Promise<ReadonlyMap<string, Observation>> {
  const said = new Map<string, Observation>();
  const steps = Map.groupBy(found, ({ step }) => `${step.kind}\n${"read" in step ? step.read.one : ""}`);
  await Promise.all(
    [...steps.values()].map(async (some) => {
      const { step } = some[0] as Unexplained;
      const of = { ...asking, some };
      const words =
        step.kind === "down"
          ? await ofDown(of)
          : step.kind === "no_value"
            ? await ofNoValue(of)
            : await ofNoSeries(of, step.kind === "no_series" ? step.read : undefined);
      for (const [key, [status, detail]] of words) said.set(key, { status, source: NAME, detail });
    }),
  );
  return said;
}

type Explained = Asking & { readonly some: readonly Unexplained[] };
type Words = Map<string, Said>;
type Said = readonly [Unusable, string];

/** Asks for one number a target. */
async function ask(
  { client, answers, some, signal }: Explained,
  template: string,
): Promise<ReadonlyMap<string, number> | undefined> {
  const identities = some.map(({ member }) => member.identity);
  const { group } = answers;
  const answer: VectorAnswer = await client.instant(
    rendered(group, template, identities),
    { names: group.names },
    signal,
  );
  if (!answer.ok) return undefined;
  return new Map(answer.rows.flatMap(({ key, value }) => (value === undefined ? [] : [[key, value]])));
}

/** The query as it was sent, for one target. */
function queryOf(group: QueryGroup, { identity }: Member, template: string): string {
  return rendered(group, template, [identity]);
}

/** @param read undefined: no scrape of the target is known either. */
async function ofNoSeries(of: Explained, read: Read | undefined): Promise<Words> {
  const { group, limits } = of.answers;
  const one = read ?? group.template.reads.find((r) => !r.mayBeAbsent);
  const newest = one === undefined ? undefined : await ask(of, `max by ($id) (timestamp(${one.one}))`);
  return new Map(
    of.some.map(({ key, member }): [string, Said] => {
      const who = described(group.names, member.identity);
      const seconds = newest?.get(key);
      const query = queryOf(group, member, one?.selector ?? 'up{job=~"$jobs"}');
      if (seconds !== undefined) {
        const ageS = limits.nowMs / 1000 - seconds;
        const limit = (group.ageMs / 1000).toFixed(1);
        return [key, ["stale", `newest sample of ${query} is ${ageS.toFixed(1)} s old, limit ${limit} s`]];
      }
      // A rate goes on answering from its window.
      if (of.answers.readings?.get(key)?.ok === true)
        return [key, ["stale", `Prometheus no longer scrapes ${who}: ${query} has no current sample`]];
      if (read !== undefined) {
        const scraped = `Prometheus scrapes ${who} and finds no series ${query}`;
        return [key, ["missing", `${scraped}: the service does not export it, or under another name`]];
      }
      const scraping = of.intervals.scrapingOf(group.names, member.identity);
      if (scraping?.untouched === true)
        return [key, ["missing", `Prometheus has not scraped ${who} yet${every(scraping.intervalMs)}`]];
      return [key, ["missing", `Prometheus knows no ${who}: ${query} finds nothing, nor does up`]];
    }),
  );
}

/** All metrics are there: a rate that needs more scrapes, labels that the query lost, or a query that finds nothing. */
async function ofNoValue(of: Explained): Promise<Words> {
  const { answers, intervals } = of;
  const { group, values } = answers;
  const lacks = values.ok ? values.rows.find((row) => row.lacks !== undefined)?.lacks : undefined;
  const read = group.template.reads.find((r) => r.ranged && !r.mayBeAbsent);
  const count = async (window: string) =>
    read === undefined ? undefined : ask(of, `max by ($id) (count_over_time(${read.one}[${window}]))`);
  const measureMs = MEASURE_WINDOWS * group.windowMs;
  const [inWindow, inMore] = await Promise.all([count("$window"), count(promqlDuration(measureMs))]);
  return new Map(
    of.some.map(({ key, member }): [string, Said] => {
      const scrapes = inWindow?.get(key) ?? 0;
      if (read !== undefined && inWindow !== undefined && scrapes < 2) {
        const target = member.series[0]?.target;
        const more = inMore?.get(key) ?? 0;
        if (target !== undefined && more > 2) intervals.measured(target, measureMs / more);
        const scraping = intervals.scrapingOf(group.names, member.identity);
        const query = queryOf(group, member, read.selector);
        const needs = `${query} needs two scrapes within ${group.windowMs / 1000} s and has ${scrapes}`;
        return [key, ["missing", `${needs}${every(scraping?.intervalMs)}`]];
      }
      const query = oneLine(queryOf(group, member, group.template.values), QUERY);
      if (lacks !== undefined)
        return [
          key,
          [
            "missing",
            `the result has no label ${lacks}, so that it is nobody's: aggregate by ($by): ${query}`,
          ],
        ];
      return [
        key,
        ["missing", `the query finds nothing for ${described(group.names, member.identity)}: ${query}`],
      ];
    }),
  );
}

async function ofDown(of: Explained): Promise<Words> {
  const { group, fresh } = of.answers;
  const up = await ask(of, 'max by ($id) (max_over_time(up{job=~"$jobs"}[1h]))');
  const words: Words = new Map();
  for (const { key, member } of of.some) {
    const known = fresh?.get(key);
    if (known?.ok !== false) continue;
    const never = up?.get(key) === 0 ? "; it was not up once in the last hour: is its address right?" : "";
    const lastError = of.intervals.scrapingOf(group.names, member.identity)?.lastError;
    const error = lastError === undefined ? "" : `: ${oneLine(lastError, QUERY)}`;
    words.set(key, [known.status, `${known.detail}${error}${never}`]);
  }
  return words;
}

function every(intervalMs: number | undefined): string {
  return intervalMs === undefined ? "" : `; it is scraped every ${intervalMs / 1000} s`;
}
