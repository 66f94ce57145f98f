import type { AlertChange } from "../alerts/index.ts";
import { applyCalendar } from "../guards/index.ts";
import type { Intent } from "../kernel/action.ts";
import type { AlertState } from "../kernel/containment.ts";
import type { Decision } from "../kernel/decision.ts";
import type { MetricSource, Observation } from "../kernel/observation.ts";
import type { Series } from "../kernel/target.ts";
import { errorMessage } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import type { PlaybookDecision } from "../playbooks/decide.ts";
import { decideSeries, type TargetSituation } from "../rules/decide.ts";
import { type ActContext, isShadow, reconcile } from "./act.ts";
import { actOnAll, situationOf } from "./act-on-all.ts";
import { hearAlerts, readParts } from "./containment/index.ts";
import type { Containment } from "./containment/state.ts";
import { type Controls, createControls } from "./guards/controls.ts";
import { reportGuards } from "./guards/keeper.ts";
import { JOURNAL_READ, resumeBrakes, saveBrakes } from "./guards/state.ts";
import type { Verified } from "./healing/index.ts";
import { resumeHealed, saveHealing } from "./healing/state.ts";
import { observe, sampleProblem } from "./observe.ts";
import { type Complaints, complaintsOf, hear, scoresOf, showSample } from "./predictors.ts";
import { changedRows, type LoopState, makeState, resume, type SeriesRow, type TargetState } from "./state.ts";
import type { ActionRecord, LoopPorts, LoopSettings, TickReport } from "./types.ts";
import { GRACE_MS, within } from "./within.ts";

/** Two readings of one sample differ by clock slew only; two samples by more. */
const SAME_SAMPLE_MS = 20;

/** History is read in at most so many steps: what a source may be asked for at once is bounded. */
const MAX_WARM_UP_STEPS = 2000;

/** The control loop. A tick is a plain method: whoever calls it owns the timer. Ticks must not overlap. */
export interface Loop {
  /** Once, before the first tick: takes over saved state, reconciles open intents, warms up from history. */
  start(): Promise<void>;
  tick(): Promise<TickReport>;
  /** Takes in alerts; what changed is on disk when this returns, and is acted on from the next cycle on. @throws StoreError */
  hear(alerts: readonly AlertState[]): readonly AlertChange[];
  /** What people may say to it while it runs. */
  readonly controls: Controls;
  /** What is known of alerts and playbooks now. */
  readonly containment: Pick<Containment, "inbox" | "runs">;
  /** New settings, and sources where they changed, from the next cycle on; what is known of the same series stays. */
  reconfigure(settings: LoopSettings, sources?: readonly MetricSource[]): void;
  /** From now on no new call is made; one under way is finished by its tick. */
  stopActing(): void;
  readonly settings: LoopSettings;
}

/** @param ports the world; @param settings initial settings. */
export function createLoop(ports: LoopPorts, settings: LoopSettings): Loop {
  let state = makeState(settings);
  let stopping = false;
  let { sources } = ports;
  const controls = createControls(ports, () => state);
  const context = (): ActContext => ({ ports, state, present: () => ({ state, stopping }) });
  return {
    get settings() {
      return state.settings;
    },
    get containment() {
      return state.containment;
    },
    controls,
    hear: (alerts) => hearAlerts(state, ports, alerts),
    reconfigure(next, nextSources) {
      state = makeState(next, state);
      // A maintenance window is in force at once, and outlasts a clock that is set back before the next cycle.
      const { brakes } = state;
      brakes.guards = applyCalendar(brakes.guards, next.guards, ports.clock.now());
      sources = nextSources ?? sources;
    },
    stopActing() {
      stopping = true;
    },
    async start() {
      const persisted = ports.store.load();
      if (persisted.quarantined !== undefined)
        ports.reporter.notice("state quarantined, full cooldown assumed", { detail: persisted.quarantined });
      resume(state, persisted, ports.clock.now(), ports.clock.bootId);
      resumeBrakes(state.brakes, {
        documents: persisted.documents,
        journal: ports.store.recent(JOURNAL_READ),
        runs: state.containment.runs.values(),
        quarantined: persisted.quarantined !== undefined,
        settings: state.settings,
        now: ports.clock.now(),
        bootId: ports.clock.bootId,
      });
      const forgotten = resumeHealed(state.healing, {
        documents: persisted.documents,
        now: ports.clock.now(),
        bootId: ports.clock.bootId,
      });
      if (forgotten !== undefined) ports.reporter.notice("verifications forgotten", { detail: forgotten });
      trySaving(ports, () => saveBrakes(state.brakes, ports));
      for (const intent of persisted.openIntents) await reconcile(intent, context());
      await warmUp(ports, sources, state);
    },
    async tick() {
      const began = ports.clock.now();
      for (const intent of unresolved(state)) if (!stopping) await reconcile(intent, context());
      const current = state;
      const { plan, settings } = current;
      const asked = {
        sources,
        now: ports.clock.now(),
        deadline: ports.deadline(settings.observeDeadlineMs),
        giveUp: ports.deadline(settings.observeDeadlineMs + GRACE_MS),
      };
      const [{ observations, sources: heard, at: now }] = await Promise.all([
        observe({ ...asked, plan, clock: ports.clock }),
        readParts({ ...asked, state: current }),
      ]);
      const decided = decideAll(current, observations, now, complaintsOf(current.predictors));
      const ctx = { ...context(), state: current };
      const acted = await actOnAll({ decided, observations, now, ctx });
      save(ports, current);
      const report = summarize({ state: current, began, observations, ports, ...acted });
      const full = { ...report, sources: heard, scores: () => scoresOf(current.predictors) };
      ports.reporter.cycle(full);
      return full;
    },
  };
}

