import type { Series, Target } from "../../kernel/target.ts";
import { identityNames, identityOf, keyOf, type Names } from "./identity.ts";
import { renderPromql } from "./promql.ts";
import { type Template, templateOf } from "./template.ts";

/** How long a rate window and how old a sample may be for one target, milliseconds. */
export interface Spans {
  readonly windowMs: number;
  readonly ageMs: number;
}

/** One target of a group, whatever the number of series that are found by its labels. */
export interface Member {
  readonly identity: readonly string[];
  readonly series: readonly Series[];
}

/** Series that one query answers: the same signal with the same aggregate, for any number of targets. */
export interface QueryGroup extends Spans {
  readonly signal: string;
  readonly aggregate: Target["aggregate"];
  readonly names: Names;
  readonly template: Template;
  readonly supportPromql: string | undefined;
  /** By `keyOf` the labels of the target. */
  readonly members: ReadonlyMap<string, Member>;
}

/** Splits a plan into the fewest queries: one for each distinct (signal, PromQL, aggregate, labels, window). */
export function groupPlan(
  plan: readonly Series[],
  spansOf: (target: Target) => Spans,
): readonly QueryGroup[] {
  type Growing = Omit<QueryGroup, "members"> & { members: Map<string, Member & { series: Series[] }> };
  const groups = new Map<string, Growing>();
  for (const series of plan) {
    const { signal, target } = series;
    const names = identityNames(target);
    const spans = spansOf(target);
    const about = [signal.name, signal.shape, target.aggregate, names, spans.windowMs, spans.ageMs];
    const key = `${about.join("\n")}\n${signal.promql}\n${signal.supportPromql ?? ""}`;
    let group = groups.get(key);
    if (!group) {
      group = {
        ...spans,
        signal: signal.name,
        aggregate: target.aggregate,
        names,
        template: templateOf(signal.promql, signal.shape),
        supportPromql: signal.supportPromql,
        members: new Map(),
      };
      groups.set(key, group);
    }
    const identity = identityOf(target, names);
    const own = group.members.get(keyOf(identity));
    if (own) own.series.push(series);
    else group.members.set(keyOf(identity), { identity, series: [series] });
  }
  return [...groups.values()];
}

/** What the placeholders of a query stand for, beside the targets. */
export type Rendering = Pick<QueryGroup, "names" | "windowMs" | "ageMs" | "aggregate">;

/** A template of the group for some of its targets. */
export function rendered(
  group: Rendering,
  template: string,
  identities: readonly (readonly string[])[],
): string {
  const { names, windowMs, ageMs, aggregate } = group;
  return renderPromql(template, { names, identities, byInstance: aggregate !== "job", windowMs, ageMs });
}

/** The same of all of them. @internal for its tests */
export function renderedForAll(group: QueryGroup, template: string): string {
  return rendered(
    group,
    template,
    [...group.members.values()].map(({ identity }) => identity),
  );
}

/** For each target, how long ago the oldest of the series that are used had its newest sample: a time, Unix seconds. */
export const agesOf = (one: string): string => `min by ($id) (timestamp(${one}) >= time() - $age)`;

/** Everything that is asked for a group. */
export interface PreparedGroup {
  readonly group: QueryGroup;
  readonly values: string;
  /** Undefined where nothing counts the requests. */
  readonly support: string | undefined;
  readonly scraped: string;
  readonly starts: string;
  /** One for each metric that the query reads. */
  readonly ages: readonly string[];
}

export function prepare(group: QueryGroup): PreparedGroup {
  const { template, supportPromql } = group;
  return {
    group,
    values: renderedForAll(group, template.values),
    support: supportPromql === undefined ? undefined : renderedForAll(group, supportPromql),
    scraped: renderedForAll(group, template.scraped),
    starts: renderedForAll(group, template.starts),
    ages: template.reads.map(({ one }) => renderedForAll(group, agesOf(one))),
  };
}
