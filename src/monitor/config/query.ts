import { readQuery } from "../../common/promql/query.ts";

const PLACEHOLDERS = ["$jobs", "$by", "$window"];

/** What is wrong with the PromQL of a signal, and what would be right; undefined: it can be asked. */
export function queryProblem(promql: string): string | undefined {
  const foreign = (promql.match(/\$\w+|\$\{\w*\}|\[\[\w+\]\]/g) ?? []).find(
    (name) => !PLACEHOLDERS.includes(name),
  );
  if (foreign !== undefined) return `has the unknown variable ${foreign}; there are $jobs, $by and $window`;
  const query = readQuery(promql);
  if (query === undefined)
    return "must be PromQL that parses, with $by among grouping labels, $jobs inside a string and $window as a range";
  if (query.selectors.length === 0 || /^[\s(]*scalar\s*\(/.test(promql))
    return "must give series, not a scalar: an expression over a metric, grouped by ($by)";
  const jobs = query.selectors.some(({ matchers }) =>
    matchers.some(({ literal }) => literal.includes("$jobs")),
  );
  if (!jobs) return 'must select its targets: put job=~"$jobs" into a selector';
  if (!/\bby\s*\([^()]*\$by\b/.test(promql))
    return "must keep its targets apart: group by ($by), e.g. sum by ($by) (…)";
  return undefined;
}
