import { Gauge, type Registry } from "prom-client";
import type { PredictorScore } from "../cycle/types.ts";

const OF = ["predictor", "signal"];

/** How good the forecasts have been: one gauge a figure, absent while nothing is known. */
export function createScoreMetrics(registry: Registry): { record(scores: readonly PredictorScore[]): void } {
  const gauges = gaugesOn(registry);
  return {
    record(scores) {
      for (const gauge of Object.values(gauges)) gauge.reset();
      for (const score of scores) recordOne(gauges, score);
    },
  };
}

function gaugesOn(registry: Registry) {
  const gauge = (name: string, help: string, more: string[] = []) =>
    new Gauge({ name, help, labelNames: [...OF, ...more], registers: [registry] });
  return {
    mape: gauge(
      "predict_forecast_mape_ratio",
      "Rolling mean absolute percentage error of the forecasts, as a share; half-life 6 h, as of all rolling figures.",
    ),
    coverage: gauge("predict_interval_coverage_ratio", "Rolling share of outcomes inside the interval."),
    nominal: gauge(
      "predict_interval_nominal_coverage_ratio",
      "Share of outcomes that the interval claims to hold.",
    ),
    brier: gauge("predict_probability_brier_score", "Rolling mean squared error of the probability."),
    ece: gauge(
      "predict_probability_calibration_error",
      "Rolling mean distance between the probability said and the share seen, over the deciles.",
    ),
    said: gauge("predict_calibration_forecast_mean", "Mean probability said, by decile, 1 to 10.", [
      "decile",
    ]),
    seen: gauge("predict_calibration_observed_ratio", "Share of forecasts that came true, by decile.", [
      "decile",
    ]),
    count: gauge("predict_calibration_forecasts", "Forecasts in the decile, the older counting less.", [
      "decile",
    ]),
    forecasts: gauge(
      "predict_forecasts",
      "Forecasts since the start: `scored`, `unscored` (no sample), `voided` (an action came between), `thinned`.",
      ["fate"],
    ),
    alarms: gauge(
      "predict_alarms",
      "Alarms since the start: `true`, `false`, `late`, `unknowable` (acted on).",
      ["fate"],
    ),
    breaches: gauge(
      "predict_breaches",
      "Excursions above the SLO since the start: `announced`, `unannounced`, `unknowable`.",
      ["fate"],
    ),
    lead: gauge(
      "predict_alarm_lead_seconds",
      "`mean` and `median` lead of the last 64 true alarms before the breach.",
      ["statistic"],
    ),
    poor: gauge("predict_predictor_miscalibrated", "1 while the recent calibration of the predictor is bad."),
  };
}

function recordOne(
  m: ReturnType<typeof gaugesOn>,
  { predictor, signal, summary: s, judgement }: PredictorScore,
): void {
  const of = { predictor, signal };
  const set = (g: Gauge, value: number | undefined, more: Record<string, string> = {}) => {
    if (value !== undefined && Number.isFinite(value)) g.set({ ...of, ...more }, value);
  };
  set(m.mape, s.mape);
  set(m.coverage, s.coverage);
  set(m.nominal, s.nominalCoverage);
  set(m.brier, s.brier);
  set(m.ece, s.calibrationError);
  s.deciles.forEach((d, k) => {
    const decile = { decile: `${k + 1}` };
    set(m.said, d.forecastMean, decile);
    set(m.seen, d.observedShare, decile);
    set(m.count, d.count, decile);
  });
  for (const fate of ["scored", "unscored", "voided", "thinned"] as const)
    set(m.forecasts, s[fate], { fate });
  for (const fate of ["true", "false", "unknowable", "late"] as const)
    set(m.alarms, s.alarms[fate], { fate });
  set(m.breaches, s.alarms.breachesAnnounced, { fate: "announced" });
  set(m.breaches, s.alarms.breachesUnannounced, { fate: "unannounced" });
  set(m.breaches, s.alarms.breachesUnknowable, { fate: "unknowable" });
  set(m.lead, s.alarms.meanLeadS, { statistic: "mean" });
  set(m.lead, s.alarms.medianLeadS, { statistic: "median" });
  set(m.poor, judgement.verdict === "poor" ? 1 : 0);
}
