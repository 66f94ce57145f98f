import { Counter, Gauge, type Registry } from "prom-client";
import type { GuardReport } from "../guards/guard.ts";
import { GUARD_NAMES } from "../guards/index.ts";

/** What guards, verification and escalation did, cycle by cycle. A target that is gone has no series any more. */
export function createGuardMetrics(registry: Registry): { record(report: GuardReport): void } {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  const holding = gauge("predict_guard_holding", "1 while the guard holds at least one target.", ["guard"]);
  const holds = counter("predict_guard_holds_total", "Decisions that the guard blocked.", ["guard"]);
  const budget = gauge("predict_budget_left", "Actions that the cap still allows now.", ["scope"]);
  const verifications = counter("predict_verifications_total", "Actions verified, by outcome.", [
    "target",
    "outcome",
  ]);
  const escalated = gauge("predict_escalated", "1 while the target waits for a person.", ["target"]);
  const paused = gauge("predict_paused", "1 while a person has paused all acting.");
  const storm = gauge("predict_storm", "1 while too many targets turned at risk at once.");
  // A counter that begins at 1 has no increase: these are known from the start.
  for (const guard of GUARD_NAMES) holds.inc({ guard }, 0);
  return {
    record(report) {
      for (const guard of GUARD_NAMES) holding.set({ guard }, report.holding.includes(guard) ? 1 : 0);
      for (const { guard } of report.blocked) holds.inc({ guard });
      budget.reset();
      for (const { scope, left } of report.budgets) budget.set({ scope }, left);
      for (const { target, outcome } of report.verifications) verifications.inc({ target, outcome });
      escalated.reset();
      for (const e of report.escalated) escalated.set({ target: e.target }, e.escalated ? 1 : 0);
      paused.set(report.paused ? 1 : 0);
      storm.set(report.storm ? 1 : 0);
    },
  };
}
