import type { Row } from "../kit/layout.ts";
import { logs, stat, table, timeSeries } from "../kit/panels.ts";
import { loki, prom, promNow, promTable } from "../kit/queries.ts";
import { DASHED } from "../kit/styles.ts";

/** Actions of playbooks, done, imagined in shadow mode, refused and taken back. */
const PLAYBOOKS = `{job="predictive-monitor"} |= \`"playbook":"\``;

export const containment: readonly Row[] = [
  {
    number: 9,
    title: "Containment",
    panels: [
      stat({
        title: "Alerts firing",
        description: "Alerts that Alertmanager told the monitor of lately enough to be acted on.",
        queries: [promNow("max(predict_alerts_firing)", "firing")],
        unit: "short",
        decimals: 0,
        noValue: "no monitor",
        redFrom: 1,
        size: [4, 8],
      }),
      timeSeries({
        title: "Alerts told",
        description:
          "Alerts of webhooks by status, repetitions included, and those that were not taken (dashed), by reason.",
        queries: [
          prom("sum by (status) (increase(predict_alerts_received_total[$__rate_interval]))", "{{status}}"),
          prom(
            "sum by (reason) (increase(predict_alerts_rejected_total[$__rate_interval]))",
            "rejected: {{reason}}",
          ),
        ],
        unit: "short",
        lines: { "/^rejected/": [{ id: "custom.lineStyle", value: { fill: "dash", dash: [...DASHED] } }] },
        size: [10, 8],
      }),
      timeSeries({
        title: "Decisions on playbooks",
        description:
          "What became of playbooks that an alert or a forecast asked for, one decision a cycle: acting, or the gate that held. docs/containment.md explains each.",
        queries: [
          prom(
            "sum by (playbook, reason) (increase(predict_playbook_decisions_total[$__rate_interval])) > 0",
            "{{playbook}}: {{reason}}",
          ),
        ],
        unit: "short",
        draw: "bars",
        size: [10, 8],
      }),
      timeSeries({
        title: "Queue by region",
        description:
          "Messages of the gateway that wait (solid, left axis), and how long a region stays isolated (dashed, right axis). Isolation keeps a flooding region from the others.",
        queries: [
          prom('sum by (region) (queue_depth{job="telemetry-gateway",region=~"$region"})', "{{region}}"),
          prom(
            'max by (region) (telemetry_region_isolated_seconds{region=~"$region"})',
            "isolated {{region}}",
          ),
        ],
        unit: "short",
        lines: {
          "/^isolated/": [
            { id: "custom.lineStyle", value: { fill: "dash", dash: [...DASHED] } },
            { id: "unit", value: "s" },
            { id: "custom.axisPlacement", value: "right" },
          ],
        },
        size: [24, 8],
      }),
      table({
        title: "Taken back",
        description: "Actions that were taken back because their alert ended, since the monitor's start.",
        queries: [promTable("sum by (target, action, outcome) (predict_containment_undone_total)")],
        unit: "short",
        decimals: 0,
        noValue: "none yet",
        valueName: "times",
        size: [8, 8],
      }),
      logs({
        title: "Logs: Playbooks",
        description: "Each step of a playbook: done, and taken back. A line opens to all its fields.",
        queries: [
          loki(
            `${PLAYBOOKS} | json | line_format "{{.playbook}}: {{.action}} {{.target}} {{.region}} -> {{.outcome}} ({{.message}})"`,
          ),
        ],
        size: [16, 8],
      }),
    ],
  },
];
