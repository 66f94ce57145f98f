import type { AlertChange } from "../alerts/index.ts";
import type { AlertState } from "../kernel/containment.ts";
import type { Decision } from "../kernel/decision.ts";
import type { MetricSource, Observation } from "../kernel/observation.ts";
import { errorMessage } from "../kernel/text.ts";
import type { Clock, Instant } from "../kernel/time.ts";
import type { PlaybookDecision } from "../playbooks/decide.ts";
import {
  advanceAdmission,
  changeGuards,
  JOURNAL_READ,
  reportGuards,
  resumeAdmission,
  saveAdmission,
} from "./admit.ts";
import { type Controls, createControls } from "./controls.ts";
import { decide } from "./decide.ts";
import type { ActContext } from "./execute/call.ts";
import { reconcile } from "./execute/reconcile.ts";
import { expireUnstartedRuns } from "./execute/run.ts";
import { openIntents, replaceRun, resumeActions, targetMemory } from "./execute/state.ts";
import { execute } from "./execute.ts";
import { forecast, resumeForecasts, saveForecasts, warmUp } from "./forecast.ts";
import { observe } from "./observe.ts";
import { readParts } from "./parts.ts";
import { scoresOf } from "./predictors.ts";
import { advanceRuns, ingestAlerts, propose, resumeProposals } from "./propose.ts";
import { type ActionState, isShadow, type LoopState, makeState, type ProposeState } from "./state.ts";
import type { ActionRecord, LoopPorts, LoopSettings, TickReport, Verified } from "./types.ts";
import { notifyPeople, restoreVerification, saveVerification, verify } from "./verify.ts";
import { GRACE_MS } from "./within.ts";

/** The control loop. A tick is a plain method: whoever calls it owns the timer. Ticks must not overlap. */
export interface Loop {
  /** Once, before the first tick: takes over saved state, reconciles open intents, warms up from history. */
  start(): Promise<void>;
  tick(): Promise<TickReport>;
  /** Takes in alerts; what changed is on disk when this returns, and is acted on from the next cycle on. @throws StoreError */
  ingestAlerts(alerts: readonly AlertState[]): readonly AlertChange[];
  /** What people may say to it while it runs. */
  readonly controls: Controls;
  /** What is known of alerts and runs now. */
  readonly containment: Pick<ProposeState, "inbox"> & Pick<ActionState, "runs">;
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
      return { inbox: state.propose.inbox, runs: state.actions.runs };
    },
    controls,
    ingestAlerts: (alerts) => ingestAlerts(state, ports, alerts),
    reconfigure(next, nextSources) {
      state = makeState(next, state);
      // A maintenance window is in force at once, and outlasts a clock that is set back before the next cycle.
      changeGuards(state, (guards) => guards, ports.clock.now());
      sources = nextSources ?? sources;
    },
    stopActing() {
      stopping = true;
    },
    async start() {
      resume(state, ports);
      for (const intent of openIntents(state)) await reconcile(intent, context());
      await warmUp(ports, sources, state);
    },
    async tick() {
      const began = ports.clock.now();
      for (const intent of openIntents(state)) if (!stopping) await reconcile(intent, context());
      const ctx = context();
      const seen = await observeAll(ctx.state, ports, sources);
      const acted = await runStages(ctx, seen.observations, seen.at);
      save(ports, ctx.state);
      const report = summarize({
        ...{ state: ctx.state, began, observations: seen.observations, clock: ports.clock },
        ...acted,
      });
      const full = {
        ...report,
        sources: seen.sources,
        scores: () => scoresOf(ctx.state.forecast.predictors),
      };
      ports.reporter.cycle(full);
      return full;
    },
  };
}

/** Takes over what earlier lives left on disk. */
function resume(state: LoopState, ports: LoopPorts): void {
  const persisted = ports.store.load();
  const { quarantined } = persisted;
  if (quarantined !== undefined)
    ports.reporter.notice("state quarantined, full cooldown assumed", { detail: quarantined });
  const at = { now: ports.clock.now(), bootId: ports.clock.bootId };
  resumeProposals(state, persisted);
  resumeForecasts(state, persisted.series, resumeActions(state, persisted, at));
  resumeAdmission(state, { persisted, journal: ports.store.recent(JOURNAL_READ) }, at);
  const forgotten = restoreVerification(state, persisted, at);
  if (forgotten !== undefined) ports.reporter.notice("verifications forgotten", { detail: forgotten });
  trySaving(ports, () => saveAdmission(state, ports));
}

/** Stage 1, for series and for the parts of targets. */
async function observeAll(state: LoopState, ports: LoopPorts, sources: readonly MetricSource[]) {
  const { observeDeadlineMs } = state.settings;
  const asked = {
    sources,
    now: ports.clock.now(),
    deadline: ports.deadline(observeDeadlineMs),
    giveUp: ports.deadline(observeDeadlineMs + GRACE_MS),
  };
  const [seen] = await Promise.all([
    observe({ ...asked, plan: state.plan, clock: ports.clock }),
    readParts({ ...asked, state }),
  ]);
  return seen;
}

/** From what was observed to what was done: every stage once, in order. `admit` is asked by `execute`, step by step. */
async function runStages(ctx: ActContext, observations: readonly Observation[], now: Instant) {
  const { state, ports } = ctx;
  const at = { now, bootId: ports.clock.bootId };
  const forecasts = forecast(state, observations, now);
  const decisions = decide(state, { observations, forecasts }, now);
  const verified = verify(state, ports, { decisions, observations }, now);
  advanceAdmission(state, decisions, now);
  expireUnstartedRuns(state, ctx);
  for (const run of advanceRuns(state, at)) replaceRun(state, run);
  const proposed = propose(state, decisions, at);
  const [executed] = await Promise.all([
    execute({ ctx, decisions, observations, ...proposed, now }),
    notifyPeople(state, ports),
  ]);
  return { ...executed, verified: [...verified, ...executed.verified] };
}

/** Saves what changed. A failure is reported and tried again next tick: it is no reason to stop watching. */
function save(ports: LoopPorts, state: LoopState): void {
  trySaving(ports, () => {
    saveForecasts(state, ports);
    saveAdmission(state, ports);
    saveVerification(state, ports);
  });
}

function trySaving(ports: LoopPorts, work: () => void): void {
  try {
    work();
  } catch (error) {
    ports.reporter.notice("journal unavailable", { error: errorMessage(error) });
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
  clock: Clock;
}): Omit<TickReport, "sources" | "scores"> {
  const { state, began, decisions, actions } = input;
  const end = input.clock.now();
  const sinceByTarget = new Map<string, number>();
  for (const on of state.settings.targets) {
    const t = targetMemory(state, on.name);
    const imagined = isShadow(state.settings, [on]) ? t.lastShadowMonoMs : undefined;
    const last = Math.max(
      t.lastActionMonoMs ?? Number.NEGATIVE_INFINITY,
      imagined ?? Number.NEGATIVE_INFINITY,
    );
    if (last !== Number.NEGATIVE_INFINITY) sinceByTarget.set(on.name, (end.monoMs - last) / 1000);
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
