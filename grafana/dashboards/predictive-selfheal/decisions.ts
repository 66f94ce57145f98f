import type { Row } from "../kit/layout.ts";
import { stat, table, timeSeries } from "../kit/panels.ts";
import { prom, promNow, promTable } from "../kit/queries.ts";

export const decisions: readonly Row[] = [
  {
    number: 5,
    title: "Decisions",
    panels: [
      timeSeries({
        title: "Decisions by reason",
        description:
          "Every signal of every target in every cycle gives one decision with one reason: the rule that acted or the gate that held. docs/decision.md explains each.",
        queries: [
          prom(`sum by (reason) (increase(predict_decisions_total[$__rate_interval])) > 0`, "{{reason}}"),
        ],
        unit: "short",
        draw: "bars",
        legend: "table",
        size: [16, 9],
      }),
      table({
        title: "Mitigations by outcome",
        description:
          "Mitigations since the monitor's start, once each at its end. Anything but applied and shadow deserves a look: docs/runbooks.md.",
        queries: [
          promTable(
            `sum by (target, signal, outcome) (predict_mitigations_total{target=~"$target",signal=~"$signal"})`,
          ),
        ],
        unit: "short",
        decimals: 0,
        noValue: "none yet",
        valueName: "mitigations",
        size: [8, 9],
      }),
      stat({
        title: "Since the last mitigation",
        description: "Time since the monitor last mitigated the target; nothing before the first.",
        queries: [
          promNow(`max by (target) (predict_since_last_mitigation_seconds{target=~"$target"})`, "{{target}}"),
        ],
        unit: "s",
        decimals: 0,
        noValue: "never",
        named: true,
        size: [24, 4],
      }),
    ],
  },
];
