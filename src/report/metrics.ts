import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Decision } from "../domain/decision.ts";
import type { Reporter, TickReport } from "../loop/types.ts";

const SERIES = ["target", "signal"] as const;

/** The monitor's own metrics, on a registry that is passed in. What is unknown has no series: unknown is not zero. */
export function createMetricsReporter(registry: Registry): Reporter {
  const m = instruments(registry);
  return {
    cycle(report) {
      m.cycles.inc();
      m.duration.observe(report.durationMs / 1000);
      for (const gauge of m.perSeries) gauge.reset();
      m.cooldown.reset();
      for (const d of report.decisions) record(m, d);
      sources(m, report);
      m.since.reset();
      for (const [target, seconds] of report.sinceByTarget) m.since.set({ target }, seconds);
    },
    action({ mode, intent, outcome }) {
      // Once an intent, at its end: one that is still open counts when it is reconciled.
      const came = mode === "shadow" ? "shadow" : outcome?.status;
      if (came !== undefined)
        m.mitigations.inc({ target: intent.target, signal: intent.signal, outcome: came });
    },
    reconciled(intent, outcome) {
      m.mitigations.inc({ target: intent.target, signal: intent.signal, outcome: outcome.status });
    },
    notice: (event) => m.notices.inc({ event }),
  };
}

type Instruments = ReturnType<typeof instruments>;

function record(m: Instruments, d: Decision): void {
  const labels = { target: d.target, signal: d.signal };
  const verdict = d.verdicts.find((v) => v.witness === d.witness);
  m.decisions.inc({ reason: d.reason });
  m.risk.set(labels, d.inRisk ? 1 : 0);
  m.slo.set(labels, d.slo);
  m.limit.set(labels, d.limit);
  m.cooldown.set({ target: d.target }, d.cooldownActive ? 1 : 0);
  if (d.current !== undefined) m.current.set(labels, d.current);
  if (verdict?.forecast === undefined) return;
  m.forecast.set(labels, verdict.forecast.value);
  m.probability.set(labels, verdict.probability);
  m.r2.set(labels, verdict.forecast.r2);
}

function sources(m: Instruments, report: TickReport): void {
  for (const s of report.sources) {
    for (const status of ["ok", "missing", "stale", "invalid", "unreachable"] as const)
      m.observations.inc({ source: s.name, status }, s[status]);
    m.sourceUp.set({ source: s.name }, s.ok > 0 ? 1 : 0);
  }
}

function instruments(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: readonly string[] = SERIES) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const current = gauge("predict_observed", "Newest value of the signal, in its unit.");
  const forecast = gauge("predict_forecast", "Forecast at the horizon, in the signal's unit.");
  const probability = gauge("predict_probability", "Probability of a breach, 0 to 1.");
  const r2 = gauge("predict_r2", "Coefficient of determination of the fit, 0 to 1.");
  const risk = gauge("predict_in_risk_state", "1 while the series is in its risk state (hysteresis).");
  const slo = gauge("predict_slo", "Service level objective of the signal, in its unit.");
  const limit = gauge("predict_hard_limit", "Hard limit of the signal, in its unit.");
  return {
    perSeries: [current, forecast, probability, r2, risk, slo, limit],
    current,
    forecast,
    probability,
    r2,
    risk,
    slo,
    limit,
    cooldown: gauge("predict_cooldown_active", "1 while the target is in cooldown.", ["target"]),
    since: gauge(
      "predict_since_last_mitigation_seconds",
      "Seconds since the last mitigation of the target.",
      ["target"],
    ),
    sourceUp: gauge(
      "predict_source_up",
      "1 if the source gave at least one usable value in the last cycle.",
      ["source"],
    ),
    cycles: counter("predict_cycles_total", "Prediction cycles completed."),
    decisions: counter("predict_decisions_total", "Decisions by reason.", ["reason"]),
    mitigations: counter("predict_mitigations_total", "Mitigations by outcome.", [
      "target",
      "signal",
      "outcome",
    ]),
    observations: counter("predict_observations_total", "Observations by source and status.", [
      "source",
      "status",
    ]),
    notices: counter("predict_notices_total", "Events a person should know of.", ["event"]),
    duration: new Histogram({
      name: "predict_cycle_duration_seconds",
      help: "Duration of a prediction cycle.",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
  };
}
