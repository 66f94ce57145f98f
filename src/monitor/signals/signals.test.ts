import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signalPlugins } from "./index.ts";

describe("the signals", () => {
  it("are those of the product, by name, in the order people read them", () => {
    expect(signalPlugins.map((d) => [d.kind, d.unit, d.windowed])).toEqual([
      ["p95_latency", "ms", true],
      ["error_rate", "ratio", true],
      ["memory", "bytes", false],
      ["backlog", "messages", false],
    ]);
  });

  it.each([
    ["p95_latency", { slo: 300, exit: 270, limit: 5000 }],
    ["error_rate", { slo: 0.05, exit: 0.045, limit: 0.5 }],
    ["memory", { slo: 255e6, exit: 229.5e6, limit: 300e6 }],
    ["backlog", { slo: 100, exit: 90, limit: 1000 }],
  ])("%s has the contract's defaults", (name, expected) => {
    const found = signalPlugins.find((d) => d.kind === name)!.thresholds({});
    for (const level of ["slo", "exit", "limit"] as const)
      expect(found[level], level).toBeCloseTo(expected[level], 6);
  });

  it.each(signalPlugins.map((d) => [d.kind, d] as const))(
    "%s: what is given stands, and the exit follows at 90 %% of the SLO",
    (_name, definition) => {
      const level = fc.double({ min: 1e-3, max: 1e12, noNaN: true });
      const given = fc.record({ slo: level, exit: level, limit: level }, { requiredKeys: [] });
      fc.assert(
        fc.property(given, (g) => {
          const t = definition.thresholds(g);
          for (const key of ["slo", "exit", "limit"] as const) {
            expect(Number.isFinite(t[key])).toBe(true);
            if (g[key] !== undefined) expect(t[key]).toBe(g[key]);
          }
          if (g.exit === undefined) expect(t.exit / t.slo).toBeCloseTo(0.9, 9);
        }),
      );
    },
  );

  it("memory's SLO follows its limit, backlog's limit its SLO", () => {
    const of = (name: string) => signalPlugins.find((d) => d.kind === name)!;
    expect(of("memory").thresholds({ limit: 1e9 }).slo).toBeCloseTo(850e6, 3);
    expect(of("backlog").thresholds({ slo: 7 }).limit).toBe(70);
  });

  it("name their variables once, and those of the contract", () => {
    const all = signalPlugins.flatMap((d) => Object.values(d.env));
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual(
      expect.arrayContaining([
        "SLO_P95_MS",
        "SLO_P95_EXIT_MS",
        "P95_TIMEOUT_MS",
        "SLO_ERROR_RATE",
        "MEM_MAX_BYTES",
        "SLO_BACKLOG",
      ]),
    );
  });

  it("read only targets' own series, and a window where they are windowed", () => {
    for (const { kind: name, promql, windowed, scrape } of signalPlugins) {
      expect(promql, name).toContain('job=~"$jobs"');
      expect(promql, name).toMatch(/by \(\$by[,)]/);
      expect(promql.includes("[$window]"), name).toBe(windowed);
      // Both sources read the same metrics.
      const metrics = scrape.kind === "rate_ratio" ? [scrape.numerator, scrape.denominator] : [scrape.metric];
      for (const metric of metrics) expect(promql, name).toContain(metric);
      expect(scrape.kind === "gauge", name).toBe(!windowed);
    }
  });
});
