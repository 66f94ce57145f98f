import type { PartsObservation, PartsRequest, Unusable } from "../../kernel/observation.ts";
import type { PartReading, PartsRecipe } from "../../kernel/parts.ts";
import type { Target } from "../../kernel/target.ts";
import type { Shape } from "./answer.ts";
import type { VectorAnswer } from "./client.ts";
import { type Freshness, type FreshnessLimits, judgeTime, readAges, readFreshness } from "./freshness.ts";
import { agesOf, type Rendering, rendered, type Spans } from "./groups.ts";
import { described, identityNames, identityOf, keyOf } from "./identity.ts";
import { ofInstances } from "./template.ts";

/** What one answer says of one metric of one target. */
type PartValues =
  | { readonly ok: true; readonly values: ReadonlyMap<string, number>; readonly evaluatedMs: number }
  | { readonly ok: false; readonly detail: string };

interface PartsSource {
  readonly name: string;
  readonly ask: (promql: string, shape: Shape) => Promise<VectorAnswer>;
  readonly spansOf: (target: Target) => Spans;
  /** Judged once the answers are there; its argument is the oldest age that counts, milliseconds. */
  readonly limits: (ageMs: number) => FreshnessLimits;
}

/** Targets that one query a metric answers for. */
interface Group extends Rendering {
  readonly recipe: PartsRecipe;
  readonly members: Map<Target, readonly string[]>;
}

/** The answers for one of the two metrics. */
interface MetricAnswers {
  readonly metric: string;
  readonly values: VectorAnswer;
  readonly ages: VectorAnswer;
}

/**
 * Reads the parts of every target that has some: for all targets of a recipe one query a metric, and one for the age of its
 * samples. What makes an observation unusable makes this one, whole: a metric that is missing for a part is absent.
 */
export async function readParts(
  { targets }: PartsRequest,
  source: PartsSource,
): Promise<readonly PartsObservation[]> {
  const found = new Map<Target, PartsObservation>();
  await Promise.all(
    groupsOf(targets, source).map(async (group) => {
      for (const [target, observation] of await readGroup(group, source)) found.set(target, observation);
    }),
  );
  return targets.map(
    (target) =>
      found.get(target) ?? { status: "missing", source: source.name, detail: "target has no parts" },
  );
}

function groupsOf(targets: readonly Target[], { spansOf }: PartsSource): Group[] {
  const groups = new Map<string, Group>();
  for (const target of targets) {
    const { parts: recipe } = target;
    if (recipe === undefined) continue;
    const names = identityNames(target);
    const spans = spansOf(target);
    const key = JSON.stringify([recipe.label, recipe.backlogMetric, recipe.inboundMetric, names, spans]);
    const group = groups.get(key) ?? { ...spans, names, aggregate: "job", recipe, members: new Map() };
    group.members.set(target, identityOf(target, names));
    groups.set(key, group);
  }
  return [...groups.values()];
}

async function readGroup(
  group: Group,
  { name, ask, limits: limitsAt }: PartsSource,
): Promise<ReadonlyMap<Target, PartsObservation>> {
  const { recipe, names, members, ageMs } = group;
  const identities = [...members.values()];
  const of = (template: string) => rendered(group, template, identities);
  const selector = (metric: string) => `${metric}{job=~"$jobs", ${recipe.label}!=""}`;
  const asked = async (metric: string): Promise<MetricAnswers> => {
    const one = selector(metric);
    const young = `sum by ($id, ${recipe.label}) (${one} and timestamp(${one}) >= time() - $age)`;
    const [values, ages] = await Promise.all([
      ask(of(young), { names, also: recipe.label }),
      ask(of(agesOf(one)), { names }),
    ]);
    return { metric, values, ages };
  };
  const [up, ...pair] = await Promise.all([
    ask(of(ofInstances([]).scraped), { names }),
    asked(recipe.backlogMetric),
    asked(recipe.inboundMetric),
  ]);
  const limits = limitsAt(ageMs);
  const fresh = up.ok ? readFreshness(up.rows, limits) : up;
  const observed = new Map<Target, PartsObservation>();
  for (const [target, identity] of members) {
    const about = { key: keyOf(identity), who: described(names, identity), recipe, pair, fresh, limits };
    observed.set(target, combine(about, name));
  }
  return observed;
}

interface Evidence {
  readonly key: string;
  readonly who: string;
  readonly recipe: PartsRecipe;
  readonly pair: readonly MetricAnswers[];
  readonly fresh: ReadonlyMap<string, Freshness> | Exclude<VectorAnswer, { ok: true }>;
  readonly limits: FreshnessLimits;
}

/** One target's observation; the first thing that is wrong decides. */
function combine({ key, who, recipe, pair, fresh, limits }: Evidence, source: string): PartsObservation {
  const unusable = (status: Unusable, detail: string): PartsObservation => ({ status, source, detail });
  for (const { values } of pair) if (!values.ok) return unusable(values.status, values.detail);
  if ("ok" in fresh) return unusable(fresh.status, `age of the samples is unknown: ${fresh.detail}`);
  for (const { ages } of pair)
    if (!ages.ok) return unusable(ages.status, `age of the samples is unknown: ${ages.detail}`);
  const scraped = fresh.get(key);
  if (scraped?.ok === false) return unusable(scraped.status, scraped.detail);
  let atMs = scraped?.scrapedMs ?? Number.POSITIVE_INFINITY;
  const read: ReadonlyMap<string, number>[] = [];
  for (const { metric, values, ages } of pair) {
    const age = ages.ok ? readAges(ages.rows, metric, limits).get(key) : undefined;
    if (age?.ok === false) return unusable(age.status, age.detail);
    if (age !== undefined) atMs = Math.min(atMs, age.scrapedMs);
    const found = valuesOf(values, { metric, key, label: recipe.label });
    if (!found.ok) return unusable("invalid", found.detail);
    const evaluated = judgeTime("evaluation", found.evaluatedMs, limits);
    if (found.values.size > 0 && !evaluated.ok) return unusable(evaluated.status, evaluated.detail);
    read.push(found.values);
  }
  const parts = join(read[0] ?? new Map(), read[1] ?? new Map());
  const metrics = `${recipe.backlogMetric} and ${recipe.inboundMetric}`;
  if (parts.length === 0 && scraped === undefined)
    return unusable(
      "stale",
      `Prometheus does not scrape ${who} (no up), and has no young sample of ${metrics}`,
    );
  if (parts.length === 0)
    return unusable("missing", `${metrics} of ${who} have no value with label ${recipe.label}`);
  if (atMs === Number.POSITIVE_INFINITY) return unusable("stale", `age of ${metrics} of ${who} is unknown`);
  return { status: "ok", source, timestampMs: atMs, parts };
}

/** One value a part; those that are NaN or infinite are left out. */
function valuesOf(
  answer: VectorAnswer,
  { metric, key, label }: { readonly metric: string; readonly key: string; readonly label: string },
): PartValues {
  const values = new Map<string, number>();
  const seen = new Set<string>();
  let evaluatedMs = 0;
  for (const row of answer.ok ? answer.rows : []) {
    const { also: part, value, problem } = row;
    if (row.key !== key || part === undefined || part === "") continue;
    if (seen.has(part))
      return { ok: false, detail: `more than one series of ${metric} for ${label} ${part}` };
    seen.add(part);
    if (problem === "invalid") return { ok: false, detail: `${metric} of ${part} is not a number` };
    if (value === undefined) continue;
    if (value < 0) return { ok: false, detail: `${metric} of ${part} is negative: ${value}` };
    values.set(part, value + 0);
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
