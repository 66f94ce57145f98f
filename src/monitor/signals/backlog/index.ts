import { defineSignal } from "../define.ts";

/** Messages waiting in the target's queues, all instances together. */
export const backlog = defineSignal({
  kind: "backlog",
  docs: { summary: "Queue backlog" },
  unit: "messages",
  shape: "backlog",
  windowed: false,
  promql: 'sum by ($by) (queue_depth{job=~"$jobs"})',
  scrape: { kind: "gauge", metric: "queue_depth", combine: "sum" },
  thresholds: (given) => {
    const slo = given.slo ?? 100;
    return { slo, exit: given.exit ?? 0.9 * slo, limit: given.limit ?? 10 * slo };
  },
  env: { slo: "SLO_BACKLOG", limit: "BACKLOG_MAX" },
  predictors: { linear: true, trend: true },
});
