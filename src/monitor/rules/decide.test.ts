import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decision, Quiet, Trigger, Verdict } from "../kernel/decision.ts";
import type { Observation } from "../kernel/observation.ts";
import type { Series } from "../kernel/target.ts";
import { p95Latency } from "../signals/p95-latency/index.ts";
import { coverByMostUrgent, decideSeries, type SeriesInput, urgency } from "./decide.ts";

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
    quiet: undefined,
    ...over,
  };
}

function input(over: Partial<SeriesInput> = {}): SeriesInput {
  return {
    series,
    observation: OK,
    verdicts: [verdict()],
    inRisk: true,
    situation: { cooldownLeftMs: 0, intentUnresolved: false },
    settlingLeftMs: 0,
    now: NOW,
    ...over,
  };
}

describe("decideSeries", () => {
  it("acts when a predictor speaks and every gate is open", () => {
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

  it("names the gate, keeps the trigger, and says until when", () => {
    const cooling = { cooldownLeftMs: 12_000, intentUnresolved: false };
    expect(decideSeries(input({ situation: cooling }))).toMatchObject({
      act: false,
      reason: "cooldown_active",
      trigger: "pre_timeout",
      cooldownActive: true,
      untilMs: NOW.wallMs + 12_000,
    });
    const open = { cooldownLeftMs: 12_000, intentUnresolved: true };
    expect(decideSeries(input({ situation: open }))).toMatchObject({
      act: false,
      reason: "intent_unresolved",
      cooldownActive: true,
      untilMs: undefined,
    });
    expect(decideSeries(input({ settlingLeftMs: 3000, situation: open }))).toMatchObject({
      act: false,
      reason: "settling",
      untilMs: NOW.wallMs + 3000,
    });
  });

  it("shows an active cooldown also where no trigger is held back by it", () => {
    const d = decideSeries(
      input({
        verdicts: [verdict({ trigger: undefined, quiet: "below_slo" })],
        situation: { cooldownLeftMs: 1, intentUnresolved: false },
      }),
    );
    expect(d).toMatchObject({ act: false, reason: "below_slo", cooldownActive: true, untilMs: undefined });
  });

  it.each<[string, Verdict[], string, string]>([
    ["no predictor at all", [], "insufficient_samples", "linear"],
    [
      "the one that was held back by its fit",
      [
        verdict({ predictor: "a", trigger: undefined, quiet: "below_slo" }),
        verdict({ predictor: "b", quiet: "r2_below_min" }),
      ],
      "r2_below_min",
      "b",
    ],
    [
      "the one that waits",
      [
        verdict({ predictor: "a", trigger: undefined, quiet: "below_slo" }),
        verdict({ predictor: "b", trigger: undefined, quiet: "awaiting_confirmation" }),
      ],
      "awaiting_confirmation",
      "b",
    ],
    [
      "the one that is on",
      [
        verdict({ predictor: "a", quiet: "predictor_off" }),
        verdict({ predictor: "b", trigger: undefined, quiet: "below_slo" }),
      ],
      "below_slo",
      "b",
    ],
    ["the only one, off", [verdict({ predictor: "a", quiet: "predictor_off" })], "predictor_off", "a"],
  ])("shows, when none speaks, %s", (_name, verdicts, reason, predictor) => {
    expect(decideSeries(input({ verdicts }))).toMatchObject({ act: false, reason, predictor });
  });

  it("lets a second predictor speak when the first is quiet", () => {
    const d = decideSeries(
      input({
        verdicts: [
          verdict({ trigger: undefined, quiet: "below_slo" }),
          verdict({ predictor: "trend", trigger: "strong" }),
        ],
      }),
    );
    expect(d).toMatchObject({ act: true, reason: "strong", predictor: "trend" });
  });

  it("acts exactly when the data is ok, nothing settles, a predictor speaks and no gate of the target is shut", () => {
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
        fc.constantFrom<Quiet | undefined>(undefined, "predictor_off", "r2_below_min"),
        fc.constantFrom("linear", "trend"),
      )
      .map(([trigger, quiet, predictor]) =>
        verdict({ trigger, quiet: trigger === undefined ? (quiet ?? "below_slo") : quiet, predictor }),
      );
    fc.assert(
      fc.property(
        fc.record({
          observation,
          verdicts: fc.array(anyVerdict, { maxLength: 3 }),
          situation: fc.record({
            cooldownLeftMs: fc.constantFrom(0, 1, 300_000),
            intentUnresolved: fc.boolean(),
          }),
          settlingLeftMs: fc.constantFrom(0, 1, 60_000),
        }),
        (over) => {
          const d = decideSeries(input(over));
          const speaks = over.verdicts.filter((v) => v.trigger !== undefined && v.quiet === undefined);
          expect(d.act).toBe(
            over.observation.status === "ok" &&
              over.settlingLeftMs === 0 &&
              speaks.length > 0 &&
              !over.situation.intentUnresolved &&
              over.situation.cooldownLeftMs === 0,
          );
          if (d.act) expect([d.reason, d.predictor]).toEqual([speaks[0]?.trigger, speaks[0]?.predictor]);
          else expect(["pre_timeout", "strong", "confirmed"]).not.toContain(d.reason);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("coverByMostUrgent", () => {
  function deciding(signal: string, trigger: Trigger | undefined, probability: number): Decision {
    const verdicts =
      trigger === undefined
        ? [verdict({ trigger, quiet: "below_slo", probability })]
        : [verdict({ trigger, probability })];
    return { ...decideSeries(input({ verdicts })), signal };
  }

  it("keeps the most urgent and says of the others that they are covered", () => {
    const all = [
      deciding("memory", "strong", 0.7),
      deciding("p95_latency", "pre_timeout", 0.1),
      deciding("backlog", "confirmed", 1),
      deciding("error_rate", undefined, 0),
    ];
    const covered = coverByMostUrgent(all);
    expect(covered.map((d) => [d.signal, d.act, d.reason])).toEqual([
      ["memory", false, "covered_by_other_signal"],
      ["p95_latency", true, "pre_timeout"],
      ["backlog", false, "covered_by_other_signal"],
      ["error_rate", false, "below_slo"],
    ]);
    expect(covered[0]?.trigger).toBe("strong");
  });

  it("breaks a tie of triggers by probability, and a full tie by order", () => {
    const acting = (...ps: number[]) =>
      coverByMostUrgent(ps.map((p, i) => deciding(`s${i}`, "strong", p))).findIndex((d) => d.act);
    expect(acting(0.6, 0.9, 0.7)).toBe(1);
    expect(acting(0.6, 0.6)).toBe(0);
  });

  it("leaves exactly one acting decision whenever there was any", () => {
    const any = fc
      .tuple(
        fc.constantFrom<Trigger | undefined>("pre_timeout", "strong", "confirmed", undefined),
        fc.double({ min: 0, max: 1, noNaN: true }),
      )
      .map(([t, p]) => deciding("x", t, p));
    fc.assert(
      fc.property(fc.array(any, { maxLength: 6 }), (all) => {
        const acting = coverByMostUrgent(all).filter((d) => d.act);
        expect(acting).toHaveLength(all.some((d) => d.act) ? 1 : 0);
        for (const d of all.filter((x) => x.act))
          expect(urgency(acting[0] as Decision)).toBeGreaterThanOrEqual(urgency(d));
      }),
    );
  });

  it("ranks a decision without trigger or numbers last", () => {
    expect(urgency({ ...deciding("x", undefined, 0), verdicts: [] })).toBe(0);
  });
});
