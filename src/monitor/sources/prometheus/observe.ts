import type { Observation } from "../../kernel/observation.ts";
import type { Series } from "../../kernel/target.ts";
import type { Notice } from "../shared/context.ts";
import { Alternation, fallsPromql } from "./alternation.ts";
import type { Shape } from "./answer.ts";
import type { Bounds } from "./bounds.ts";
import type { QueryClient, VectorAnswer } from "./client.ts";
import { combine, type GroupAnswers, NAME } from "./combine.ts";
import { explain, type Unexplained } from "./explain.ts";
import { type FreshnessLimits, readAges, readFreshness } from "./freshness.ts";
import { groupPlan, type Member, type PreparedGroup, prepare, rendered, type Spans } from "./groups.ts";
import { described, type Names } from "./identity.ts";
import type { Intervals } from "./intervals.ts";
import { readCounts, readTargets } from "./readings.ts";
import type { Read } from "./template.ts";

interface Observing {
  readonly plan: readonly Series[];
  readonly monoMs: number;
  /** Of the answers, once they are there; its argument is the oldest age that counts, milliseconds. */
  readonly limits: (ageMs: number) => FreshnessLimits;
  readonly signal: AbortSignal;
}

interface Parts {
  readonly client: QueryClient;
  readonly intervals: Intervals;
  readonly bounds: Bounds;
  readonly configured: Spans;
  readonly notice: Notice;
}

type Ask = (promql: string, shape: Shape) => Promise<VectorAnswer>;

/** What is remembered from cycle to cycle. */
interface Memory {
  /** By the labels that tell targets apart: the same key is another target where they differ. */
  readonly alternation: Map<string, Alternation>;
  /** What was told already. */
  readonly told: Set<string>;
}

/** Observes a plan, cycle after cycle. */
export function createObserver(parts: Parts): (of: Observing) => Promise<readonly Observation[]> {
  const memory: Memory = { alternation: new Map(), told: new Set() };
  let prepared: { plan: readonly Series[]; version: number; groups: readonly PreparedGroup[] } | undefined;
  return async (of) => {
    const { client, intervals } = parts;
    await intervals.refresh(of.plan, of.monoMs, of.signal);
    // The same plan (the same array: it must not change) is asked anew in every cycle.
    if (prepared?.plan !== of.plan || prepared.version !== intervals.version) {
      const groups = groupPlan(of.plan, (target) => intervals.spansOf(target)).map(prepare);
      prepared = { plan: of.plan, version: intervals.version, groups };
    }
    // Groups that need the same answer share one query.
    const asked = new Map<string, Promise<VectorAnswer>>();
    const ask: Ask = (promql, shape) => {
      const key = `${shape.names}\n${shape.also}\n${promql}`;
      const running = asked.get(key) ?? client.instant(promql, shape, of.signal);
      asked.set(key, running);
      return running;
    };
    const groups = prepared.groups;
    const answers = await Promise.all(groups.map((group) => askGroup(group, { ask, memory, of, parts })));
    return conclude(answers, { memory, of, parts });
  };
}

interface Context {
  readonly memory: Memory;
  readonly of: Observing;
  readonly parts: Parts;
}

/** All that is asked for one group. */
async function askGroup(
  prepared: PreparedGroup,
  context: Context & { readonly ask: Ask },
): Promise<GroupAnswers> {
  const { ask, of, memory, parts } = context;
  const { bounds } = parts;
  const { group } = prepared;
  const shape: Shape = { names: group.names };
  const [values, scraped, support, boundsProblem, , ...ages] = await Promise.all([
    ask(prepared.values, shape),
    ask(prepared.scraped, shape),
    prepared.support === undefined ? undefined : ask(prepared.support, shape),
    bounds.read(group, bounds.due(group, of.monoMs), { ask, monoMs: of.monoMs }),
    askAlternation(prepared, context),
    ...prepared.ages.map((promql) => ask(promql, shape)),
  ]);
  const limits = of.limits(group.ageMs);
  const alternation = alternationOf(memory, group.names);
  return {
    group,
    values,
    scraped,
    readings: values.ok ? readTargets(values.rows, group.aggregate) : undefined,
    counts: support?.ok ? readCounts(support.rows) : undefined,
    fresh: scraped.ok ? readFreshness(scraped.rows, limits) : undefined,
    ages: ages.map((answer, at) => ({
      answer,
      of: answer.ok ? readAges(answer.rows, (group.template.reads[at] as Read).metric, limits) : new Map(),
    })),
    alternates: (key) => alternation.why(key, of.monoMs),
    bounds,
    boundsProblem,
    limits,
    configuredWindowMs: parts.configured.windowMs,
  };
}

