import {
  type Cause,
  type Decision,
  type Hold,
  namedVerdict,
  type Reason,
  type Trigger,
} from "../kernel/decision.ts";
import { formatNumber, isoUtc } from "../kernel/text.ts";

/** Why something was asked for, in a few words. */
export const CAUSE_WORDS: Readonly<Record<Cause, string>> = {
  pre_timeout: "forecast close to the limit",
  strong: "forecast over the SLO",
  confirmed: "forecast over the SLO twice",
  trend: "likely over the SLO",
  level: "over the SLO",
  envelope: "peaks and troughs climb",
  alert: "an alert",
  person: "a person",
  undo: "the end of what asked for it",
};

/** The same with its numbers: the first half of a sentence on what acts or is blocked. */
const ASKED: Readonly<Record<Trigger, (d: Decision) => string>> = {
  pre_timeout: (d) => {
    const over = (namedVerdict(d)?.forecast?.value ?? 0) > d.limit;
    return `${reaches(d)}, ${over ? "over" : "close to"} the hard limit ${formatNumber(d.limit)}`;
  },
  strong: exceeds,
  confirmed: exceeds,
  // The probability decides, of a level of its own: the forecast itself may still lie within the SLO.
  trend: (d) =>
    `likely to exceed ${formatNumber(namedVerdict(d)?.margin ?? d.slo)}, SLO ${formatNumber(d.slo)} (forecast ${seen(d)}${interval(d)})`,
  level: (d) => `the SLO ${formatNumber(d.slo)} is exceeded (${now(d)} now)`,
  envelope: (d) =>
    `peaks and troughs both climb towards ${seen(d)} (SLO ${formatNumber(d.slo)}${interval(d)})`,
};

/** What else speaks for acting, where a decision acts. */
const EVIDENCE: Readonly<Record<Trigger, (d: Decision) => string>> = {
  pre_timeout: () => "",
  strong: (d) => `, probability ${prob(d)}`,
  confirmed: (d) => `, probability ${prob(d)} in two cycles in a row`,
  trend: odds,
  level: () => " and stays so",
  envelope: () => "",
};

/** Why nothing asks for an action, or nothing could be decided. */
const NOT_ASKED: Readonly<Record<Exclude<Hold, keyof typeof BLOCKED>, (d: Decision) => string>> = {
  predictor_off: () => "no predictor is on for this signal",
  insufficient_samples: () => "too few samples for a forecast yet",
  r2_below_min: (d) => `the fit explains too little (R² ${r2(d)}) to trust forecast ${seen(d)}`,
  below_slo: within,
  weak_probability: (d) => `at risk, but probability ${prob(d)} is too low to act (forecast ${seen(d)})`,
  no_excess_expected: within,
  explained_by_traffic: (d) => `the rise to ${seen(d)} goes along with more traffic`,
  awaiting_cycles: () => "still learning how far this signal swings by itself",
  awaiting_confirmation: (d) =>
    d.atLeast
      ? `the SLO ${formatNumber(d.slo)} is exceeded (${now(d)} now) and has to stay so`
      : `probability ${prob(d)} has to last for a second cycle (forecast ${seen(d)})`,
  data_missing: () => "no data",
  data_stale: () => "the data is stale",
  data_invalid: () => "the data cannot be trusted",
  data_unreachable: () => "no source answered",
  settling: () => "waiting for samples from after the last action",
};

/** What blocks an action that was asked for, beside the guards: the second half of a sentence. */
const BLOCKED = {
  covered_by_other_signal: "the target is acted on because of another signal",
  covered_by_playbook: "a playbook acts on the target",
  already_contained: "what an earlier run did is still in effect",
  watched_only: "nothing is allowed to heal the target: it is watched only",
  undo_under_way: "what an earlier run did is being undone",
  journal_unavailable: "it cannot be written to the journal first",
} as const satisfies Partial<Record<Hold, string>>;

/** Reasons that say that nothing is wrong, in a few words. */
const CALM: Readonly<Partial<Record<Hold, string>>> = {
  below_slo: "within its SLO",
  no_excess_expected: "within its SLO",
  weak_probability: "within its SLO",
  r2_below_min: "no clear trend",
  insufficient_samples: "too few samples yet",
  awaiting_cycles: "learning how far it swings by itself",
  explained_by_traffic: "follows the traffic",
  settling: "waiting for samples from after the last action",
  predictor_off: "only watched",
};

/** A few words instead of the sentence, for lists of what is well. */
export function brief(reason: Reason): string {
  return CALM[reason as Hold] ?? reason.replaceAll("_", " ");
}

/** One sentence for people: what asks for an action on which numbers, or why nothing does; what blocks it, until when. */
export function explain(decision: Decision): string {
  const { reason, trigger, predictor } = decision;
  const poor = namedVerdict(decision)?.miscalibrated;
  const warning = poor === undefined ? "" : `; forecasts of ${predictor} have been poor lately: ${poor}`;
  if (isTrigger(reason)) return `acting: ${ASKED[reason](decision)}${EVIDENCE[reason](decision)}${warning}`;
  const more = `${detail(decision)}${until(decision)}${warning}`;
  const unasked = NOT_ASKED[reason as keyof typeof NOT_ASKED];
  if (unasked !== undefined) return `not acting: ${unasked(decision)}${more}`;
  const asked = trigger === undefined ? "an action is asked for" : ASKED[trigger](decision);
  const why = BLOCKED[reason as keyof typeof BLOCKED] ?? decision.because ?? reason.replaceAll("_", " ");
  return `blocked: ${asked}, but ${why}${more}`;
}

function isTrigger(reason: Reason): reason is Trigger {
  return reason in ASKED;
}

function now({ atLeast, current = Number.NaN }: Decision): string {
  return `${atLeast ? "at least " : ""}${formatNumber(current)}`;
}

function exceeds(d: Decision): string {
  return `${reaches(d)}, over the SLO ${formatNumber(d.slo)}`;
}

function reaches(d: Decision): string {
  return `forecast to reach ${seen(d)}`;
}

function within(d: Decision): string {
  return `forecast ${seen(d)} stays within the SLO ${formatNumber(d.slo)}${interval(d)}`;
}

/** Reasons whose words and end say all that there is to say. */
const PLAIN: readonly Reason[] = ["cooldown_active", "intent_unresolved"];

function detail({ reason, detail: more = "" }: Decision): string {
  return more === "" || PLAIN.includes(reason) ? "" : ` (${more})`;
}

function seen(d: Decision): string {
  const forecast = namedVerdict(d)?.forecast;
  return forecast === undefined ? "unknown" : formatNumber(forecast.value);
}

function interval(d: Decision): string {
  const forecast = namedVerdict(d)?.forecast;
  if (forecast?.low === undefined || forecast.high === undefined) return "";
  return `, 90 %: ${formatNumber(forecast.low)} to ${formatNumber(forecast.high)}`;
}

/** How sure the trend predictor is, and how sure it has to be. */
function odds(d: Decision): string {
  const required = namedVerdict(d)?.required;
  return `, probability ${prob(d)}${required === undefined ? "" : ` (acts from ${required.toFixed(2)})`}`;
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
