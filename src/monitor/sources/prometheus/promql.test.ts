import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planOf } from "../../../../test/setup/series.ts";
import { groupPlan, renderedForAll } from "./groups.ts";
import { alignRange, MAX_POINTS } from "./history.ts";
import { alternation, promqlDuration, renderPromql } from "./promql.ts";

/** What Prometheus makes of the text between the quotes, then of the pattern. */
function matches(quoted: string, value: string): boolean {
  const pattern = quoted.replace(/\\(x[0-9a-f]{2}|n|\\)/g, (_all, code: string) => {
    if (code === "n") return "\n";
    return code === "\\" ? "\\" : String.fromCharCode(Number.parseInt(code.slice(1), 16));
  });
  return new RegExp(`^(?:${pattern})$`).test(value);
}

const of = {
  names: ["job"],
  identities: [["product-api"], ["a.b"]],
  byInstance: false,
  windowMs: 60_000,
  ageMs: 30_000,
};

describe("rendering", () => {
  it("fills every placeholder, wherever it stands", () => {
    const template = 'sum by ($by, le) (rate(x{job=~"$jobs"}[$window])) / $byte + $age by ($id)';
    expect(renderPromql(template, { ...of, byInstance: true })).toBe(
      'sum by (job, instance, le) (rate(x{job=~"product-api|a\\\\.b"}[60s])) / $byte + 30 by (job)',
    );
  });

  it("selects and groups by every label that tells the targets apart", () => {
    const names = ["job", "env"];
    const identities = [
      ["pods", "prod"],
      ["pods", "staging"],
    ];
    const template = `sum by ($by) (a{job=~"$jobs"} / b{x="1",job=~'$jobs'})`;
    expect(renderPromql(template, { ...of, names, identities })).toBe(
      'sum by (job, env) (a{job=~"pods", env=~"prod|staging"} / b{x="1",job=~"pods", env=~"prod|staging"})',
    );
  });

  it("does not read replacement patterns in job names", () => {
    expect(renderPromql("$jobs", { ...of, identities: [["$&"]] })).toBe("\\\\$&");
  });

  it("keeps any job name from ending the string or matching another", () => {
    const name = fc.string({ minLength: 1, unit: fc.constantFrom(..."ab.|()[]\\\"'\n$^*+-{}") });
    fc.assert(
      fc.property(name, name, (job, other) => {
        const quoted = alternation([job]);
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

const spans = { windowMs: 1000, ageMs: 5000 };

describe("grouping", () => {
  it("asks one query for each distinct signal, aggregate, set of labels and window, over all targets", () => {
    const memory = { name: "memory", promql: "m by ($by) $jobs" };
    const backlog = { name: "backlog", promql: "b by ($by) $jobs" };
    const plan = planOf([
      { name: "a", signals: [memory, backlog] },
      { name: "b", signals: [memory] },
      { name: "c", aggregate: "worst_instance", signals: [memory] },
      { name: "a2", job: "a", signals: [memory] },
      { name: "d", signals: [memory], match: { env: "prod", app: "shop" } },
      { name: "slow", signals: [memory] },
    ]);
    const groups = groupPlan(plan, ({ name }) => (name === "slow" ? { windowMs: 9000, ageMs: 9000 } : spans));
    expect(groups.map((group) => renderedForAll(group, group.template.values))).toEqual([
      "m by (job) a|b",
      "b by (job) a",
      "m by (job, instance) c",
      "m by (job, app, env) d",
      "m by (job) slow",
    ]);
    expect(groups[0]?.members.get("a")?.series.map((series) => series.target.name)).toEqual(["a", "a2"]);
    expect([...(groups[3]?.members.keys() ?? [])]).toEqual(["d\nshop\nprod"]);
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
