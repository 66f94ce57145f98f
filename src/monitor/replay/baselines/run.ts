import type { Target } from "../../kernel/target.ts";
import type { History, SeriesHistory } from "../input/history.ts";
import type { TimedAction } from "../score.ts";
import { foundingRule } from "./founding.ts";
import { predictLinearRule, type Rule, type RuleSpec, staticRule } from "./rules.ts";

/** A method to compare with. */
export interface Baseline {
  readonly name: string;
  readonly create: (spec: RuleSpec) => Rule;
}

/** What is in use today, and the founding algorithm. */
export const BASELINES: readonly Baseline[] = [
  { name: "founding algorithm", create: foundingRule },
  { name: "static threshold 1m", create: staticRule },
  { name: "predict_linear 5m, for 1m", create: (spec) => predictLinearRule(spec, 300) },
  { name: "predict_linear 10m, for 1m", create: (spec) => predictLinearRule(spec, 600) },
];

/** One signal of a target with its place in time. */
interface Cursor {
  readonly series: SeriesHistory;
  readonly rule: Rule;
  at: number;
}

/**
 * The actions that a baseline would have asked for, under the same cooldown of its target; the targets' signals are
 * read together in order of time, each at every sample it has.
 */
export function runBaseline(input: {
  baseline: Baseline;
  history: History;
  targets: readonly Target[];
  horizonS: number;
}): TimedAction[] {
  const byTarget = Map.groupBy(input.history.series, (s) => s.target);
  return input.targets.flatMap((target) => {
    const cursors = target.signals.flatMap((signal): Cursor[] => {
      const series = byTarget.get(target.name)?.find((s) => s.signal === signal.name);
      const spec = { ...signal.thresholds, horizonS: input.horizonS };
      return series === undefined ? [] : [{ series, rule: input.baseline.create(spec), at: 0 }];
    });
    return runTarget(target, cursors);
  });
}

function runTarget(target: Target, cursors: readonly Cursor[]): TimedAction[] {
  const actions: TimedAction[] = [];
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    const next = earliest(cursors);
    if (next === undefined) return actions;
    const { series, rule } = next;
    const atMs = series.timesMs[next.at] as number;
    const asks = rule.push(atMs / 1000, series.values[next.at] as number);
    next.at += 1;
    if (!asks || atMs < quietUntilMs) continue;
    quietUntilMs = atMs + target.cooldownMs;
    for (const c of cursors) c.rule.acted?.();
    actions.push({ target: target.name, signal: series.signal, atMs });
  }
}

function earliest(cursors: readonly Cursor[]): Cursor | undefined {
  let best: Cursor | undefined;
  for (const c of cursors)
    if (
      c.at < c.series.count &&
      (best === undefined || (c.series.timesMs[c.at] as number) < (best.series.timesMs[best.at] as number))
    )
      best = c;
  return best;
}