function unresolved(state: LoopState): Intent[] {
  const open: Intent[] = [];
  for (const t of state.known.values()) open.push(...t.unresolved);
  return open;
}

/** Fills the window from the first source that has a past, leaving out what is from before the last action. */
async function warmUp(ports: LoopPorts, sources: readonly MetricSource[], state: LoopState): Promise<void> {
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
    const detail = errorMessage(error);
    ports.reporter.notice("warm-up failed", { source: source.name, detail });
  }
}

/** Feeds one sample to the predictors, unless it is old news or speaks of before the last action. */
function take(
  state: LoopState,
  series: Series,
  sample: { value: number; support?: number | undefined; ageMs: number; now: Instant },
): "taken" | "same" | "settling" {
  const row = state.rows[series.index] as SeriesRow;
  const sampleMonoMs = sample.now.monoMs - sample.ageMs;
  if (sampleMonoMs <= row.lastSampleMonoMs + SAME_SAMPLE_MS) return "same";
  const target = state.targets.get(series.target.name) as TargetState;
  if (sampleMonoMs < settledAt(state, series, target)) return "settling";
  row.lastSampleMonoMs = sampleMonoMs;
  const { value, support } = sample;
  showSample(state.predictors, series, { timeS: sampleMonoMs / 1000, value, support });
  return "taken";
}

function settledAt(state: LoopState, series: Series, target: TargetState): number {
  return target.settledMonoMs + (series.signal.windowed ? state.settings.rateWindowMs : 0);
}

function decideAll(
  state: LoopState,
  observations: readonly Observation[],
  now: Instant,
  complaints: Complaints,
): Decision[] {
  const situations = new Map<string, TargetSituation>();
  for (const target of state.settings.targets) situations.set(target.name, situationOf(state, target, now));
  return state.plan.map((series) => {
    const observation = observations[series.index] as Observation;
    const row = state.rows[series.index] as SeriesRow;
    const situation = situations.get(series.target.name) as TargetSituation;
    let taken: "taken" | "same" | "settling" | "none" = "none";
    if (observation.status === "ok")
      taken = take(state, series, {
        value: observation.value,
        support: observation.support,
        ageMs: now.wallMs - observation.timestampMs,
        now,
      });
    const target = state.targets.get(series.target.name) as TargetState;
    const { verdicts, memory } = hear({
      w: state.predictors,
      series,
      settings: state.settings,
      memory: row.memory,
      nowS: now.monoMs / 1000,
      known: taken === "taken" || taken === "same",
      fresh: taken === "taken",
      complaints,
    });
    row.memory = memory;
    return decideSeries({
      series,
      observation,
      verdicts,
      inRisk: memory.linear.inRisk || memory.trend.inRisk,
      situation,
      settlingLeftMs: taken === "settling" ? Math.max(1, settledAt(state, series, target) - now.monoMs) : 0,
      now,
    });
  });
}

/** Saves what changed. A failure is told and tried again next tick: it is no reason to stop watching. */
function save(ports: LoopPorts, state: LoopState): void {
  const { rows, states } = changedRows(state);
  trySaving(ports, () => {
    if (rows.length > 0) ports.store.saveSeries(states);
    for (const row of rows) row.saved = row.memory.linear;
    saveBrakes(state.brakes, ports);
    saveHealing(state.healing, ports);
  });
}

function trySaving(ports: LoopPorts, work: () => void): void {
  try {
    work();
  } catch (error) {
    const detail = errorMessage(error);
    ports.reporter.notice("journal unavailable", { error: detail });
  }
}

function summarize(input: {
  state: LoopState;
  began: Instant;
  decisions: readonly Decision[];
  observations: readonly Observation[];
  actions: readonly ActionRecord[];
  playbooks: readonly PlaybookDecision[];
  verified: readonly Verified[];
  ports: LoopPorts;
}): Omit<TickReport, "sources" | "scores"> {
  const { state, began, decisions, actions } = input;
  const end = input.ports.clock.now();
  const sinceByTarget = new Map<string, number>();
  for (const [name, t] of state.targets) {
    const on = state.configured.get(name);
    const imagined = on !== undefined && isShadow(on, state.settings) ? t.lastShadowMonoMs : undefined;
    const last = Math.max(
      t.lastActionMonoMs ?? Number.NEGATIVE_INFINITY,
      imagined ?? Number.NEGATIVE_INFINITY,
    );
    if (last !== Number.NEGATIVE_INFINITY) sinceByTarget.set(name, (end.monoMs - last) / 1000);
  }
  const acted = actions.some(
    (a) =>
      a.intent.trigger !== "undo" && (a.outcome?.status === "applied" || a.outcome?.status === "partial"),
  );
  return {
    at: began,
    mode: state.settings.autoHeal ? "auto" : "shadow",
    decisions,
    observations: input.observations,
    actions,
    playbooks: input.playbooks,
    guards: reportGuards({ ...input, now: end }),
    verified: input.verified,
    breachAny: decisions.some((d) =>
      d.verdicts.some((v) => v.forecast !== undefined && v.forecast.value > d.slo),
    ),
    actionTaken: acted ? "mitigation" : "none",
    sinceLastMitigationS: sinceByTarget.size === 0 ? undefined : Math.min(...sinceByTarget.values()),
    sinceByTarget,
    durationMs: end.monoMs - began.monoMs,
  };
}
