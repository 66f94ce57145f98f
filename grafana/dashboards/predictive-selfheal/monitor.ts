import type { Row } from "../kit/layout.ts";
import { barGauge, stat, stateTimeline, timeSeries } from "../kit/panels.ts";
import { prom, promNow } from "../kit/queries.ts";
import { DASHED, GREEN, RED } from "../kit/styles.ts";

const dashedLine = [{ id: "custom.lineStyle", value: { fill: "dash", dash: [...DASHED] } }];

export const monitor: readonly Row[] = [
  {
    number: 7,
    title: "The monitor itself",
    panels: [
      stateTimeline({
        title: "Sources in use",
        description:
          "A source answers when it gave at least one usable value in the cycle. The first in order speaks; the others stay warm.",
        queries: [prom(`max by (source) (predict_source_up)`, "{{source}}")],
        states: { 0: ["SILENT", RED], 1: ["answers", GREEN] },
        size: [12, 6],
      }),
      timeSeries({
        title: "Observations by status",
        description:
          "Values asked of each source; anything but ok is a value that the monitor did not judge by.",
        queries: [
          prom(
            `sum by (source, status) (rate(predict_observations_total[$__rate_interval])) > 0`,
            "{{source}}: {{status}}",
          ),
        ],
        unit: "cps",
        lines: { "/: (missing|stale|invalid|unreachable)$/": dashedLine },
        size: [12, 6],
      }),
      timeSeries({
        title: "Duration of a cycle",
        description: "Median and 95th percentile (dashed) of the time a prediction cycle takes.",
        queries: [
          prom(
            `histogram_quantile(0.5, sum by (le) (rate(predict_cycle_duration_seconds_bucket[$__rate_interval])))`,
            "median",
          ),
          prom(
            `histogram_quantile(0.95, sum by (le) (rate(predict_cycle_duration_seconds_bucket[$__rate_interval])))`,
            "p95",
          ),
        ],
        unit: "s",
        lines: { p95: dashedLine },
        size: [12, 7],
      }),
      barGauge({
        title: "Events a person should know of",
        description: "Since the monitor's start; each is also a log line and explained in docs/logs.md.",
        queries: [promNow(`sum by (event) (predict_notices_total)`, "{{event}}")],
        unit: "short",
        decimals: 0,
        noValue: "none",
        size: [12, 7],
      }),
      stat({
        title: "Cycles",
        description: "Prediction cycles completed in the selected range.",
        queries: [promNow(`sum(increase(predict_cycles_total[$__range]))`, "completed")],
        unit: "short",
        decimals: 0,
        noValue: "none",
        size: [5, 4],
      }),
      stat({
        title: "Cycles missed",
        description: "Cycles that were due while another was still running, in the selected range.",
        queries: [promNow(`sum(increase(predict_cycles_missed_total[$__range]))`, "missed")],
        unit: "short",
        decimals: 0,
        noValue: "unknown",
        redFrom: 1,
        size: [5, 4],
      }),
      stat({
        title: "Log lines dropped",
        description: "Lines that could not be written in the selected range, of all programs.",
        queries: [promNow(`sum(increase(log_lines_dropped_total[$__range]))`, "dropped")],
        unit: "short",
        decimals: 0,
        noValue: "unknown",
        redFrom: 1,
        size: [5, 4],
      }),
      stat({
        title: "Configuration",
        description:
          "Whether the last reload was taken; a bad one is refused and the old one stays in force.",
        queries: [promNow(`min(predict_config_last_reload_successful)`, "reload")],
        unit: "short",
        noValue: "unknown",
        states: { 0: ["REFUSED", RED], 1: ["in force", GREEN] },
        size: [5, 4],
      }),
      stat({
        title: "Version",
        description: "The running monitor.",
        queries: [promNow(`predict_build_info`, "{{version}} ({{revision}})")],
        unit: "short",
        noValue: "no monitor",
        states: { 1: ["running", GREEN] },
        named: true,
        size: [4, 4],
      }),
    ],
  },
];