function alternationOf({ alternation }: Memory, names: Names): Alternation {
  const key = names.join(",");
  const known = alternation.get(key) ?? new Alternation();
  alternation.set(key, known);
  return known;
}

/** Looks whether one address is several processes. */
async function askAlternation(
  { group, starts }: PreparedGroup,
  { ask, memory, of }: Context & { readonly ask: Ask },
): Promise<void> {
  const alternation = alternationOf(memory, group.names);
  const shape: Shape = { names: group.names };
  const startless = alternation.startless(group.members.keys());
  const read = group.template.reads.find(({ ranged }) => ranged);
  const identities = startless.map((key) => (group.members.get(key) as Member).identity);
  const [began, fell] = await Promise.all([
    ask(starts, shape),
    read === undefined || startless.length === 0
      ? undefined
      : ask(rendered(group, fallsPromql(read.one), identities), shape),
  ]);
  // Where it is not answered, neither are the values.
  if (began.ok) alternation.starts(began.rows, group.members.keys(), of.monoMs);
  if (fell?.ok && read !== undefined) alternation.falls(fell.rows, read.metric, of.monoMs);
}

/** One observation a series, with the reason where there is no value. */
async function conclude(
  answers: readonly GroupAnswers[],
  { of, parts, memory }: Context,
): Promise<readonly Observation[]> {
  const { client, intervals, notice } = parts;
  const bySeries = new Map<Series, Observation>();
  const unexplained: { answers: GroupAnswers; found: Unexplained[] }[] = [];
  for (const own of answers) {
    const found: Unexplained[] = [];
    for (const [key, member] of own.group.members) {
      for (const series of member.series) {
        const finding = combine(own, key, series);
        bySeries.set(series, finding.observation);
        if (finding.step !== undefined) found.push({ key, member, step: finding.step });
        else if (finding.observation.status === "ok") tellAbsent(own, key, member);
      }
    }
    if (found.length > 0) unexplained.push({ answers: own, found });
  }
  if (unexplained.length > 0) await intervals.refresh(of.plan, of.monoMs, of.signal, true);
  await Promise.all(
    unexplained.map(async (one) => {
      const asking = { client, intervals, answers: one.answers, signal: of.signal };
      for (const [key, observation] of await explain(one.found, asking))
        for (const series of one.answers.group.members.get(key)?.series ?? [])
          bySeries.set(series, observation);
    }),
  );
  return of.plan.map(
    (series) =>
      bySeries.get(series) ?? { status: "missing", source: NAME, detail: "series was not asked for" },
  );

  /** A ratio whose numerator was never counted is 0: once, an operator should know. */
  function tellAbsent({ group, ages }: GroupAnswers, key: string, { identity }: Member): void {
    for (const [at, { of: age }] of ages.entries()) {
      const { mayBeAbsent, metric } = group.template.reads[at] as Read;
      const once = `${group.names}\n${key}\n${metric}`;
      if (!mayBeAbsent || age.has(key) || memory.told.has(once)) continue;
      memory.told.add(once);
      const who = described(group.names, identity);
      notice("counter not seen yet, taken as 0", { source: NAME, signal: group.signal, of: who, metric });
    }
  }
}
