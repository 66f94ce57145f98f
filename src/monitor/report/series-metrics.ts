import { Gauge, type Registry } from "prom-client";
import { type Decision, namedVerdict, type Verdict } from "../kernel/decision.ts";

const SERIES = ["target", "signal"];
const OF_PREDICTOR = [...SERIES, "predictor"];

/** One gauge a number of a decision. What is unknown this cycle has no series: unknown is not zero. */
export function createSeriesMetrics(registry: Registry): { record(decisions: readonly Decision[]): void } {
  const all: Gauge[] = [];
  const gauge = (name: string, help: string, labelNames: string[] = SERIES) => {
    const made = new Gauge({ name, help, labelNames, registers: [registry] });
    all.push(made);
    return made;
  };
  const m = {
    current: gauge("predict_observed", "Newest value of the signal, in its unit."),
    forecast: gauge(
      "predict_forecast",
      "Forecast of the deciding predictor at the horizon, in the signal's unit.",
    ),
    probability: gauge(
      "predict_probability",
      "Probability that the deciding predictor gives, 0 to 1; for the linear one 0 at the SLO to 1 at the hard limit.",
    ),
    r2: gauge("predict_r2", "Coefficient of determination of the linear predictor's fit, 0 to 1."),
    risk: gauge("predict_in_risk_state", "1 while the series is in its risk state (hysteresis)."),
    slo: gauge("predict_slo", "Service level objective of the signal, in its unit."),
    limit: gauge("predict_hard_limit", "Hard limit of the signal, in its unit."),
    cooldown: gauge("predict_cooldown_active", "1 while the target is in cooldown.", ["target"]),
    own: gauge(
      "predict_predictor_forecast",
      "Forecast of one predictor at the horizon, in the signal's unit.",
      OF_PREDICTOR,
    ),
    ownProbability: gauge(
      "predict_predictor_probability",
      "Probability that one predictor gives, 0 to 1.",
      OF_PREDICTOR,
    ),
    low: gauge(
      "predict_forecast_low",
      "Lower bound of the predictor's 90 % interval, in the signal's unit.",
      OF_PREDICTOR,
    ),
    high: gauge(
      "predict_forecast_high",
      "Upper bound of the predictor's 90 % interval, in the signal's unit.",
      OF_PREDICTOR,
    ),
  };
  const recordPredictor = (labels: { target: string; signal: string }, v: Verdict) => {
    if (v.forecast === undefined) return;
    const { value, r2, low, high } = v.forecast;
    const own = { ...labels, predictor: v.predictor };
    m.own.set(own, value);
    m.ownProbability.set(own, v.probability);
    if (r2 !== undefined) m.r2.set(labels, r2);
    if (low !== undefined) m.low.set(own, low);
    if (high !== undefined) m.high.set(own, high);
  };
  const recordOne = (d: Decision) => {
    const labels = { target: d.target, signal: d.signal };
    m.risk.set(labels, d.inRisk ? 1 : 0);
    m.slo.set(labels, d.slo);
    m.limit.set(labels, d.limit);
    m.cooldown.set({ target: d.target }, d.cooldownActive ? 1 : 0);
    if (d.current !== undefined) m.current.set(labels, d.current);
    for (const v of d.verdicts) recordPredictor(labels, v);
    const deciding = namedVerdict(d);
    if (deciding?.forecast === undefined) return;
    m.forecast.set(labels, deciding.forecast.value);
    m.probability.set(labels, deciding.probability);
  };
  return {
    record(decisions) {
      for (const g of all) g.reset();
      for (const d of decisions) recordOne(d);
    },
  };
}
