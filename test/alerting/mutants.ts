import type { AlertRule } from "./rules.ts";

export interface Mutant {
  /** What is wrong with it. */
  readonly what: string;
  readonly rule: AlertRule;
}

const COMPARISON = /(>=|>|<|==)\s*(\d+(?:\.\d+)?)(?!\S)/g;

/**
 * An alert with one thing wrong at a time: it never fires, never resolves, fires at another threshold, too soon or too
 * late. Tests that are worth something notice each of them.
 */
export function mutantsOf(rule: AlertRule): Mutant[] {
  const wrong: Mutant[] = [
    { what: "never fires", rule: { ...rule, expr: "vector(1) > 2" } },
    { what: "never resolves", rule: { ...rule, expr: `(${rule.expr}) or ${firingBefore(rule)}` } },
  ];
  for (const match of rule.expr.matchAll(COMPARISON)) wrong.push(...otherThresholds(rule, match));
  for (const key of ["for", "keep_firing_for"] as const) {
    const { [key]: given, ...without } = rule;
    if (given === undefined) continue;
    wrong.push({ what: `no ${key}`, rule: without });
    wrong.push({ what: `${key} half again as long`, rule: { ...rule, [key]: longer(given) } });
  }
  return wrong;
}

/** The instances of an alert that fired at the last evaluation, with the labels of its expression. */
function firingBefore({ alert, labels }: AlertRule): string {
  const added = ["alertname", "alertstate", ...Object.keys(labels)].join(", ");
  return `sum without (${added}) (ALERTS{alertname="${alert}",alertstate="firing"})`;
}

function otherThresholds(rule: AlertRule, match: RegExpExecArray): Mutant[] {
  const [whole, operator = "", digits = ""] = match;
  const limit = Number(digits);
  const with_ = (text: string): Mutant => ({
    what: `${text} instead of ${whole}`,
    rule: {
      ...rule,
      expr: rule.expr.slice(0, match.index) + text + rule.expr.slice(match.index + whole.length),
    },
  });
  if (operator === "==") return [with_(`!= ${digits}`), with_(`== ${limit + 7}`)];
  if (limit === 0) return [with_(`${operator} -1`), with_(`${operator} 1e9`)];
  return [with_(`${operator} ${limit * 0.75}`), with_(`${operator} ${limit * 1.3}`)];
}

function longer(duration: string): string {
  const match = /^(\d+)([smh])$/.exec(duration);
  if (match === null) throw new Error(`not a duration: ${duration}`);
  const seconds = Number(match[1]) * { s: 1, m: 60, h: 3600 }[match[2] as "s" | "m" | "h"];
  return `${Math.round(seconds * 1.5)}s`;
}
