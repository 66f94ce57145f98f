import { defineSignal } from "../define.ts";

/** Share of requests answered with 5xx, 0..1. */
export const errorRate = defineSignal({
  kind: "error_rate",
  docs: { summary: "Error ratio (5xx of all requests)" },
  unit: "ratio",
  shape: "ratio",
  windowed: true,
  promql:
    'sum by ($by) (rate(http_request_errors_total{job=~"$jobs"}[$window])) / sum by ($by) (rate(http_requests_total{job=~"$jobs"}[$window]))',
  supportPromql: 'sum by ($by) (increase(http_requests_total{job=~"$jobs"}[$window]))',
  scrape: {
    kind: "rate_ratio",
    numerator: "http_request_errors_total",
    denominator: "http_requests_total",
  },
  thresholds: (given) => {
    const slo = given.slo ?? 0.05;
    return { slo, exit: given.exit ?? (9 * slo) / 10, limit: given.limit ?? 0.5 };
  },
  env: { slo: "SLO_ERROR_RATE", limit: "ERROR_RATE_MAX" },
  predictors: { linear: true, trend: true },
});
