import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decision, NoTriggerReason, Trigger, Verdict } from "../kernel/decision.ts";
import type { Observation } from "../kernel/observation.ts";
import type { Series } from "../kernel/target.ts";
import { p95Latency } from "../signals/p95-latency/index.ts";
import { decideSeries, type SeriesInput, urgency } from "./decide.ts";

const NOW = { wallMs: 1_700_000_000_000, monoMs: 50_000 };

const series: Series = {
  index: 0,
  target: {
    name: "product-api",
    job: "product-api",
    instances: [{ name: "app:8000", url: "http://app:8000" }],
    aggregate: "job",
    signals: [],
    cooldownMs: 300_000,
    autoHeal: true,
  },
  signal: p95Latency.create({}),
};

const OK: Observation = { status: "ok", source: "prometheus", value: 250, timestampMs: NOW.wallMs - 1000 };

function verdict(over: Partial<Verdict> = {}): Verdict {
  return {
    predictor: "linear",
    forecast: { predictor: "linear", value: 4800, slopePerSecond: 20, r2: 0.9, sampleCount: 20 },
    probability: 0.95,
    trigger: "pre_timeout",
    noTriggerReason: undefined,
    ...over,
  };
}

function input(over: Partial<SeriesInput> = {}): SeriesInput {
  return {
    series,
    observation: OK,
    verdicts: [verdict()],
    inRisk: true,
    settlingLeftMs: 0,
    cooldownActive: false,
    now: NOW,
    ...over,
  };
}

