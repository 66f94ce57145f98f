import type { Row } from "../kit/layout.ts";
import { barGauge, stateTimeline, table, timeSeries } from "../kit/panels.ts";
import { prom, promNow, promTable } from "../kit/queries.ts";
import { GREEN, ORANGE, PURPLE, RED } from "../kit/styles.ts";

export const guards: readonly Row[] = [
  {
    number: 10,
    title: "Guards and verification",
    panels: [
      stateTimeline({
        title: "Guards holding",
        description:
          "The brakes: each guard that holds at least one target. docs/guards.md says what each is and how to lift it.",
        queries: [prom("max by (guard) (predict_guard_holding)", "{{guard}}")],
        states: { 0: ["open", GREEN], 1: ["HOLDS", PURPLE] },
        size: [12, 11],
      }),
      timeSeries({
        title: "Held back by guards",
        description: "Decisions to act that a guard held back; the first guard in order counts.",
        queries: [
          prom("sum by (guard) (increase(predict_guard_holds_total[$__rate_interval]))", "{{guard}}"),
        ],
        unit: "short",
        draw: "bars",
        size: [12, 11],
      }),
      barGauge({
        title: "Budget left",
        description: "Actions that the rate caps still allow now: for the fleet, and for each chosen target.",
        queries: [
          promNow('min by (scope) (predict_budget_left{scope=~"fleet|target:($target)"})', "{{scope}}"),
        ],
        unit: "short",
        decimals: 0,
        noValue: "no monitor",
        size: [8, 7],
      }),
      table({
        title: "Verification outcomes",
        description:
          "What became of the metric after each action, judged on samples from after it: recovered, improved, ineffective, worse or inconclusive.",
        queries: [promTable('sum by (target, outcome) (predict_verifications_total{target=~"$target"})')],
        unit: "short",
        decimals: 0,
        noValue: "none yet",
        valueName: "actions",
        size: [8, 7],
      }),
      stateTimeline({
        title: "Waiting for people",
        description:
          "Escalated: actions on the target did not help, and it is left to a person. Paused: a person stopped all acting. Storm: too many targets turned at risk at once.",
        queries: [
          prom('2 * max by (target) (predict_escalated{target=~"$target"})', "{{target}}"),
          prom("max(predict_paused)", "paused"),
          prom("max(predict_storm)", "storm"),
        ],
        states: { 0: ["no", GREEN], 1: ["YES", ORANGE], 2: ["ESCALATED", RED] },
        size: [8, 7],
      }),
    ],
  },
];
