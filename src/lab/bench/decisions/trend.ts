import { createTrendBank, evaluate, pushSample, resetSeries } from "../../../monitor/forecast/predictor.ts";
import type { TrendSensitivity } from "../../../monitor/forecast/settings.ts";
import { linearRule } from "./comparators.ts";
import { either, guarded, type Method, type Rule, type SeriesSpec } from "./decider.ts";

/** The trend predictor of this repository, as a rule. `traffic` false: request counts are withheld. @internal for its tests */
export function trendRule(spec: SeriesSpec, sensitivity: TrendSensitivity = "default", traffic = true): Rule {
  const bank = createTrendBank([{ ...spec, sensitivity }]);
  let verdict = evaluate(bank, 0, 0);
  return {
    push(sample) {
      pushSample(bank, 0, traffic ? sample : { timeS: sample.timeS, value: sample.value });
      verdict = evaluate(bank, 0, sample.timeS);
      if (verdict.trigger === undefined) return undefined;
      return { trigger: verdict.trigger, reason: `p ${verdict.probability.toFixed(2)}` };
    },
    forget: () => resetSeries(bank, 0),
    forecast: () => verdict.value,
  };
}

/** The founding algorithm speaks for every signal but memory (contract: off there). */
function both(spec: SeriesSpec): Rule {
  return spec.kind === "memory" ? trendRule(spec) : either(trendRule(spec), linearRule(spec));
}

/** The methods of this repository. */
export const TREND_METHODS: readonly Method[] = [
  { name: "trend", title: "trend predictor", create: (s) => guarded(trendRule(s)) },
  {
    name: "trend_no_traffic",
    title: "trend predictor, request counts withheld",
    create: (s) => guarded(trendRule(s, "default", false)),
  },
  { name: "trend_strict", title: "trend predictor, strict", create: (s) => guarded(trendRule(s, "strict")) },
  { name: "trend_eager", title: "trend predictor, eager", create: (s) => guarded(trendRule(s, "eager")) },
  { name: "both", title: "both predictors", create: (s) => guarded(both(s)) },
];