describe("decideSeries", () => {
  it("asks for an action when a predictor triggers", () => {
    expect(decideSeries(input())).toEqual({
      target: "product-api",
      signal: "p95_latency",
      act: true,
      reason: "pre_timeout",
      trigger: "pre_timeout",
      predictor: "linear",
      source: "prometheus",
      current: 250,
      verdicts: [verdict()],
      slo: 300,
      limit: 5000,
      inRisk: true,
      cooldownActive: false,
      untilMs: undefined,
      detail: undefined,
    });
  });

  it.each(["missing", "stale", "invalid", "unreachable"] as const)(
    "holds on %s data whatever the predictors say, and shows no value",
    (status) => {
      const d = decideSeries(
        input({ observation: { status, source: "scrape", detail: "why" }, settlingLeftMs: 5 }),
      );
      expect(d).toMatchObject({ act: false, reason: `data_${status}`, detail: "why", source: "scrape" });
      expect(d.current).toBeUndefined();
      expect(d.trigger).toBeUndefined();
      expect(d.untilMs).toBeUndefined();
    },
  );

  it("waits while samples speak of before the last action, keeps the trigger, and says until when", () => {
    expect(decideSeries(input({ settlingLeftMs: 3000 }))).toMatchObject({
      act: false,
      reason: "settling",
      trigger: "pre_timeout",
      untilMs: NOW.wallMs + 3000,
    });
  });

  it("shows an active cooldown with or without a trigger; whether it holds is for the guards", () => {
    const cooling = { cooldownActive: true };
    expect(decideSeries(input(cooling))).toMatchObject({
      act: true,
      reason: "pre_timeout",
      cooldownActive: true,
      untilMs: undefined,
    });
    const noTriggerReason = [verdict({ trigger: undefined, noTriggerReason: "below_slo" })];
    expect(decideSeries(input({ ...cooling, verdicts: noTriggerReason }))).toMatchObject({
      act: false,
      reason: "below_slo",
      cooldownActive: true,
      untilMs: undefined,
    });
  });

  it.each<[string, Verdict[], string, string]>([
    ["no predictor at all", [], "insufficient_samples", "linear"],
    [
      "the one that was held back by its fit",
      [
        verdict({ predictor: "a", trigger: undefined, noTriggerReason: "below_slo" }),
        verdict({ predictor: "b", noTriggerReason: "r2_below_min" }),
      ],
      "r2_below_min",
      "b",
    ],
    [
      "the one that waits",
      [
        verdict({ predictor: "a", trigger: undefined, noTriggerReason: "below_slo" }),
        verdict({ predictor: "b", trigger: undefined, noTriggerReason: "awaiting_confirmation" }),
      ],
      "awaiting_confirmation",
      "b",
    ],
    [
      "the one that is on",
      [
        verdict({ predictor: "a", noTriggerReason: "predictor_off" }),
        verdict({ predictor: "b", trigger: undefined, noTriggerReason: "below_slo" }),
      ],
      "below_slo",
      "b",
    ],
    [
      "the only one, off",
      [verdict({ predictor: "a", noTriggerReason: "predictor_off" })],
      "predictor_off",
      "a",
    ],
  ])("shows, when none speaks, %s", (_name, verdicts, reason, predictor) => {
    expect(decideSeries(input({ verdicts }))).toMatchObject({ act: false, reason, predictor });
  });

  it("lets a second predictor speak when the first is quiet", () => {
    const d = decideSeries(
      input({
        verdicts: [
          verdict({ trigger: undefined, noTriggerReason: "below_slo" }),
          verdict({ predictor: "trend", trigger: "strong" }),
        ],
      }),
    );
    expect(d).toMatchObject({ act: true, reason: "strong", predictor: "trend" });
  });

  it("acts exactly when the data is ok, nothing settles and a predictor triggers, in a cooldown too", () => {
    const observation = fc.constantFrom<Observation>(
      OK,
      { status: "missing", source: "p", detail: "" },
      { status: "stale", source: "p", detail: "" },
      { status: "invalid", source: "p", detail: "" },
      { status: "unreachable", source: "p", detail: "" },
    );
    const anyVerdict = fc
      .tuple(
        fc.constantFrom<Trigger | undefined>("pre_timeout", "strong", "confirmed", undefined),
        fc.constantFrom<NoTriggerReason | undefined>(undefined, "predictor_off", "r2_below_min"),
        fc.constantFrom("linear", "trend"),
      )
      .map(([trigger, noTriggerReason, predictor]) =>
        verdict({
          trigger,
          noTriggerReason: trigger === undefined ? (noTriggerReason ?? "below_slo") : noTriggerReason,
          predictor,
        }),
      );
    fc.assert(
      fc.property(
        fc.record({
          observation,
          verdicts: fc.array(anyVerdict, { maxLength: 3 }),
          cooldownActive: fc.boolean(),
          settlingLeftMs: fc.constantFrom(0, 1, 60_000),
        }),
        (over) => {
          const d = decideSeries(input(over));
          const speaks = over.verdicts.filter(
            (v) => v.trigger !== undefined && v.noTriggerReason === undefined,
          );
          expect(d.act).toBe(
            over.observation.status === "ok" && over.settlingLeftMs === 0 && speaks.length > 0,
          );
          expect(d.cooldownActive).toBe(over.cooldownActive);
          if (d.act) expect([d.reason, d.predictor]).toEqual([speaks[0]?.trigger, speaks[0]?.predictor]);
          else expect(["pre_timeout", "strong", "confirmed"]).not.toContain(d.reason);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("urgency", () => {
  function deciding(trigger: Trigger | undefined, probability: number): Decision {
    const noTriggerReason = trigger === undefined ? ("below_slo" as const) : undefined;
    return decideSeries(input({ verdicts: [verdict({ trigger, noTriggerReason, probability })] }));
  }
  const ranked = (...decisions: Decision[]) => decisions.map(urgency);

  it("is the trigger's first, whatever the probabilities", () => {
    const ranks = ranked(
      deciding("pre_timeout", 0),
      deciding("strong", 1),
      deciding("confirmed", 1),
      deciding(undefined, 1),
    );
    expect(ranks).toEqual(ranks.toSorted((a, b) => b - a));
    expect(new Set(ranks).size).toBe(4);
    expect(urgency(deciding("level", 0.5))).toBe(urgency(deciding("strong", 0.5)));
    for (const trigger of ["trend", "envelope"] as const)
      expect(urgency(deciding(trigger, 0.5))).toBe(urgency(deciding("confirmed", 0.5)));
  });

  it("of one trigger is the probability's", () => {
    const probability = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(probability, probability, (p, q) => {
        const [a, b] = ranked(deciding("strong", p), deciding("strong", q)) as [number, number];
        if (p - q > 1e-9) expect(a).toBeGreaterThan(b);
        if (p === q) expect(a).toBe(b);
      }),
    );
  });

  it("is none without trigger or numbers", () => {
    expect(urgency({ ...deciding(undefined, 0), verdicts: [] })).toBe(0);
  });
});
