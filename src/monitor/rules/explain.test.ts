import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GUARD_NAMES, GUARDS } from "../guards/index.ts";
import type { Decision, Reason, Verdict } from "../kernel/decision.ts";
import { formatNumber } from "../kernel/text.ts";
import { brief, explain } from "./explain.ts";

const REASONS: Reason[] = [
  "pre_timeout",
  "strong",
  "confirmed",
  "trend",
  "level",
  "envelope",
  "no_excess_expected",
  "explained_by_traffic",
  "awaiting_cycles",
  "covered_by_playbook",
  "already_contained",
  "undo_under_way",
  "predictor_off",
  "insufficient_samples",
  "r2_below_min",
  "below_slo",
  "weak_probability",
  "awaiting_confirmation",
  "data_missing",
  "data_stale",
  "data_invalid",
  "data_unreachable",
  "settling",
  "covered_by_other_signal",
  "journal_unavailable",
  ...GUARD_NAMES,
];

const BASE: Decision = {
  target: "product-api",
  signal: "p95_latency",
  act: false,
  reason: "below_slo",
  trigger: undefined,
  predictor: "linear",
  source: "prometheus",
  current: 250,
  verdicts: [
    {
      predictor: "linear",
      forecast: { predictor: "linear", value: 3456.7, slopePerSecond: 20, r2: 0.876, sampleCount: 20 },
      probability: 0.6716,
      trigger: undefined,
      noTriggerReason: "below_slo",
    },
  ],
  slo: 300,
  limit: 5000,
  inRisk: true,
  cooldownActive: false,
  untilMs: undefined,
  detail: undefined,
};

const FORECAST = { predictor: "linear", value: 450, slopePerSecond: 2, sampleCount: 20 };

/** A verdict of a predictor that says how sure it is. */
const SURE: Verdict = {
  predictor: "linear",
  forecast: { ...FORECAST, low: 380, high: 520 },
  probability: 0.93,
  trigger: "trend",
  noTriggerReason: undefined,
  margin: 330,
  required: 0.9,
};

/** A decision that a guard blocks, with what the guard is for. */
const blocked = (guard: string) => {
  const because = GUARDS.find(({ kind }) => kind === guard)?.docs.summary;
  return { reason: guard, ...(because === undefined ? {} : { because }) };
};

