import type { Series, Target } from "../../kernel/target.ts";
import { freshnessPromql, renderPromql } from "./promql.ts";

/** Series that one query answers: the same signal with the same aggregate, for any number of targets. */
export interface QueryGroup {
  readonly signal: string;
  readonly aggregate: Target["aggregate"];
  readonly promql: string;
  readonly supportPromql: string | undefined;
  /** Series of the group by the `job` they are matched on. */
  readonly byJob: ReadonlyMap<string, readonly Series[]>;
}

/** Splits a plan into the fewest queries: one for each distinct (signal name, PromQL, aggregate). */
export function groupPlan(plan: readonly Series[]): readonly QueryGroup[] {
  const groups = new Map<string, { group: QueryGroup; byJob: Map<string, Series[]> }>();
  for (const series of plan) {
    const { signal, target } = series;
    const key = `${signal.name}\n${target.aggregate}\n${signal.promql}\n${signal.supportPromql ?? ""}`;
    let entry = groups.get(key);
    if (!entry) {
      const byJob = new Map<string, Series[]>();
      const group = {
        signal: signal.name,
        aggregate: target.aggregate,
        promql: signal.promql,
        supportPromql: signal.supportPromql,
        byJob,
      };
      entry = { group, byJob };
      groups.set(key, entry);
    }
    const same = entry.byJob.get(target.job);
    if (same) same.push(series);
    else entry.byJob.set(target.job, [series]);
  }
  return [...groups.values()].map((entry) => entry.group);
}

/** The group's PromQL for some of its jobs. `windowMs`: rate window. */
export function groupQuery(group: QueryGroup, jobs: readonly string[], windowMs: number): string {
  return render(group, group.promql, jobs, windowMs);
}

/** The query for the requests behind the group's values; undefined where nothing counts them. @internal for its tests */
export function supportQuery(
  group: QueryGroup,
  jobs: readonly string[],
  windowMs: number,
): string | undefined {
  return group.supportPromql === undefined ? undefined : render(group, group.supportPromql, jobs, windowMs);
}

function render(group: QueryGroup, promql: string, jobs: readonly string[], windowMs: number): string {
  const by = group.aggregate === "job" ? ["job"] : ["job", "instance"];
  return renderPromql(promql, { jobs, by, windowMs });
}

/** Every job of a plan once, in order of first appearance. @internal for its tests */
export function jobsOf(plan: readonly Series[]): readonly string[] {
  return [...new Set(plan.map((series) => series.target.job))];
}

/** Everything that is asked for a plan: text of the queries, with the group that each answers. */
export interface PreparedPlan {
  readonly freshnessQuery: string;
  readonly groups: readonly {
    readonly group: QueryGroup;
    readonly values: string;
    /** Undefined where nothing counts the requests. */
    readonly support: string | undefined;
  }[];
}

const prepared = new WeakMap<readonly Series[], { readonly windowMs: number; readonly of: PreparedPlan }>();

/** The queries of a plan. The same plan (the same array: it must not change) is asked anew in every cycle. */
export function preparedFor(plan: readonly Series[], windowMs: number): PreparedPlan {
  const known = prepared.get(plan);
  if (known?.windowMs === windowMs) return known.of;
  const groups = groupPlan(plan).map((group) => {
    const jobs = [...group.byJob.keys()];
    const values = groupQuery(group, jobs, windowMs);
    return { group, values, support: supportQuery(group, jobs, windowMs) };
  });
  const of = { freshnessQuery: freshnessPromql(jobsOf(plan)), groups };
  prepared.set(plan, { windowMs, of });
  return of;
}
