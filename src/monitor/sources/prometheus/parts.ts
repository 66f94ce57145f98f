import type { PartsObservation, PartsRequest, Unusable } from "../../kernel/observation.ts";
import type { PartReading, PartsRecipe } from "../../kernel/parts.ts";
import type { Target } from "../../kernel/target.ts";
import type { QueryAnswer } from "./client.ts";
import { type Freshness, type FreshnessLimits, judgeTime, readFreshness } from "./freshness.ts";
import { freshnessPromql, partsPromql } from "./promql.ts";
import { labelOf, readRow } from "./vector.ts";

/** What one answer says of one metric of one job. */
type PartValues =
  | { readonly ok: true; readonly values: ReadonlyMap<string, number>; readonly evaluatedMs: number }
  | { readonly ok: false; readonly detail: string };

interface PartsSource {
  readonly name: string;
  readonly ask: (promql: string) => Promise<QueryAnswer>;
  /** Judged once the answers are there. */
  readonly limits: () => FreshnessLimits;
}

/**
 * Reads the parts of every target that has some: one query a metric for all targets of a recipe, and one for the age of
 * the samples. What makes an observation unusable makes this one, whole: a metric that is missing for a part is absent.
 */
export async function readParts(
  { targets }: PartsRequest,
  source: PartsSource,
): Promise<readonly PartsObservation[]> {
  const { freshnessQuery, queries } = preparedFor(targets);
  if (freshnessQuery === undefined) return targets.map(() => noParts(source.name));
  const asked = new Map<string, Promise<QueryAnswer>>();
  const ask = (promql: string) => {
    const running = asked.get(promql) ?? source.ask(promql);
    asked.set(promql, running);
    return running;
  };
  const freshnessAnswer = ask(freshnessQuery);
  const answers = await Promise.all(
    queries.map((pair) =>
      pair === undefined ? undefined : Promise.all([ask(pair.backlog), ask(pair.inbound)]),
    ),
  );
  const age = await freshnessAnswer;
  const limits = source.limits();
  const fresh = age.ok ? readFreshness(age.rows, limits) : age;
  return targets.map((target, at): PartsObservation => {
    const pair = answers[at];
    if (target.parts === undefined || pair === undefined) return noParts(source.name);
    return combine({ target, recipe: target.parts, pair, fresh, limits }, source.name);
  });
}

/** What is asked for some targets: nothing where none has parts; of each that has some a query a metric. */
interface PreparedParts {
  readonly freshnessQuery: string | undefined;
  readonly queries: readonly ({ readonly backlog: string; readonly inbound: string } | undefined)[];
}

const prepared = new WeakMap<readonly Target[], PreparedParts>();

/** The same targets (the same array: it must not change) are asked for anew in every cycle. */
function preparedFor(targets: readonly Target[]): PreparedParts {
  const known = prepared.get(targets);
  if (known !== undefined) return known;
  const jobs = [...new Set(targets.flatMap((target) => (target.parts === undefined ? [] : [target.job])))];
  const queries = targets.map(({ parts }) => {
    if (parts === undefined) return undefined;
    const same = new Set(targets.filter((t) => isSame(t.parts, parts)).map((t) => t.job));
    const query = (metric: string) => partsPromql(metric, parts.label, [...same]);
    return { backlog: query(parts.backlogMetric), inbound: query(parts.inboundMetric) };
  });
  const of = { freshnessQuery: jobs.length === 0 ? undefined : freshnessPromql(jobs), queries };
  prepared.set(targets, of);
  return of;
}

interface Evidence {
  readonly target: Target;
  readonly recipe: PartsRecipe;
  readonly pair: readonly [QueryAnswer, QueryAnswer];
  readonly fresh: ReadonlyMap<string, Freshness> | Exclude<QueryAnswer, { ok: true }>;
  readonly limits: FreshnessLimits;
}

/** One target's observation; the first thing that is wrong decides. */
function combine({ target, recipe, pair, fresh, limits }: Evidence, source: string): PartsObservation {
  const unusable = (status: Unusable, detail: string): PartsObservation => ({ status, source, detail });
  const [backlogs, inbounds] = pair;
  for (const answer of pair) if (!answer.ok) return unusable(answer.status, answer.detail);
  if ("ok" in fresh) return unusable(fresh.status, `age of the samples is unknown: ${fresh.detail}`);
  const scraped = fresh.get(target.job);
  if (!scraped) return unusable("stale", `Prometheus does not scrape job ${target.job} (no up sample)`);
  if (!scraped.ok) return unusable(scraped.status, scraped.detail);
  const backlog = valuesOf(backlogs, recipe.backlogMetric, { job: target.job, label: recipe.label });
  const inbound = valuesOf(inbounds, recipe.inboundMetric, { job: target.job, label: recipe.label });
  if (!backlog.ok) return unusable("invalid", backlog.detail);
  if (!inbound.ok) return unusable("invalid", inbound.detail);
  for (const { values, evaluatedMs } of [backlog, inbound]) {
    const evaluated = judgeTime("evaluation", evaluatedMs, limits);
    if (values.size > 0 && !evaluated.ok) return unusable(evaluated.status, evaluated.detail);
  }
  const parts = join(backlog.values, inbound.values);
  const metrics = `${recipe.backlogMetric} and ${recipe.inboundMetric}`;
  if (parts.length === 0)
    return unusable("missing", `${metrics} of job ${target.job} have no value with label ${recipe.label}`);
  return { status: "ok", source, timestampMs: scraped.scrapedMs, parts };
}

/** One value a part; those that are NaN or infinite are left out. */
function valuesOf(
  answer: QueryAnswer,
  metric: string,
  { job, label }: { readonly job: string; readonly label: string },
): PartValues {
  const values = new Map<string, number>();
  const seen = new Set<string>();
  let evaluatedMs = 0;
  for (const raw of answer.ok ? answer.rows : []) {
    const row = readRow(raw);
    const part = labelOf(raw, label);
    if (row?.job !== job || part === undefined || part === "") continue;
    if (seen.has(part))
      return { ok: false, detail: `more than one series of ${metric} for ${label} ${part}` };
    seen.add(part);
    if (row.problem === "invalid") return { ok: false, detail: `${metric} of ${part} is not a number` };
    if (row.value === undefined) continue;
    if (row.value < 0) return { ok: false, detail: `${metric} of ${part} is negative: ${row.value}` };
    values.set(part, row.value + 0);
    evaluatedMs = row.evaluatedMs;
  }
  return { ok: true, values, evaluatedMs };
}

function join(backlogs: ReadonlyMap<string, number>, inbounds: ReadonlyMap<string, number>): PartReading[] {
  return [...new Set([...backlogs.keys(), ...inbounds.keys()])].sort().map((part) => {
    const backlog = backlogs.get(part);
    const inboundTotal = inbounds.get(part);
    return {
      part,
      ...(backlog === undefined ? {} : { backlog }),
      ...(inboundTotal === undefined ? {} : { inboundTotal }),
    };
  });
}

function isSame(a: PartsRecipe | undefined, b: PartsRecipe): boolean {
  return a?.label === b.label && a.backlogMetric === b.backlogMetric && a.inboundMetric === b.inboundMetric;
}

function noParts(source: string): PartsObservation {
  return { status: "missing", source, detail: "target has no parts" };
}
