import { Counter, Gauge, type Registry } from "prom-client";
import type { GuardReport } from "../guards/guard.ts";
import { GUARD_NAMES, GUARDS } from "../guards/index.ts";
import { registerMetrics } from "./plugin-metrics.ts";

/** What guards, verification and escalation did, cycle by cycle. A target that is gone has no series any more. */
export function createGuardMetrics(registry: Registry): { record(report: GuardReport): void } {
  const registers = [registry];
  const holding = new Gauge({
    name: "predict_guard_holding",
    help: "1 while the guard blocks at least one target, whether or not something wants to act.",
    labelNames: ["guard"],
    registers,
  });
  const holds = new Counter({
    name: "predict_guard_holds_total",
    help: "Decisions that the guard blocked, as the first one.",
    labelNames: ["guard"],
    registers,
  });
  const specs = GUARDS.flatMap(({ metrics }) => metrics);
  const meters = registerMetrics(registry, specs);
  const verifications = new Counter({
    name: "predict_verifications_total",
    help: "Actions verified; `outcome`: `recovered`, `improved`, `ineffective`, `worse`, `inconclusive`.",
    labelNames: ["target", "outcome"],
    registers,
  });
  // A counter that begins at 1 has no increase: these are known from the start.
  for (const guard of GUARD_NAMES) holds.inc({ guard }, 0);
  return {
    record(report) {
      for (const guard of GUARD_NAMES) holding.set({ guard }, report.holding.includes(guard) ? 1 : 0);
      for (const { guard } of report.blocked) holds.inc({ guard });
      for (const { name } of specs) meters(name).reset();
      for (const { name, labels, value } of report.measured) meters(name).set(labels, value);
      for (const { target, outcome } of report.verifications) verifications.inc({ target, outcome });
    },
  };
}
