import { defineSignal } from "../define.ts";

/** 95th percentile of the request duration, milliseconds. */
export const p95Latency = defineSignal({
  kind: "p95_latency",
  docs: { summary: "P95 request latency" },
  unit: "ms",
  shape: "latency",
  windowed: true,
  promql:
    'histogram_quantile(0.95, sum by ($by, le) (rate(http_request_duration_seconds_bucket{job=~"$jobs"}[$window]))) * 1000',
  supportPromql: 'sum by ($by) (increase(http_requests_total{job=~"$jobs"}[$window]))',
  scrape: {
    kind: "histogram_quantile",
    metric: "http_request_duration_seconds",
    quantile: 0.95,
    scale: 1000,
  },
  thresholds: (given) => {
    const slo = given.slo ?? 300;
    return { slo, exit: given.exit ?? 0.9 * slo, limit: given.limit ?? 5000 };
  },
  env: { slo: "SLO_P95_MS", exit: "SLO_P95_EXIT_MS", limit: "P95_TIMEOUT_MS" },
  predictors: { linear: true, trend: true },
});
