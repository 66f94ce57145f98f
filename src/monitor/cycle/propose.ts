import {
  type AlertChange,
  freshness,
  inboxDocuments,
  ingest,
  matches,
  restoreInbox,
} from "../alerts/index.ts";
import type { ActionTarget, AlertMatcher, AlertState, Playbook } from "../kernel/containment.ts";
import type { Cause, Decision, Trigger } from "../kernel/decision.ts";
import type { Persisted } from "../kernel/store.ts";
import type { Target } from "../kernel/target.ts";
import type { Instant } from "../kernel/time.ts";
import type { Before } from "../kernel/verification.ts";
import { decidePlaybook, type PlaybookDecision } from "../playbooks/decide.ts";
import { mitigationOf, type Plan, planKey } from "../playbooks/playbook.ts";
import { effectUntilMono, episodesOver, joined, type Run } from "../playbooks/run.ts";
import { urgency } from "../rules/decide.ts";
import { actionTargetOf, isShadow, type LoopState, type Request } from "./state.ts";
import type { LoopPorts } from "./types.ts";

/** Something that is asked for: who asks and why, and what would be called. Not admitted yet. */
export interface Proposal {
  readonly plan: Plan;
  /** Whose symptom it is. */
  readonly asker: ActionTarget;
  /** What the cause speaks of: a target, or the job of an alert. */
  readonly target: string;
  readonly signal: string;
  readonly cause: Cause;
  readonly predictor: string;
  readonly forecast?: number | undefined;
  readonly threshold?: number;
  /** What was known of the asker's series. */
  readonly baseline?: Before;
  /** The forecast that asks, as it was decided. */
  readonly decision?: Decision;
  readonly firing: readonly AlertState[];
  readonly request?: Request;
  readonly shadow: boolean;
  /** Of those of one asker the highest is tried first. */
  readonly urgency: number;
  /** How it is reported where it is a named playbook. */
  readonly said?: PlaybookDecision;
}

/** What the propose stage found. */
export interface Proposed {
  readonly proposals: readonly Proposal[];
  /** Playbooks that something asks for, and that do not start whatever the guards say. */
  readonly held: readonly PlaybookDecision[];
  /** Forecasts that would act, of targets that nothing is stated to heal. */
  readonly unanswered: ReadonlySet<Decision>;
}

/** Takes in what a webhook says. What changed is on disk when this returns. @throws StoreError */
export function ingestAlerts(
  state: LoopState,
  ports: LoopPorts,
  alerts: readonly AlertState[],
): readonly AlertChange[] {
  const at = { now: ports.clock.now(), bootId: ports.clock.bootId };
  const { playbooks } = state.settings;
  const isAnswered = (alert: AlertState) =>
    playbooks.some((playbook) => playbook.alert !== undefined && matches(playbook.alert, alert));
  const taken = ingest(state.propose.inbox, alerts, at, isAnswered);
  ports.store.saveDocuments(inboxDocuments(taken));
  state.propose.inbox = taken.inbox;
  return taken.changes;
}

/** A person's wish, for the next cycle. */
export function addRequest(state: LoopState, request: Request): void {
  state.propose.requests = [...state.propose.requests, request];
}

/** Takes over the alerts that earlier runs had ingested. */
export function resumeProposals(state: LoopState, { documents }: Persisted): void {
  state.propose.inbox = restoreInbox(documents).inbox;
}

/** Stage 4: everything that asks for an action now: forecasts, alerts, people. Releases go with the runs that they end. */
export function propose(state: LoopState, decisions: readonly Decision[], at: At): Proposed {
  const proposals: Proposal[] = [];
  const held: PlaybookDecision[] = [];
  const asked = new Map<string, Decision[]>();
  const unanswered = new Set<Decision>();
  const requests = takeRequests(state);
  for (const decision of decisions) {
    if (!decision.act) continue;
    const playbook = playbookFor(state, decision);
    const proposal = playbook === undefined ? mitigation(state, decision) : undefined;
    if (playbook !== undefined) asked.set(playbook, [...(asked.get(playbook) ?? []), decision]);
    else if (proposal !== undefined) proposals.push(proposal);
    else unanswered.add(decision);
  }
  for (const playbook of state.settings.playbooks) {
    const { firing, stale } = causes(state, playbook, at);
    const request = requests.find((r) => r.playbook === playbook.name);
    for (const decision of asked.get(playbook.name) ?? [undefined]) {
      const said = decidePlaybook({
        playbook,
        firing,
        stale,
        asked: decision,
        person: request?.by,
        run: state.actions.runs.get(playbook.name),
        now: at.now,
        bootId: at.bootId,
      });
      if (said === undefined) continue;
      if (!said.act) held.push(said);
      else proposals.push(answer(state, { playbook, firing, decision, request, said }));
    }
  }
  for (const request of requests) {
    const target = state.configured.get(request.target);
    const plan = target && mitigationOf(target);
    if (request.playbook !== undefined || target === undefined || plan === undefined) continue;
    const said: PlaybookDecision = {
      ...{ playbook: planKey({}, target.name), act: true, reason: "person", alerts: [] },
      detail: `${request.by} asks for it: ${request.reason}`,
    };
    proposals.push({
      ...{ plan, asker: target, target: target.name, firing: [], request, said },
      ...{ signal: "request", cause: "person", predictor: "person", urgency: Number.POSITIVE_INFINITY },
      shadow: isShadow(state.settings, [target]),
    });
  }
  const place = ({ decision }: Proposal) => (decision === undefined ? -1 : decisions.indexOf(decision));
  return { proposals: proposals.sort((a, b) => place(a) - place(b)), held, unanswered };
}

