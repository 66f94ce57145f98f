import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planOf } from "../../../../test/setup/series.ts";
import { groupPlan, groupQuery, jobsOf, preparedFor, supportQuery } from "./groups.ts";
import { alignRange, MAX_POINTS } from "./history.ts";
import { freshnessPromql, jobAlternation, promqlDuration, renderPromql } from "./promql.ts";

/** What Prometheus makes of the text between the quotes, then of the pattern. */
function matches(quoted: string, value: string): boolean {
  const pattern = quoted.replace(/\\(x[0-9a-f]{2}|n|\\)/g, (_all, code: string) => {
    if (code === "n") return "\n";
    return code === "\\" ? "\\" : String.fromCharCode(Number.parseInt(code.slice(1), 16));
  });
  return new RegExp(`^(?:${pattern})$`).test(value);
}

describe("rendering", () => {
  it("fills every placeholder, wherever it stands", () => {
    const rendered = renderPromql('sum by ($by, le) (rate(x{job=~"$jobs"}[$window])) / $byte', {
      jobs: ["product-api", "a.b"],
      by: ["job", "instance"],
      windowMs: 60_000,
    });
    expect(rendered).toBe('sum by (job, instance, le) (rate(x{job=~"product-api|a\\\\.b"}[60s])) / $byte');
  });

  it("does not read replacement patterns in job names", () => {
    expect(renderPromql("$jobs", { jobs: ["$&"], by: [], windowMs: 1000 })).toBe("\\\\$&");
  });

  it("keeps any job name from ending the string or matching another", () => {
    const name = fc.string({ minLength: 1, unit: fc.constantFrom(..."ab.|()[]\\\"'\n$^*+-{}") });
    fc.assert(
      fc.property(name, name, (job, other) => {
        const quoted = jobAlternation([job]);
        expect(quoted).not.toMatch(/["'\n]/);
        expect(matches(quoted, job)).toBe(true);
        expect(matches(quoted, other)).toBe(job === other);
      }),
    );
  });

  it("writes durations as PromQL takes them", () => {
    expect([60_000, 1500].map(promqlDuration)).toEqual(["60s", "1500ms"]);
  });
});

describe("grouping", () => {
  it("asks one query for each distinct signal and aggregate, over all targets", () => {
    const memory = { name: "memory", promql: "m by ($by) $jobs" };
    const backlog = { name: "backlog", promql: "b by ($by) $jobs" };
    const plan = planOf([
      { name: "a", signals: [memory, backlog] },
      { name: "b", signals: [memory] },
      { name: "c", aggregate: "worst_instance", signals: [memory] },
      { name: "a2", job: "a", signals: [memory] },
    ]);
    const groups = groupPlan(plan);
    const queries = groups.map((group) => groupQuery(group, [...group.byJob.keys()], 1000));
    expect(queries).toEqual(["m by (job) a|b", "b by (job) a", "m by (job, instance) c"]);
    expect(groups[0]?.byJob.get("a")?.map((series) => series.target.name)).toEqual(["a", "a2"]);
    expect(jobsOf(plan)).toEqual(["a", "b", "c"]);
  });
});

describe("the grid of a range query", () => {
  it("lies on multiples of the step inside the range", () => {
    expect(alignRange({ fromMs: 61_000, toMs: 200_000, stepMs: 30_000 })).toEqual({
      fromMs: 90_000,
      toMs: 180_000,
      stepMs: 30_000,
    });
    expect(alignRange({ fromMs: 61_000, toMs: 62_000, stepMs: 30_000 })).toBeUndefined();
    expect(alignRange({ fromMs: 0, toMs: 1000, stepMs: 0 })).toBeUndefined();
    expect(alignRange({ fromMs: Number.NaN, toMs: 1000, stepMs: 10 })).toBeUndefined();
  });

  it("never has more than 11,000 points, and keeps the newest", () => {
    const amount = fc.integer({ min: 0, max: 2_000_000_000 });
    fc.assert(
      fc.property(amount, amount, fc.integer({ min: 1, max: 100_000 }), (fromMs, lengthMs, stepMs) => {
        const toMs = fromMs + lengthMs;
        const grid = alignRange({ fromMs, toMs, stepMs });
        if (!grid) {
          expect(lengthMs).toBeLessThan(stepMs);
          return;
        }
        expect((grid.toMs - grid.fromMs) / stepMs + 1).toBeLessThanOrEqual(MAX_POINTS);
        expect(grid.fromMs).toBeGreaterThanOrEqual(fromMs);
        expect(toMs - grid.toMs).toBeLessThan(stepMs);
        expect(grid.toMs).toBeLessThanOrEqual(toMs);
      }),
    );
  });
});

describe("a prepared plan", () => {
  it("asks what its groups ask, of this plan at this window, however often it is asked for", () => {
    const signals = [{ name: "memory", promql: "m by ($by) $jobs $window" }];
    const plans = [["a", "b"], ["c"], ["a", "b"]].map((names) =>
      planOf(names.map((name) => ({ name, signals }))),
    );
    for (const windowMs of [60_000, 60_000, 240_000, 60_000])
      for (const plan of plans) {
        const { freshnessQuery, groups } = preparedFor(plan, windowMs);
        expect(freshnessQuery).toBe(freshnessPromql(jobsOf(plan)));
        const asked = groupPlan(plan).map((group) => {
          const jobs = [...group.byJob.keys()];
          const values = groupQuery(group, jobs, windowMs);
          return { group, values, support: supportQuery(group, jobs, windowMs) };
        });
        expect(groups).toEqual(asked);
        expect(preparedFor(plan, windowMs).groups).toBe(groups);
      }
  });
});
