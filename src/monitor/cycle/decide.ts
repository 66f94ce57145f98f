import { targetCooldownMs } from "../guards/cooldown/index.ts";
import type { ObservedTarget } from "../guards/guard.ts";
import type { Decision } from "../kernel/decision.ts";
import type { Observation } from "../kernel/observation.ts";
import type { Instant } from "../kernel/time.ts";
import { decideSeries } from "../rules/decide.ts";
import { targetMemory } from "./execute/state.ts";
import type { SeriesForecast } from "./forecast.ts";
import { isShadow, type LoopState, type SeriesRow } from "./state.ts";

/** Stage 3: what the rules make of each series, one decision a series of the plan. Nobody is asked whether it may be done. */
export function decide(
  state: LoopState,
  seen: { readonly observations: readonly Observation[]; readonly forecasts: readonly SeriesForecast[] },
  now: Instant,
): Decision[] {
  const cooling = new Map(
    state.settings.targets.map((target) => {
      const shadow = isShadow(state.settings, [target]);
      return [target.name, targetCooldownMs(target, targetMemory(state, target.name), shadow, now) > 0];
    }),
  );
  return state.plan.map((series) =>
    decideSeries({
      series,
      observation: seen.observations[series.index] as Observation,
      ...(seen.forecasts[series.index] as SeriesForecast),
      cooldownActive: cooling.get(series.target.name) === true,
      now,
    }),
  );
}

const DATA: ReadonlySet<string> = new Set(["data_missing", "data_stale", "data_invalid", "data_unreachable"]);

/** What the guards look at in one cycle: which targets are at risk, and which of their signals have a value. */
export function observedTargets(state: LoopState, decisions: readonly Decision[]): ObservedTarget[] {
  const targets = new Map<
    string,
    { target: string; atRisk: boolean | undefined; signals: ObservedTarget["signals"][number][] }
  >();
  for (const [i, d] of decisions.entries()) {
    let of = targets.get(d.target);
    if (of === undefined) {
      of = { target: d.target, atRisk: undefined, signals: [] };
      targets.set(d.target, of);
    }
    if (!DATA.has(d.reason)) of.atRisk = of.atRisk === true || d.inRisk || d.trigger !== undefined;
    of.signals.push({
      signal: d.signal,
      key: (state.forecast.rows[i] as SeriesRow).key,
      status: DATA.has(d.reason) ? (d.reason.slice("data_".length) as "missing") : "ok",
    });
  }
  return [...targets.values()];
}