export interface At {
  readonly now: Instant;
  readonly bootId: string;
}

function takeRequests(state: LoopState): readonly Request[] {
  const { requests } = state.propose;
  if (requests.length > 0) state.propose.requests = [];
  return requests;
}

/** The playbook that answers a forecast of this series in place of a mitigation: its own, or that of its target. */
function playbookFor({ settings, configured }: LoopState, { target, signal }: Decision): string | undefined {
  const own = settings.playbooks.find((p) => p.forecast?.target === target && p.forecast.signal === signal);
  const stated = configured.get(target)?.mitigation;
  const named = stated !== undefined && "playbook" in stated ? stated.playbook : undefined;
  return (own ?? settings.playbooks.find(({ name }) => name === named))?.name;
}

function mitigation(state: LoopState, decision: Decision): Proposal | undefined {
  const asker = state.configured.get(decision.target) as Target;
  const plan = mitigationOf(asker, decision.signal);
  return (
    plan && {
      plan,
      ...evidenceOf(decision),
      ...{ asker, target: asker.name, firing: [], decision },
      shadow: isShadow(state.settings, [asker]),
      urgency: urgency(decision),
    }
  );
}

function answer(
  state: LoopState,
  given: {
    readonly playbook: Playbook;
    readonly firing: readonly AlertState[];
    readonly decision: Decision | undefined;
    readonly request: Request | undefined;
    readonly said: PlaybookDecision;
  },
): Proposal {
  const { playbook, firing, decision, request, said } = given;
  const on = playbook.steps.map((step) => step.on);
  const common = { plan: playbook, firing, said, ...(request === undefined ? {} : { request }) };
  if (decision !== undefined) {
    const asker = actionTargetOf(state, decision.target) as ActionTarget;
    const shadow = isShadow(state.settings, [asker, ...on]);
    const evidence = { ...evidenceOf(decision), target: asker.name, decision, urgency: urgency(decision) };
    // As the mitigation of its target a playbook answers every signal: the one that asks is the one to watch.
    const plan = { ...playbook, forecast: { target: asker.name, signal: decision.signal } };
    return { ...common, plan, ...evidence, asker, shadow };
  }
  const alert = firing[0];
  const job = alert?.labels.job;
  const known = state.settings.targets.find((t) => t.name === job || t.job === job);
  // A playbook that answers a target's forecasts is that target's, whomever a person names.
  const named = request && state.configured.get(playbook.forecast?.target ?? request.target);
  const asker = (alert === undefined ? named : known) ?? (on[0] as ActionTarget);
  return {
    ...common,
    asker,
    target: job ?? asker.name,
    signal: alert?.name ?? "request",
    cause: alert === undefined ? "person" : "alert",
    predictor: alert === undefined ? "person" : "alertmanager",
    shadow: isShadow(state.settings, [asker, ...on]),
    urgency: Number.POSITIVE_INFINITY,
  };
}

/** What a decision that acts stands on, as an intent carries it. A forecast that is not known is left out. @internal for its tests */
export function evidenceOf(decision: Decision): {
  signal: string;
  cause: Trigger;
  predictor: string;
  forecast: number | undefined;
  threshold: number;
  baseline: Before;
} {
  const { value, slopePerSecond } =
    decision.verdicts.find((v) => v.predictor === decision.predictor)?.forecast ?? {};
  return {
    signal: decision.signal,
    cause: decision.trigger as Trigger,
    predictor: decision.predictor,
    forecast: value,
    threshold: decision.reason === "pre_timeout" ? decision.limit : decision.slo,
    baseline: { value: decision.current, forecast: value, slopePerSecond },
  };
}

function causes(state: LoopState, playbook: Playbook, at: At): { firing: AlertState[]; stale: AlertState[] } {
  const firing: AlertState[] = [];
  const stale: AlertState[] = [];
  if (playbook.alert === undefined) return { firing, stale };
  const { alertStaleMs: staleMs } = state.settings;
  for (const alert of state.propose.inbox.values()) {
    if (alert.status !== "firing" || !matches(playbook.alert as AlertMatcher, alert)) continue;
    (freshness(alert, { ...at, staleMs }).status === "firing" ? firing : stale).push(alert);
  }
  return { firing, stale };
}

/** Runs as far as the alerts have moved them: joined by further ones, or to be taken back when all have ended. Only changed ones. */
export function advanceRuns(state: LoopState, at: At): Run[] {
  const { inbox } = state.propose;
  return [...state.actions.runs.values()].flatMap((run) => {
    if (run.status === "ended" || run.status === "undoing") return [];
    const live = run.status === "running" || effectUntilMono(run, at.now, at.bootId) !== undefined;
    const playbook = state.settings.playbooks.find((p) => p.name === run.playbook);
    let next = live && playbook !== undefined ? joined(run, causes(state, playbook, at).firing) : run;
    const undoes = next.undoOnResolved && next.mode === "auto";
    // Where nothing is to be taken back, one that is under way first comes to its own end.
    if (episodesOver(next, inbox) && (undoes || next.status !== "running"))
      next = { ...next, status: undoes ? "undoing" : "ended" };
    return next === run ? [] : [next];
  });
}
