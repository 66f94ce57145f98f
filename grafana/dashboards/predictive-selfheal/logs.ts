import { automatic, CYCLES, manual } from "../kit/events.ts";
import type { Row } from "../kit/layout.ts";
import { logs } from "../kit/panels.ts";
import { loki } from "../kit/queries.ts";

export const events: readonly Row[] = [
  {
    number: 8,
    title: "Logs: Auto / Manual / Prediction",
    panels: [
      logs({
        title: "Logs: Auto",
        description:
          "Mitigations that the monitor carried out: why, and what came of it. A line opens to all its fields.",
        queries: [
          loki(
            `${automatic("$target")} | line_format "{{.target}} {{.metric}}: {{.decision_detail}} -> {{.outcome}} ({{.outcome_detail}})"`,
          ),
        ],
        size: [12, 8],
      }),
      logs({
        title: "Logs: Manual",
        description: "Mitigations that people called by hand, as the services logged them.",
        queries: [loki(`${manual("$target")} | line_format "{{.job}}: {{.message}}"`)],
        size: [12, 8],
      }),
      logs({
        title: "Logs: Prediction",
        description: "One line a prediction cycle: its most urgent series. A line opens to all its fields.",
        queries: [
          loki(
            `${CYCLES} | json | line_format "{{.decision}}: {{.target}} {{.metric}} is {{.current}}, forecast {{.forecast}} ({{.decision_detail}})"`,
          ),
        ],
        size: [24, 9],
      }),
    ],
  },
];
