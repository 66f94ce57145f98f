import { defineSignal } from "../define.ts";

/** Resident memory of the largest process of the target, bytes: a memory limit is a limit of each process. */
export const memory = defineSignal({
  kind: "memory",
  docs: { summary: "Resident memory" },
  unit: "bytes",
  shape: "memory",
  windowed: false,
  promql: 'max by ($by) (process_resident_memory_bytes{job=~"$jobs"})',
  scrape: { kind: "gauge", metric: "process_resident_memory_bytes", combine: "max" },
  thresholds: (given) => {
    const limit = given.limit ?? 300_000_000;
    const slo = given.slo ?? 0.85 * limit;
    return { slo, exit: given.exit ?? 0.9 * slo, limit };
  },
  env: { limit: "MEM_MAX_BYTES" },
  // A sawtooth of garbage collection is no line: the envelope of the trend predictor reads it.
  predictors: { linear: false, trend: true },
});
