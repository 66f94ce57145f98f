import type { Row } from "../kit/layout.ts";
import { barGauge, stateTimeline, timeSeries } from "../kit/panels.ts";
import { prom, promNow } from "../kit/queries.ts";
import { GREEN, RED } from "../kit/styles.ts";

const OF = `job=~"$service"`;

export const overview: readonly Row[] = [
  {
    number: 1,
    title: "All services",
    panels: [
      stateTimeline({
        title: "Answering",
        description: "Whether Prometheus could read the service's metrics.",
        queries: [prom(`min by (job) (up{${OF}})`, "{{job}}")],
        states: { 0: ["DOWN", RED], 1: ["up", GREEN] },
        size: [12, 8],
      }),
      timeSeries({
        title: "P95 latency",
        description:
          "95th percentile of the answer time over the last minute. HighLatency fires above 2 s for 5 minutes.",
        queries: [prom(`job:http_request_duration_seconds:p95_rate1m{${OF}} >= 0`, "{{job}}")],
        unit: "s",
        size: [12, 8],
      }),
      timeSeries({
        title: "Requests",
        description: "Requests a second over the last minute.",
        queries: [prom(`sum by (job) (rate(http_requests_total{${OF}}[1m]))`, "{{job}}")],
        unit: "reqps",
        size: [12, 8],
      }),
      timeSeries({
        title: "Error ratio",
        description:
          "Share of requests answered 5xx over the last minute. HighErrorRatio fires above 5 % for 5 minutes.",
        queries: [prom(`job:http_request_errors_per_http_requests:ratio_rate1m{${OF}} >= 0`, "{{job}}")],
        unit: "percentunit",
        marks: [[0.05, RED]],
        size: [12, 8],
      }),
      timeSeries({
        title: "Memory",
        description: "Resident memory of the largest process. The monitor's limit is 300 MB by default.",
        queries: [prom(`job:process_resident_memory_bytes:max{${OF}}`, "{{job}}")],
        unit: "bytes",
        size: [8, 8],
      }),
      timeSeries({
        title: "Event loop lag",
        description: "99th percentile of how late the event loop is: what every request waits at least.",
        queries: [prom(`max by (job) (nodejs_eventloop_lag_p99_seconds{${OF}})`, "{{job}}")],
        unit: "s",
        size: [8, 8],
      }),
      barGauge({
        title: "Injected faults",
        description:
          "Artificial latency in ms and chunks held by the leak fault: what a demonstration has switched on.",
        queries: [
          promNow(`max by (job) (artificial_latency_injected_ms{${OF}}) > 0`, "{{job}}: latency, ms"),
          promNow(`max by (job) (memory_leak_chunks{${OF}}) > 0`, "{{job}}: leak, chunks"),
        ],
        unit: "short",
        decimals: 0,
        noValue: "none",
        size: [8, 8],
      }),
    ],
  },
  {
    number: 2,
    title: "Product page",
    panels: [
      timeSeries({
        title: "Questions of the product page",
        description: "What product-api asks the recommender and the router for a page, by what came back.",
        queries: [
          prom(
            `sum by (dependency, result) (rate(page_dependency_calls_total[$__rate_interval])) > 0`,
            "{{dependency}}: {{result}}",
          ),
        ],
        unit: "reqps",
        draw: "bars",
        size: [12, 8],
      }),
      timeSeries({
        title: "Parts that came from the catalogue instead",
        description:
          "A page is always whole; these parts of it were plain because somebody else did not answer.",
        queries: [prom(`sum by (part) (rate(page_degraded_total[$__rate_interval]))`, "{{part}}")],
        unit: "cps",
        size: [12, 8],
      }),
    ],
  },
];
