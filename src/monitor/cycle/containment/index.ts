import { type AlertChange, hear, inboxDocuments } from "../../alerts/index.ts";
import type { ActionTarget, AlertState } from "../../kernel/containment.ts";
import type { Decision, Hold } from "../../kernel/decision.ts";
import type { Observation } from "../../kernel/observation.ts";
import { errorMessage } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { PlaybookDecision } from "../../playbooks/decide.ts";
import type { TargetSituation } from "../../rules/decide.ts";
import type { ActContext } from "../act.ts";
import type { Keeper } from "../guards/keeper.ts";
import type { LoopState } from "../state.ts";
import type { ActionRecord, LoopPorts } from "../types.ts";
import { carryRun } from "./carry-out.ts";
import { expireUnstartedRuns, hasNoIntent } from "./lapse.ts";
import { planContainment } from "./plan.ts";

export { readParts } from "./parts.ts";

/** Takes in what a webhook told. What changed is on disk when this returns. @throws StoreError */
export function hearAlerts(
  state: LoopState,
  ports: LoopPorts,
  alerts: readonly AlertState[],
): readonly AlertChange[] {
  const { containment } = state;
  const heard = hear(containment.inbox, alerts, { now: ports.clock.now(), bootId: ports.clock.bootId });
  ports.store.saveDocuments(inboxDocuments(heard));
  containment.inbox = heard.inbox;
  return heard.changes;
}

/** What containment does in one cycle. */
export interface Contained {
  readonly decisions: readonly PlaybookDecision[];
  /** The forecasts' decisions, changed where a playbook answers them or acts on the same target. */
  readonly forecasts: readonly Decision[];
  /** Targets that playbooks act on: nothing else may in this cycle. */
  readonly claimed: ReadonlySet<string>;
  /** Carries out what was planned, and says how it was decided after all: what cannot be written down is not done. Never throws. */
  readonly carry: (record: (record: ActionRecord) => void) => Promise<readonly PlaybookDecision[]>;
  /** Whether a playbook carries out what this decision asks for. */
  readonly answers: (decision: Decision) => boolean;
  /** A forecast's decision after what became of the playbook that answers it. */
  readonly answered: (decision: Decision, said: readonly PlaybookDecision[]) => Decision;
}

/**
 * Decides on every playbook, beside the decisions of the forecasts: a forecast that a playbook answers starts that
 * playbook in place of the plain mitigation, and nothing else acts on a target that a playbook acts on.
 * @param decisions of the forecasts, at most one a target acting.
 */
export function contain(input: {
  readonly decisions: readonly Decision[];
  readonly observations: readonly Observation[];
  readonly situationOf: (on: ActionTarget) => TargetSituation;
  readonly now: Instant;
  readonly keeper: Keeper;
  readonly ctx: ActContext;
}): Contained {
  const { ctx, now } = input;
  const { state, ports } = ctx;
  expireUnstartedRuns(ctx);
  const answering = new Map<Decision, string>();
  for (const decision of input.decisions) {
    const playbook = decision.act ? playbookFor(state, decision) : undefined;
    if (playbook !== undefined) answering.set(decision, playbook);
  }
  const plan = planContainment({
    state,
    asked: new Map([...answering].map(([decision, playbook]) => [playbook, decision])),
    situationOf: input.situationOf,
    now,
    bootId: ports.clock.bootId,
    newId: ports.newId,
    keeper: input.keeper,
  });
  const of = new Map(plan.decisions.map((d) => [d.playbook, d]));
  const answered = new Set<Decision>();
  const forecasts = input.decisions.map((decision) => {
    if (!decision.act) return decision;
    const playbook = answering.get(decision);
    const said = playbook === undefined ? undefined : of.get(playbook);
    if (said?.act === true) {
      answered.add(decision);
      return decision;
    }
    if (said !== undefined) return held(decision, said);
    if (!plan.claimed.has(decision.target)) return decision;
    return { ...decision, act: false, reason: "covered_by_playbook" as const };
  });
  const value = (target: string, signal: string) => {
    const index = state.plan.findIndex((s) => s.target.name === target && s.signal.name === signal);
    const seen = input.observations[index];
    return seen?.status === "ok" ? seen.value : undefined;
  };
  return {
    decisions: plan.decisions,
    forecasts,
    claimed: plan.claimed,
    answers: (decision) => answered.has(decision),
    carry: async (record) => {
      await Promise.all(plan.runs.map((run) => carryRun({ run, now, value, ctx, record })));
      saveLeft(state, ports);
      return plan.decisions.map((d) => carried(d, ctx));
    },
    answered: (decision, said) => {
      const by = answered.has(decision) ? answering.get(decision) : undefined;
      const now = said.find(({ playbook }) => playbook === by);
      return now === undefined || now.act ? decision : held(decision, now);
    },
  };
}

/** A run that the journal did not take has not begun. */
function carried(decision: PlaybookDecision, { ports, present }: ActContext): PlaybookDecision {
  const { state, stopping } = present();
  const run = state.containment.runs.get(decision.playbook);
  if (!decision.act || stopping || run === undefined || !hasNoIntent(run, ports)) return decision;
  return { ...decision, act: false, reason: "journal_unavailable", detail: "it cannot be written down" };
}

/** The playbook that answers a forecast of this series in place of the plain mitigation. */
export function playbookFor(state: LoopState, { target, signal }: Decision): string | undefined {
  return state.settings.playbooks.find(
    ({ forecast }) => forecast?.target === target && forecast.signal === signal,
  )?.name;
}

/** A forecast whose playbook is held back: for the playbook's reason, which is none of an alert where a forecast asks. */
function held(decision: Decision, said: PlaybookDecision): Decision {
  return {
    ...decision,
    act: false,
    reason: said.reason as Hold,
    detail: `playbook ${said.playbook}: ${said.detail}`,
    ...(said.untilMs === undefined ? {} : { untilMs: said.untilMs }),
  };
}

/** Runs that the disk did not take when they changed. */
function saveLeft(state: LoopState, ports: LoopPorts): void {
  const { unsaved, runs } = state.containment;
  if (unsaved.size === 0) return;
  const changed = [...unsaved].flatMap((playbook) => {
    const body = runs.get(playbook);
    return body === undefined || body.mode === "shadow"
      ? []
      : [{ kind: "run" as const, key: playbook, body }];
  });
  try {
    ports.store.saveDocuments(changed);
    unsaved.clear();
  } catch (error) {
    const detail = errorMessage(error);
    ports.reporter.notice("journal unavailable", { error: detail });
  }
}