describe("explain", () => {
  it.each<[Partial<Omit<Decision, "verdicts">> & { verdicts?: readonly object[] }, RegExp]>([
    [{ reason: "pre_timeout" }, /^acting: forecast to reach 3457, close to the hard limit 5000$/],
    [{ reason: "pre_timeout", limit: 3000 }, /^acting: forecast to reach 3457, over the hard limit 3000$/],
    [{ reason: "strong" }, /^acting: forecast to reach 3457, over the SLO 300, probability 0\.67$/],
    [{ reason: "confirmed" }, /^acting: .*3457.*probability 0\.67 in two cycles in a row$/],
    [{ reason: "r2_below_min" }, /^not acting: .*R² 0\.88.*3457/],
    [{ reason: "below_slo" }, /^not acting: forecast 3457 stays within the SLO 300$/],
    [{ reason: "weak_probability" }, /^not acting: .*0\.67 is too low/],
    [{ reason: "awaiting_confirmation" }, /^not acting: .*0\.67 has to last for a second cycle/],
    [{ reason: "data_stale", detail: "95 s old" }, /^not acting: .*stale \(95 s old\)$/],
    [
      { ...blocked("cooldown_active"), trigger: "strong", untilMs: 1_700_000_000_001 },
      /^blocked: forecast to reach 3457, over the SLO 300, but .* in cooldown until 22:13:21 UTC$/,
    ],
    [{ reason: "settling", untilMs: Date.UTC(2026, 0, 1, 23, 59, 59, 500) }, /until 00:00:00 UTC$/],
    [
      { ...blocked("intent_unresolved"), trigger: "confirmed" },
      /^blocked: .* but the outcome of the last action/,
    ],
    [{ reason: "journal_unavailable", trigger: "strong" }, /^blocked: .* cannot be written to the journal/],
    [{ reason: "covered_by_other_signal", trigger: "strong" }, /^blocked: .* because of another signal$/],
    [
      { ...blocked("rate_cap_fleet"), trigger: "trend", detail: "10 of 10", untilMs: 1_700_000_000_001 },
      /^blocked: .*, but the fleet .* \(10 of 10\) until 22:13:21 UTC$/,
    ],
    [
      { ...blocked("paused"), trigger: "level", detail: "by ana", current: 412 },
      /^blocked: the SLO 300 is exceeded \(412 now\), but acting is paused \(by ana\)$/,
    ],
    [{ ...blocked("paused") }, /^blocked: an action is asked for, but acting is paused$/],
    [{ reason: "level", current: 412 }, /^acting: the SLO 300 is exceeded \(412 now\) and stays so$/],
    [{ reason: "level", current: undefined }, /^acting: .* \(unknown now\) and stays so$/],
    [
      { reason: "trend", verdicts: [SURE] },
      /^acting: likely to exceed 330, SLO 300 \(forecast 450, 90 %: 380 to 520\), probability 0\.93 \(acts from 0\.90\)$/,
    ],
    [
      { reason: "trend", verdicts: [{ ...SURE, required: undefined, forecast: { ...FORECAST, low: 380 } }] },
      /^acting: likely to exceed 330, SLO 300 \(forecast 450\), probability 0\.93$/,
    ],
    [
      { reason: "below_slo", verdicts: [{ ...SURE, miscalibrated: "4 of 10 intervals missed" }] },
      /^not acting: .*; forecasts of linear have been poor lately: 4 of 10 intervals missed$/,
    ],
  ])("%o", (over, expected) => {
    expect(explain({ ...BASE, ...over } as Decision)).toMatch(expected);
  });

  it("has a sentence of one line for any decision whatsoever, with no NaN, undefined or Infinity in it", () => {
    const odd = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1);
    const number = fc.oneof(odd, fc.double());
    const verdict = fc.record({
      predictor: fc.constantFrom("linear", "trend"),
      forecast: fc.option(
        fc.record({
          predictor: fc.constant("linear"),
          value: number,
          slopePerSecond: number,
          r2: number,
          sampleCount: fc.nat(),
        }),
        { nil: undefined },
      ),
      probability: number,
      trigger: fc.constant(undefined),
      noTriggerReason: fc.constant(undefined),
    });
    const decision = fc.record({
      reason: fc.constantFrom(...REASONS),
      trigger: fc.constantFrom("strong" as const, undefined),
      predictor: fc.constantFrom("linear", "trend", "gone"),
      verdicts: fc.array(verdict, { maxLength: 2 }),
      slo: number,
      limit: number,
      untilMs: fc.option(number, { nil: undefined }),
      detail: fc.constantFrom(undefined, "", "no series"),
    });
    fc.assert(
      fc.property(decision, (over) => {
        const text = explain({ ...BASE, ...over });
        expect(text).toMatch(/^(acting|blocked|not acting): /);
        expect(text).not.toMatch(/NaN|undefined|Infinity|null|\n|\(\)/);
      }),
      { numRuns: 3000 },
    );
  });

  it("says of every guard what it is for, and names one that does not say it", () => {
    for (const { kind, docs } of GUARDS)
      expect(explain({ ...BASE, ...blocked(kind) })).toBe(
        `blocked: an action is asked for, but ${docs.summary}`,
      );
    expect(explain({ ...BASE, ...blocked("elsewhere") })).toBe(
      "blocked: an action is asked for, but elsewhere",
    );
  });

  it("says acting exactly for the reasons that act", () => {
    const acting = REASONS.filter((reason) => explain({ ...BASE, reason }).startsWith("acting"));
    expect(acting).toEqual(["pre_timeout", "strong", "confirmed", "trend", "level", "envelope"]);
  });
});

describe("brief", () => {
  it("is plain words for every reason that nothing is wrong", () => {
    expect(brief("settling")).toBe("waiting for samples from after the last action");
    expect(brief("below_slo")).toBe("within its SLO");
    for (const reason of REASONS) expect(brief(reason)).toMatch(/^[a-zA-Z ]+$/);
  });
});

describe("short", () => {
  it.each([
    [0, "0"],
    [0.05, "0.05"],
    [0.123456, "0.123"],
    [12.345, "12.3"],
    [-12.345, "-12.3"],
    [999.9, "1000"],
    [1234.5, "1235"],
    [999_999.6, "1000000"],
    [1e6, "1.00M"],
    [255_000_000, "255M"],
    [999_499_999, "999M"],
    [999_600_000, "1.00G"],
    [1e9, "1.00G"],
    [3.456e11, "346G"],
    [1.234e13, "1.23e+13"],
    [Number.NaN, "unknown"],
    [Number.NEGATIVE_INFINITY, "unknown"],
  ])("of %d is %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});
