import { createLinearBank, forecastLinear, pushLinear, resetLinear } from "../../forecast/linear/linear.ts";
import { FRESH_LINEAR_MEMORY, judgeLinear } from "../../rules/linear.ts";
import type { Rule, RuleSpec } from "./rules.ts";

/** Constants of the founding algorithm, whatever the configuration says: a yardstick does not move. */
const WINDOW = 20;
const RULES = { probStrong: 0.6, probConfirmMin: 0.3, minR2: 0.2, preTimeoutRatio: 0.9 } as const;

/** The founding algorithm: one line through twenty samples, by the very code of the linear predictor. */
export function foundingRule(spec: RuleSpec): Rule {
  const bank = createLinearBank({ size: 1, window: WINDOW });
  const rules = { ...RULES, horizonS: spec.horizonS };
  let memory = FRESH_LINEAR_MEMORY;
  return {
    push(timeS, value) {
      const fresh = pushLinear(bank, 0, timeS, value);
      const judged = judgeLinear({
        forecast: fresh ? forecastLinear(bank, 0, spec.horizonS) : undefined,
        thresholds: spec,
        rules,
        memory,
        fresh,
        on: true,
      });
      memory = judged.memory;
      return judged.verdict.trigger !== undefined && judged.verdict.noTriggerReason === undefined;
    },
    acted() {
      resetLinear(bank, 0);
      memory = FRESH_LINEAR_MEMORY;
    },
  };
}
