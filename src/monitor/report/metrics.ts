import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Reporter, TickReport } from "../cycle/types.ts";
import type { Intent } from "../kernel/action.ts";
import { createGuardMetrics } from "./guard-metrics.ts";
import { createScoreMetrics } from "./score-metrics.ts";
import { createSeriesMetrics } from "./series-metrics.ts";

/** The monitor's own metrics, on a registry that is passed in. What is unknown has no series: unknown is not zero. */
export function createMetricsReporter(registry: Registry): Reporter {
  const m = instruments(registry);
  const series = createSeriesMetrics(registry);
  const scores = createScoreMetrics(registry);
  const guards = createGuardMetrics(registry);
  const begun = new Set<string>();
  return {
    cycle(report) {
      m.cycles.inc();
      beginAtZero(m, report, begun);
      m.duration.observe(report.durationMs / 1000);
      for (const { playbook, reason } of report.playbooks) m.playbooks.inc({ playbook, reason });
      for (const d of report.decisions) m.decisions.inc({ reason: d.reason });
      guards.record(report.guards);
      series.record(report.decisions);
      scores.record(report.scores());
      sources(m, report);
      m.since.reset();
      for (const [target, seconds] of report.sinceByTarget) m.since.set({ target }, seconds);
    },
    action({ mode, intent, outcome }) {
      // Once an intent, at its end: one that is still open counts when it is reconciled.
      const came = mode === "shadow" ? "shadow" : outcome?.status;
      if (came !== undefined) count(m, intent, came);
    },
    reconciled: (intent, outcome) => count(m, intent, outcome.status),
    notice: (event) => m.notices.inc({ event }),
  };
}

/** Series whose counters begin at 0: of a larger fleet they would be most of a scrape. */
const MAX_BEGUN = 2_000;
const CALLED = ["applied", "partial", "refused", "failed", "unknown"];

/** A rate over a counter that is not there before its first event misses that event. */
function beginAtZero(m: Instruments, { decisions, mode }: TickReport, begun: Set<string>): void {
  if (decisions.length > MAX_BEGUN) return;
  for (const { target, signal } of decisions) {
    const key = `${mode} ${target} ${signal}`;
    if (begun.has(key)) continue;
    if (begun.size >= 2 * MAX_BEGUN) begun.clear();
    begun.add(key);
    for (const outcome of mode === "shadow" ? ["shadow"] : CALLED)
      m.mitigations.inc({ target, signal, outcome }, 0);
  }
}

/** Taking back is no mitigation, and is counted beside them. */
function count(m: Instruments, { target, signal, kind, trigger }: Intent, outcome: string): void {
  if (trigger === "undo") m.undone.inc({ target, action: kind, outcome });
  else m.mitigations.inc({ target, signal, outcome });
}

type Instruments = ReturnType<typeof instruments>;

function sources(m: Instruments, report: TickReport): void {
  for (const s of report.sources) {
    for (const status of ["ok", "missing", "stale", "invalid", "unreachable"] as const)
      m.observations.inc({ source: s.name, status }, s[status]);
    m.sourceUp.set({ source: s.name }, s.ok > 0 ? 1 : 0);
  }
}

function instruments(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: readonly string[]) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  return {
    since: gauge(
      "predict_since_last_mitigation_seconds",
      "Seconds since the last mitigation of the target; none before the first.",
      ["target"],
    ),
    sourceUp: gauge(
      "predict_source_up",
      "1 if the source gave at least one usable value in the last cycle.",
      ["source"],
    ),
    cycles: counter("predict_cycles_total", "Prediction cycles completed."),
    decisions: counter("predict_decisions_total", "Decisions by reason.", ["reason"]),
    mitigations: counter(
      "predict_mitigations_total",
      "Mitigations; `outcome`: `applied`, `partial`, `refused`, `failed`, `unknown`, `expired`, `dropped` or `shadow`. Each counts once, at its end.",
      ["target", "signal", "outcome"],
    ),
    undone: counter(
      "predict_containment_undone_total",
      "Actions that took back an earlier one, by outcome: they are no mitigations.",
      ["target", "action", "outcome"],
    ),
    playbooks: counter(
      "predict_playbook_decisions_total",
      "Decisions on playbooks that an alert or a forecast asked for, one a cycle.",
      ["playbook", "reason"],
    ),
    observations: counter(
      "predict_observations_total",
      "Observations; `status`: `ok`, `missing`, `stale`, `invalid`, `unreachable`.",
      ["source", "status"],
    ),
    notices: counter("predict_notices_total", "Events a person should know of.", ["event"]),
    duration: new Histogram({
      name: "predict_cycle_duration_seconds",
      help: "Duration of a prediction cycle.",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
  };
}
