import type { Signal } from "../kernel/signal.ts";
import { seriesKey, type Target } from "../kernel/target.ts";
import { type History, historyOf, type SeriesHistory } from "./input/history.ts";

/** The kind of action that stands for whatever heals a target. */
export const REPLAYED = "mitigate";

/** What a target that the configuration does not name is watched with. */
export interface CommonSettings {
  readonly signals: readonly Signal[];
  readonly cooldownMs: number;
}

export interface Cast {
  readonly targets: readonly Target[];
  /** The series that are watched; the others' signals are switched off. */
  readonly history: History;
  /** Series left out, `target/signal`. */
  readonly left: readonly string[];
}

/**
 * The targets of a history with the settings of those that are configured, and the common ones for the others; each
 * with just the signals that are in the history. Replay asks what would have been done, so shadow mode is off, and what
 * is watched only counts as healed too.
 */
export function inferTargets(input: {
  history: History;
  configured: readonly Target[];
  common: CommonSettings;
}): Cast {
  const byName = new Map(input.configured.map((t) => [t.name, t]));
  const targets: Target[] = [];
  const kept = new Set<SeriesHistory>();
  const left: string[] = [];
  for (const [name, series] of Map.groupBy(input.history.series, (s) => s.target)) {
    const base = byName.get(name) ?? stranger(name, input.common);
    const present = new Set(series.map((s) => s.signal));
    const signals = base.signals.filter((s) => present.has(s.name));
    const watched = new Set(signals.map((s) => s.name));
    for (const s of series) {
      if (watched.has(s.signal)) kept.add(s);
      else left.push(seriesKey(name, s.signal));
    }
    if (signals.length > 0)
      targets.push({ ...base, signals, autoHeal: true, mitigation: { action: REPLAYED } });
  }
  const series = input.history.series.filter((s) => kept.has(s));
  return { targets, history: historyOf(series), left };
}

function stranger(name: string, common: CommonSettings): Target {
  return {
    name,
    job: name,
    instances: [{ name, url: "" }],
    aggregate: "job",
    signals: common.signals,
    cooldownMs: common.cooldownMs,
    autoHeal: true,
  };
}
