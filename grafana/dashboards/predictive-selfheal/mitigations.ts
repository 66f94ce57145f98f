import { automatic, CYCLES, manual } from "../kit/events.ts";
import type { Row } from "../kit/layout.ts";
import { stat, timeSeries } from "../kit/panels.ts";
import { lokiNow, prom } from "../kit/queries.ts";
import { BLUE, DASHED, DOTTED, GREY, line, ORANGE } from "../kit/styles.ts";

const AUTOMATIC = automatic("$target");
const MANUAL = manual("$target");

const P95 = `job:http_request_duration_seconds:p95_rate1m{job=~"$target"} >= 0`;
const REQUESTS = `sum by (job) (rate(http_requests_total{job=~"$target"}[1m]))`;
const ERRORS = `sum by (job) (rate(http_request_errors_total{job=~"$target"}[1m]))`;

const rightAxis = [
  { id: "unit", value: "reqps" },
  { id: "custom.axisPlacement", value: "right" },
];

/** The panels that operators know, under the titles that they know. */
export const mitigations: readonly Row[] = [
  {
    number: 1,
    title: "Mitigações",
    panels: [
      stat({
        title: "Mitigações Automáticas",
        description:
          "Mitigations that the monitor carried out in the selected range; shadow mode does not count.",
        queries: [lokiNow(`sum(count_over_time(${AUTOMATIC} [$__range]))`)],
        unit: "short",
        noValue: "none",
        size: [4, 4],
      }),
      stat({
        title: "Mitigações Manuais",
        description: "Mitigations that people called by hand in the selected range.",
        queries: [lokiNow(`sum(count_over_time(${MANUAL} [$__range]))`)],
        unit: "short",
        noValue: "none",
        size: [4, 4],
      }),
      stat({
        title: "Última Auto",
        description: "When the monitor last carried out a mitigation within the selected range, local time.",
        queries: [lokiNow(`max by () (max_over_time(${AUTOMATIC} | unwrap unix_ts [$__range])) * 1000`)],
        unit: "dateTimeAsLocal",
        noValue: "none in this range",
        size: [6, 4],
      }),
      stat({
        title: "Última Manual",
        description: "When a person last called a mitigation within the selected range, local time.",
        queries: [lokiNow(`max by () (max_over_time(${MANUAL} | unwrap unix_ts [$__range])) * 1000`)],
        unit: "dateTimeAsLocal",
        noValue: "none in this range",
        size: [6, 4],
      }),
      stat({
        title: "Previsões Executadas",
        description: "Prediction cycles that the monitor logged in the selected range.",
        queries: [lokiNow(`sum(count_over_time(${CYCLES} [$__range]))`)],
        unit: "short",
        noValue: "none: is the monitor running?",
        size: [4, 4],
      }),
    ],
  },
  {
    number: 2,
    title: "Serviço",
    panels: [
      stat({
        title: "P95 (ms)",
        description:
          "95th percentile of the answer time over the last minute, by service. The SLO is 300 ms by default.",
        queries: [prom(`1000 * (${P95})`, "{{job}}")],
        unit: "ms",
        decimals: 0,
        noValue: "no requests",
        curve: true,
        redFrom: 300,
        size: [8, 5],
      }),
      stat({
        title: "Error %",
        description:
          "Share of requests answered 5xx over the last five minutes, by service. The SLO is 5 % by default.",
        queries: [
          prom(
            `100 * sum by (job) (increase(http_request_errors_total{job=~"$target"}[5m])) / (sum by (job) (increase(http_requests_total{job=~"$target"}[5m])) > 0)`,
            "{{job}}",
          ),
        ],
        unit: "percent",
        decimals: 2,
        noValue: "no requests",
        curve: true,
        redFrom: 5,
        size: [8, 5],
      }),
      stat({
        title: "Req/s",
        description:
          "Requests a second over the last minute, by service; health, metrics and admin calls do not count.",
        queries: [prom(REQUESTS, "{{job}}")],
        unit: "reqps",
        decimals: 1,
        noValue: "no requests",
        curve: true,
        size: [8, 5],
      }),
      timeSeries({
        title: "Latência & Tráfego",
        description:
          "P95 in seconds (solid, left axis), requests a second (dashed, right axis) and errors a second (dotted, right axis).",
        queries: [
          prom(P95, "P95 (s) {{job}}"),
          prom(REQUESTS, "Requests/s {{job}}"),
          prom(ERRORS, "Errors/s {{job}}"),
        ],
        unit: "s",
        lines: {
          "/^P95/": line({ color: BLUE, width: 2 }),
          "/^Requests/": line({ color: GREY, dash: DASHED, more: rightAxis }),
          "/^Errors/": line({ color: ORANGE, dash: DOTTED, width: 2, more: rightAxis }),
        },
        size: [24, 8],
      }),
    ],
  },
];
