import { describe, expect, it } from "vitest";
import { signalPlugins } from "../signals/index.ts";
import { queryProblem } from "./query.ts";

describe("the query of a signal", () => {
  it("of every kind that is shipped is right, and what counts its requests too", () => {
    for (const { promql, supportPromql } of signalPlugins) {
      expect([promql, queryProblem(promql)]).toEqual([promql, undefined]);
      if (supportPromql !== undefined) expect(queryProblem(supportPromql)).toBeUndefined();
    }
  });

  it.each<[string, string, RegExp]>([
    [
      "a bracket that is missing",
      'histogram_quantile(0.95, sum by ($by, le) (rate(x_bucket{job=~"$jobs"}[$window]))',
      /^must be PromQL that parses/,
    ],
    [
      "a variable of Grafana's",
      'sum by ($by) (rate(x{job=~"$jobs"}[$__rate_interval]))',
      /^has the unknown variable \$__rate_interval; there are \$jobs, \$by and \$window$/,
    ],
    [
      "one in braces",
      `sum by ($by) (x{job=~"$jobs", env="$${"{env}"}"})`,
      /^has the unknown variable \$\{env\}/,
    ],
    ["no $by", 'sum by (le) (rate(x_bucket{job=~"$jobs"}[$window])) * 1000', /^must keep its targets apart/],
    ["no $jobs", "sum by ($by) (rate(x_bucket[5m]))", /^must select its targets/],
    ["$jobs outside a string", "sum by ($by) (x{job=~$jobs})", /^must be PromQL that parses/],
    ["a number", "42", /^must give series, not a scalar/],
    ["a scalar", 'scalar(sum by ($by) (x{job=~"$jobs"}))', /^must give series, not a scalar/],
    ["nothing that it reads", "time()", /^must give series, not a scalar/],
  ])("with %s is refused", (_, promql, expected) => {
    expect(queryProblem(promql)).toMatch(expected);
  });
});
