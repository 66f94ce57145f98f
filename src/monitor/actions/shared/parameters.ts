import type { ParameterRule, ParameterRules, Parameters } from "../../kernel/plugin.ts";

/** Stands for the region that was chosen when the playbook runs. Legal for a parameter named `region`. */
export const REGION_PLACEHOLDER = "$region";
/** Every region of a service at once, where a kind allows it. */
const ALL_REGIONS = "all";
/** Whatever isolates, limits or pauses ends by itself within a day, seconds. */
const MAX_EFFECT_SECONDS = 86_400;

const DECIMAL = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const REGION = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function numberAbove0(unit: string, max: number): ParameterRule["check"] {
  return (text) => {
    const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
    return value > 0 && value <= max ? undefined : `must be a number above 0 up to ${max} (${unit})`;
  };
}

export function wholeNumber(unit: string, max: number): ParameterRule["check"] {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    return value >= 1 && value <= max ? undefined : `must be a whole number from 1 up to ${max} (${unit})`;
  };
}

export const oneRegion: ParameterRule["check"] = (text) =>
  text === REGION_PLACEHOLDER || (text !== ALL_REGIONS && REGION.test(text))
    ? undefined
    : `must be the name of a region, e.g. us-east-1, or ${REGION_PLACEHOLDER}`;

export const anyRegion: ParameterRule["check"] = (text) =>
  text === REGION_PLACEHOLDER || REGION.test(text)
    ? undefined
    : `must be the name of a region, e.g. us-east-1, ${ALL_REGIONS} or ${REGION_PLACEHOLDER}`;

export const seconds: ParameterRule = { required: true, check: numberAbove0("seconds", MAX_EFFECT_SECONDS) };
export const region: ParameterRule = { required: true, check: oneRegion };
export const regionOrAll: ParameterRule = { required: false, check: anyRegion };

/** For a kind with the parameter `seconds`. */
export const endsByItself = (parameters: Parameters): number => 1000 * Number(parameters.seconds);
export const sameRegion = (parameters: Parameters): Parameters =>
  parameters.region === undefined ? {} : { region: parameters.region };

/** What is wrong with one parameter, and what would be right. */
export interface ParameterProblem {
  readonly parameter: string;
  /** Reads after the parameter's name: "is missing; …", "must be …". */
  readonly message: string;
}

/** Holds the parameters of a step against the rules of its kind; empty: all is well. */
export function checkParameters(rules: ParameterRules, given: Parameters): ParameterProblem[] {
  const known = Object.keys(rules);
  const listed = known.length === 0 ? "it takes none" : `known here: ${known.join(", ")}`;
  const problems = Object.keys(given)
    .filter((name) => !Object.hasOwn(rules, name))
    .map((parameter): ParameterProblem => ({ parameter, message: `is not a known parameter; ${listed}` }));
  for (const [parameter, rule] of Object.entries(rules)) {
    const value = Object.hasOwn(given, parameter) ? given[parameter] : undefined;
    if (value === undefined) {
      if (rule.required) problems.push({ parameter, message: `is missing${hint(rule)}` });
      continue;
    }
    const message = rule.check(value);
    if (message !== undefined) problems.push({ parameter, message });
  }
  return problems;
}

/** The same for a call that is about to be made: by then a placeholder has become a value. */
export function checkCall(rules: ParameterRules, given: Parameters): ParameterProblem[] {
  const left = Object.entries(given)
    .filter(([, value]) => value === REGION_PLACEHOLDER)
    .map(([parameter]) => ({ parameter, message: `is still ${REGION_PLACEHOLDER}: no region was chosen` }));
  return [...checkParameters(rules, given), ...left];
}

/** What an empty text is told is what is right. */
function hint(rule: ParameterRule): string {
  const right = rule.check("");
  return right === undefined ? "" : `; it ${right}`;
}
