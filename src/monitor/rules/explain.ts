import { type Decision, namedVerdict, type Reason } from "../kernel/decision.ts";
import { formatNumber, isoUtc } from "../kernel/text.ts";

const TEXT: Record<Reason, (d: Decision) => string> = {
  pre_timeout: (d) => `acting: forecast ${seen(d)} is close to the hard limit ${formatNumber(d.limit)}`,
  strong: (d) =>
    `acting: in risk, probability ${prob(d)} is strong (forecast ${seen(d)}, SLO ${formatNumber(d.slo)})`,
  confirmed: (d) =>
    `acting: in risk, probability ${prob(d)} confirmed by a second cycle (forecast ${seen(d)})`,
  trend: (d) => `acting: the trend reaches ${seen(d)}${interval(d)}, ${odds(d)}`,
  level: (d) =>
    `acting: past the SLO ${formatNumber(d.slo)} and staying (${formatNumber(d.current ?? Number.NaN)} now)`,
  envelope: (d) =>
    `acting: peaks and troughs both climb, towards ${seen(d)}${interval(d)} (SLO ${formatNumber(d.slo)})`,
  predictor_off: () => "holding: no predictor is on for this signal",
  insufficient_samples: () => "holding: too few samples for a forecast yet",
  r2_below_min: (d) => `holding: the fit explains too little (R² ${r2(d)}) to trust forecast ${seen(d)}`,
  below_slo: (d) => `holding: forecast ${seen(d)} stays within the SLO ${formatNumber(d.slo)}`,
  weak_probability: (d) => `holding: in risk, but probability ${prob(d)} is weak (forecast ${seen(d)})`,
  no_excess_expected: (d) =>
    `holding: expecting ${seen(d)}${interval(d)}, within the SLO ${formatNumber(d.slo)}`,
  explained_by_traffic: (d) => `holding: the rise to ${seen(d)} goes along with more traffic`,
  awaiting_cycles: () => "holding: still learning how far this signal swings by itself",
  awaiting_confirmation: (d) => `holding: probability ${prob(d)} wants a second cycle to confirm it`,
  data_missing: (d) => `holding: no data${because(d)}`,
  data_stale: (d) => `holding: the data is stale${because(d)}`,
  data_invalid: (d) => `holding: the data cannot be trusted${because(d)}`,
  data_unreachable: (d) => `holding: no source answered${because(d)}`,
  settling: (d) => `holding: samples still speak of before the last action${until(d)}`,
  cooldown_active: (d) => `holding: ${rule(d)} would act, but the target is in cooldown${until(d)}`,
  covered_by_other_signal: (d) => `holding: ${rule(d)} too, covered by the action for another signal`,
  covered_by_playbook: (d) => `holding: ${rule(d)} too, covered by a playbook that acts on the target`,
  already_contained: (d) =>
    `holding: ${rule(d)} would act, but it is contained already${because(d)}${until(d)}`,
  undo_under_way: (d) =>
    `holding: ${rule(d)} would act, but what was done before is being taken back${because(d)}`,
  intent_unresolved: (d) => `holding: ${rule(d)} would act, but the last action's outcome is not known yet`,
  journal_unavailable: (d) => `holding: ${rule(d)} would act, but the intent cannot be written down`,
  paused: (d) => `holding: ${rule(d)} would act, but acting is paused${because(d)}${until(d)}`,
  silenced: (d) => `holding: ${rule(d)} would act, but a silence covers it${because(d)}${until(d)}`,
  maintenance_window: (d) => `holding: ${rule(d)} would act, but it is maintenance${because(d)}${until(d)}`,
  startup_hold: (d) =>
    `holding: ${rule(d)} would act, but the monitor has just been through a crash loop${because(d)}${until(d)}`,
  data_partial: (d) =>
    `holding: ${rule(d)} would act, but too little of the data is there${because(d)}${until(d)}`,
  storm_hold: (d) => `holding: ${rule(d)} would act, but too many targets are unwell${because(d)}${until(d)}`,
  escalated: (d) =>
    `holding: ${rule(d)} would act, but the target waits for a person${because(d)}${until(d)}`,
  backoff_active: (d) =>
    `holding: ${rule(d)} would act, but the last try did not help${because(d)}${until(d)}`,
  rate_cap_target: (d) =>
    `holding: ${rule(d)} would act, but the target has had its share of actions${because(d)}${until(d)}`,
  rate_cap_fleet: (d) =>
    `holding: ${rule(d)} would act, but the fleet has had its share of actions${because(d)}${until(d)}`,
};

/** One sentence for people: which rule spoke, on which numbers, until when. */
export function explain(decision: Decision): string {
  const complaint = namedVerdict(decision)?.miscalibrated;
  const text = TEXT[decision.reason](decision);
  return complaint === undefined ? text : `${text}; ${decision.predictor} has been off lately: ${complaint}`;
}

function rule(d: Decision): string {
  return d.trigger ?? "a rule";
}

function because(d: Decision): string {
  return d.detail === undefined || d.detail === "" ? "" : ` (${d.detail})`;
}

function seen(d: Decision): string {
  const forecast = namedVerdict(d)?.forecast;
  return forecast === undefined ? "unknown" : formatNumber(forecast.value);
}

function interval(d: Decision): string {
  const forecast = namedVerdict(d)?.forecast;
  if (forecast?.low === undefined || forecast.high === undefined) return "";
  return ` (90 %: ${formatNumber(forecast.low)} to ${formatNumber(forecast.high)})`;
}

/** The trend predictor's own gate: how sure it is, of which level, and how sure it has to be. */
function odds(d: Decision): string {
  const v = namedVerdict(d);
  if (v?.margin === undefined || v.required === undefined) return `probability ${prob(d)}`;
  return `probability ${prob(d)} of exceeding ${formatNumber(v.margin)} (acts from ${v.required.toFixed(2)})`;
}

function prob(d: Decision): string {
  return fixed(namedVerdict(d)?.probability);
}

function r2(d: Decision): string {
  return fixed(namedVerdict(d)?.forecast?.r2);
}

function fixed(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? "unknown" : value.toFixed(2);
}

function until(d: Decision): string {
  const iso = isoUtc(Math.ceil((d.untilMs ?? Number.NaN) / 1000) * 1000);
  return iso === "unknown" ? "" : ` until ${iso.slice(11, 19)} UTC`;
}
