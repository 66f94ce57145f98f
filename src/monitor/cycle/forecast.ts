import type { Verdict } from "../kernel/decision.ts";
import type { MetricSource, Observation } from "../kernel/observation.ts";
import type { SeriesState } from "../kernel/store.ts";
import type { Series } from "../kernel/target.ts";
import { errorMessage } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import { sampleProblem } from "./observe.ts";
import {
  complaintsOf,
  evaluatePredictors,
  FRESH_MEMORY,
  forgetSeries,
  type Saturated,
  showSample,
} from "./predictors.ts";
import type { LoopState, SeriesRow } from "./state.ts";
import type { LoopPorts } from "./types.ts";
import { GRACE_MS, within } from "./within.ts";

/** Two readings of one sample differ by clock slew only; two samples by more. */
const SAME_SAMPLE_MS = 20;

/** History is read in at most so many steps: what a source may be asked for at once is bounded. */
const MAX_WARM_UP_STEPS = 2000;

/** What the predictors say of one series in one cycle. */
export interface SeriesForecast {
  readonly verdicts: readonly Verdict[];
  readonly inRisk: boolean;
  /** Time until which samples still speak of before the last action, milliseconds left; 0 when none do. */
  readonly settlingLeftMs: number;
}

/** Stage 2: the predictors take this cycle's samples and are evaluated. One forecast a series of the plan. */
export function forecast(
  state: LoopState,
  observations: readonly Observation[],
  now: Instant,
): SeriesForecast[] {
  const complaints = complaintsOf(state.forecast.predictors);
  return state.plan.map((series) => {
    const observation = observations[series.index] as Observation;
    const row = state.forecast.rows[series.index] as SeriesRow;
    let taken: Taken | "none" = "none";
    let saturated: Saturated | undefined;
    if (observation.status === "ok") {
      const { value, support, timestampMs, atLeast, windowMs } = observation;
      row.windowMs = windowMs;
      taken = take(state, series, {
        value,
        support,
        ageMs: now.wallMs - timestampMs,
        atLeast,
        windowMs,
        now,
      });
      if (atLeast !== undefined && taken !== "settling")
        saturated = { value, windowMs: windowOf(state, series) };
    }
    const { verdicts, memory } = evaluatePredictors({
      predictors: state.forecast.predictors,
      series,
      settings: state.settings,
      memory: row.memory,
      nowS: now.monoMs / 1000,
      known: taken === "taken" || taken === "same",
      fresh: taken === "taken",
      saturated,
      complaints,
    });
    row.memory = memory;
    return {
      verdicts,
      inRisk: memory.linear.inRisk || memory.trend.inRisk,
      settlingLeftMs: taken === "settling" ? Math.max(1, settledAt(state, series) - now.monoMs) : 0,
    };
  });
}

type Taken = "taken" | "same" | "settling";

/** Feeds one sample to the predictors, unless it is old news or speaks of before the last action. */
function take(
  state: LoopState,
  series: Series,
  sample: {
    value: number;
    support?: number | undefined;
    ageMs: number;
    atLeast?: string | undefined;
    windowMs?: number | undefined;
    now: Instant;
  },
): Taken {
  const row = state.forecast.rows[series.index] as SeriesRow;
  const sampleMonoMs = sample.now.monoMs - sample.ageMs;
  if (sampleMonoMs <= row.lastSampleMonoMs + SAME_SAMPLE_MS) return "same";
  if (sampleMonoMs < settledAt(state, series)) return "settling";
  row.lastSampleMonoMs = sampleMonoMs;
  const { value, support, atLeast, windowMs } = sample;
  const rateWindowS = windowMs === undefined ? undefined : windowMs / 1000;
  // What the true value is nobody knows: a line through the least would be a line through anything.
  if (atLeast === undefined)
    showSample(state.forecast.predictors, series, {
      timeS: sampleMonoMs / 1000,
      value,
      support,
      rateWindowS,
    });
  return "taken";
}

function settledAt(state: LoopState, series: Series): number {
  const { lostMonoMs } = state.actions;
  const settled =
    state.forecast.settledMonoMs.get(series.target.name) ?? lostMonoMs ?? Number.NEGATIVE_INFINITY;
  return settled + windowOf(state, series);
}

/** The rate window behind the samples of a series, milliseconds; 0 where each speaks of its own moment. */
export function windowOf(state: LoopState, { index, signal }: Series): number {
  if (!signal.windowed) return 0;
  return (state.forecast.rows[index] as SeriesRow).windowMs ?? state.settings.rateWindowMs;
}

/** From here on only samples from after an action on these targets count: what the predictors knew is of another world. */
export function forgetBefore(state: LoopState, targets: readonly string[], at: Instant): void {
  for (const name of targets) state.forecast.settledMonoMs.set(name, at.monoMs);
  for (const { index, target } of state.plan) {
    if (!targets.includes(target.name)) continue;
    forgetSeries(state.forecast.predictors, index);
    (state.forecast.rows[index] as SeriesRow).memory = FRESH_MEMORY;
  }
}

/** Takes over what the store kept of earlier runs. @param settled when each target's last action was over, at the latest. */
export function resumeForecasts(
  state: LoopState,
  saved: readonly SeriesState[],
  settled: ReadonlyMap<string, number>,
): void {
  const byKey = new Map(saved.map((s) => [s.key, s]));
  for (const row of state.forecast.rows) {
    const s = byKey.get(row.key);
    if (s === undefined) continue;
    row.memory = { ...row.memory, linear: { inRisk: s.inRisk, pending: s.pending.linear ?? 0 } };
    row.saved = row.memory.linear;
  }
  for (const [name, monoMs] of settled) state.forecast.settledMonoMs.set(name, monoMs);
}

/** Writes down what changed. @throws StoreError */
export function saveForecasts({ forecast: { rows } }: LoopState, { store }: LoopPorts): void {
  const changed = rows.filter((r) => r.memory.linear !== r.saved);
  if (changed.length === 0) return;
  store.saveSeries(
    changed.map(({ key, memory: { linear } }) => ({
      key,
      inRisk: linear.inRisk,
      pending: { linear: linear.pending },
    })),
  );
  for (const row of changed) row.saved = row.memory.linear;
}

/** Fills the window from the first source that has a past, leaving out what is from before the last action. */
export async function warmUp(
  ports: LoopPorts,
  sources: readonly MetricSource[],
  state: LoopState,
): Promise<void> {
  const { settings, plan } = state;
  const source = sources.find((s) => s.history !== undefined);
  if (source?.history === undefined || plan.length === 0) return;
  const began = ports.clock.now();
  const spanMs = Math.min(MAX_WARM_UP_STEPS * settings.cycleMs, settings.warmUpMs);
  try {
    const asked = source.history({
      plan,
      fromMs: began.wallMs - spanMs,
      toMs: began.wallMs,
      stepMs: settings.cycleMs,
      signal: ports.deadline(settings.warmUpDeadlineMs),
    });
    const past = await within(asked, ports.deadline(settings.warmUpDeadlineMs + GRACE_MS));
    const now = ports.clock.now();
    for (const series of plan)
      for (const sample of (past[series.index] ?? []).filter((s) => sampleProblem(s, now) === undefined))
        take(state, series, { value: sample.value, ageMs: now.wallMs - sample.timestampMs, now });
  } catch (error) {
    ports.reporter.notice("warm-up failed", { source: source.name, detail: errorMessage(error) });
  }
}
