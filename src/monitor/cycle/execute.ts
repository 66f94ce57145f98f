import { targetCooldownMs } from "../guards/cooldown/index.ts";
import type { Question } from "../guards/guard.ts";
import { GUARDS, NOBODY } from "../guards/index.ts";
import { fleetCap, lastActionMonoMs } from "../guards/rate-cap/index.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import type { Decision } from "../kernel/decision.ts";
import type { Observation } from "../kernel/observation.ts";
import type { Instant } from "../kernel/time.ts";
import type { PlaybookDecision } from "../playbooks/decide.ts";
import { planKey } from "../playbooks/playbook.ts";
import { chooseRegion } from "../playbooks/regions/index.ts";
import type { Run } from "../playbooks/run.ts";
import { ask } from "./admit.ts";
import type { ActContext } from "./execute/call.ts";
import type { Carrying } from "./execute/records.ts";
import { begin, carry } from "./execute/run.ts";
import { saveRuns, targetMemory } from "./execute/state.ts";
import type { Proposal } from "./propose.ts";
import type { LoopState } from "./state.ts";
import type { ActionRecord, Verified } from "./types.ts";
import { concludeFor } from "./verify.ts";

/** What one cycle did, and how each decision came out. */
export interface Executed {
  readonly decisions: readonly Decision[];
  readonly playbooks: readonly PlaybookDecision[];
  readonly actions: readonly ActionRecord[];
  readonly verified: readonly Verified[];
}

/** Why a proposal did not begin; undefined: it did. */
type Fate = Pick<Decision, "reason" | "detail" | "because"> & {
  readonly untilMs?: number | undefined;
  readonly target?: string | undefined;
};

/**
 * Stage 6: runs of earlier cycles are carried on, then every proposal is tried, and begun where the guards let it through.
 * At most one action a target: of one asker the most urgent proposal that no guard blocks.
 */
export async function execute(input: {
  readonly ctx: ActContext;
  readonly decisions: readonly Decision[];
  readonly observations: readonly Observation[];
  readonly proposals: readonly Proposal[];
  readonly held: readonly PlaybookDecision[];
  readonly unanswered: ReadonlySet<Decision>;
  readonly now: Instant;
}): Promise<Executed> {
  const { ctx, proposals } = input;
  const { state, ports } = ctx;
  const actions: ActionRecord[] = [];
  const verified: Verified[] = [];
  const common = {
    ctx,
    value: (target: string, signal: string) => newestValue(state, input.observations, target, signal),
    record(made: ActionRecord) {
      actions.push(made);
      ports.reporter.action(made);
    },
  };
  const work = runsUnderWay(state).map((run) => carry({ ...common, run, begun: false }));
  // What goes on after that; where an outcome is not known, the guard of that is the reason.
  const claimed = new Set(
    runsUnderWay(state)
      .flatMap((run) => [run.asker, ...run.steps.map(({ on }) => on.name)])
      .filter((name) => !targetMemory(state, name).unresolved),
  );
  const fates = new Map<Proposal, Fate | undefined>();
  const served = new Set<string>();
  const queue = new Queue(state, proposals);
  for (let proposal = queue.take(); proposal !== undefined; proposal = queue.take()) {
    const fate = covered(proposal, claimed, served) ?? tryOne(proposal);
    fates.set(proposal, fate);
    if (fate !== undefined) {
      if (fate.reason === fleetCap.kind) queue.keep(proposal);
      queue.next(proposal.asker.name);
      continue;
    }
    for (const { on } of proposal.plan.steps) claimed.add(on.name);
    claimed.add(proposal.asker.name);
    if (proposal.decision !== undefined) served.add(proposal.asker.name);
    for (const other of queue.drop(proposal.asker.name)) fates.set(other, covered(other, claimed, served));
  }
  await Promise.all(work);
  saveRuns(state, ports);
  return { ...conclude(input, fates), actions, verified };

  function tryOne(proposal: Proposal): Fate | undefined {
    const parties = [...new Set([proposal.asker.name, ...proposal.plan.steps.map(({ on }) => on.name)])];
    if (parties.every((name) => free(state, name, proposal, input.now)))
      verified.push(
        ...concludeFor(
          state,
          ports,
          { targets: parties, plan: planKey(proposal.plan, proposal.asker.name) },
          input.now,
        ),
      );
    const run = runOf(proposal, ctx);
    const { decision } = proposal;
    const carrying: Carrying = {
      ...common,
      run,
      begun: true,
      ...(decision === undefined ? {} : { decision }),
    };
    const began = begin(carrying, queue.waiting(ctx, input.now));
    if (!("guard" in began)) {
      work.push(began.rest);
      return undefined;
    }
    const because = GUARDS.find(({ kind }) => kind === began.guard)?.docs.summary;
    return {
      reason: began.guard,
      detail: began.detail,
      ...(because === undefined ? {} : { because }),
      ...("untilMs" in began ? { untilMs: began.untilMs } : {}),
      ...("target" in began ? { target: began.target } : {}),
    };
  }
}

function runsUnderWay({ actions }: LoopState): Run[] {
  return [...actions.runs.values()].filter((r) => r.status === "running" || r.status === "undoing");
}

/** Whether the guards of what is under way let a target be acted on: then what is still watched of it is judged first. */
function free(state: LoopState, name: string, proposal: Proposal, now: Instant): boolean {
  const party = partiesOf(proposal).find((p) => p.name === name) as ActionTarget;
  const memory = targetMemory(state, name);
  return !memory.unresolved && targetCooldownMs(party, memory, proposal.shadow, now) <= 0;
}

function partiesOf({ asker, plan }: Proposal): ActionTarget[] {
  const all = [asker, ...plan.steps.map(({ on }) => on)];
  return all.filter(({ name }, n) => all.findIndex((p) => p.name === name) === n);
}

/** Another action of this cycle covers it. */
function covered(
  proposal: Proposal,
  claimed: ReadonlySet<string>,
  served: ReadonlySet<string>,
): Fate | undefined {
  if (proposal.decision !== undefined && served.has(proposal.asker.name))
    return { reason: "covered_by_other_signal", detail: undefined };
  const taken = partiesOf(proposal)
    .reverse()
    .find(({ name }) => claimed.has(name));
  if (taken === undefined) return undefined;
  const detail = "another playbook acts on it in this cycle";
  return { reason: "covered_by_playbook", detail, target: taken.name };
}

/** Proposals in their turn: of each asker the most urgent first, the next one when that is blocked. */
class Queue {
  readonly #state: LoopState;
  /** Of each asker what is not tried yet. */
  readonly #left: Map<string, Proposal[]>;
  #due: Proposal[];
  /** Tried, and held by the fleet's budget: they need more places than are left. */
  readonly #kept: Proposal[] = [];

  constructor(state: LoopState, proposals: readonly Proposal[]) {
    this.#state = state;
    this.#left = Map.groupBy(proposals, (p) => p.asker.name);
    for (const group of this.#left.values()) group.sort((a, b) => b.urgency - a.urgency || 0);
    this.#due = [...this.#left.values()].flatMap((group) => group.shift() ?? []).sort(this.#inTurn);
  }

  /** Playbooks before mitigations; playbooks whose targets were acted on longer ago first, mitigations by urgency. */
  readonly #inTurn = (a: Proposal, b: Proposal): number => {
    const named = Number(b.plan.name !== undefined) - Number(a.plan.name !== undefined);
    if (named !== 0) return named;
    if (a.plan.name === undefined) return b.urgency === a.urgency ? 0 : b.urgency - a.urgency;
    const [x, y] = [this.#lastMonoMs(a), this.#lastMonoMs(b)];
    return x === y ? 0 : x - y;
  };

  #lastMonoMs({ plan, shadow }: Proposal): number {
    const memory = (name: string) => targetMemory(this.#state, name);
    return Math.max(...plan.steps.map(({ on }) => lastActionMonoMs({ memory }, on.name, shadow)));
  }

  take(): Proposal | undefined {
    return this.#due.shift();
  }

  /** The next proposal of this asker is tried after those that are due. */
  next(asker: string): void {
    const next = this.#left.get(asker)?.shift();
    if (next !== undefined) this.#due = [...this.#due, next].sort(this.#inTurn);
  }

  /** The fleet's budget holds this one: it is still waiting for places. */
  keep(proposal: Proposal): void {
    this.#kept.push(proposal);
  }

  /** The rest of an asker's proposals: it is served. */
  drop(asker: string): readonly Proposal[] {
    const rest = this.#left.get(asker) ?? [];
    this.#left.delete(asker);
    return rest;
  }

  /** Who else wants to act and may, as soon as there is room, for the fleet's last places. */
  waiting(ctx: ActContext, now: Instant): Question["waiting"] {
    const due = [...this.#kept, ...this.#due];
    const targets = () =>
      due.flatMap((proposal) => {
        const { all } = ask(ctx, questionOf(proposal), now);
        const may = all.every(({ guard }) => guard === fleetCap.kind);
        return may ? proposal.plan.steps.map(({ on }) => on.name) : [];
      });
    return { most: due.reduce((n, { plan }) => n + plan.steps.length, 0), targets };
  }
}

function questionOf({ asker, plan, signal, cause, shadow }: Proposal): Question {
  return {
    ...{ asker, signal, cause, shadow, run: "", continues: false, waiting: NOBODY },
    callees: plan.steps.map(({ on }) => on),
    action: plan.steps[0]?.kind ?? "",
  };
}

/** A new run, every step still to be carried out. */
function runOf(proposal: Proposal, { ports, state }: ActContext): Run {
  const { plan, firing, request, baseline, forecast, threshold } = proposal;
  const verify = plan.verify ?? plan.forecast;
  return {
    id: ports.newId(),
    ...(plan.name === undefined ? {} : { playbook: plan.name }),
    asker: proposal.asker.name,
    mode: proposal.shadow ? "shadow" : "auto",
    cause: proposal.cause,
    target: proposal.target,
    signal: proposal.signal,
    predictor: proposal.predictor,
    ...(request === undefined ? {} : { by: request.by }),
    ...(forecast === undefined ? {} : { forecast }),
    ...(threshold === undefined ? {} : { threshold }),
    ...(baseline === undefined ? {} : { baseline }),
    episodes: firing.map(({ fingerprint, startsAtMs }) => ({ fingerprint, startsAtMs })),
    ...regionOf(plan.regionsOf, state, ports.clock.now()),
    undoOnResolved: plan.undoOnResolved,
    ...(verify === undefined ? {} : { verify }),
    startedAt: ports.clock.now(),
    bootId: ports.clock.bootId,
    status: "running",
    steps: plan.steps.map(({ kind, on, expiresMs, undo }) => ({
      ...{ kind, on, status: "pending", detail: "not carried out yet", undoAttempts: 0 },
      ...(expiresMs === undefined ? {} : { expiresMs }),
      ...(undo === undefined ? {} : { undo }),
    })),
  };
}

function regionOf(
  target: string | undefined,
  state: LoopState,
  now: Instant,
): Pick<Run, "region" | "regionWhy"> {
  if (target === undefined) return {};
  const history = state.regions.get(target);
  if (history === undefined) return { regionWhy: `the regions of ${target} are not known` };
  const choice = chooseRegion(history, now);
  return choice.region === undefined
    ? { regionWhy: choice.none }
    : { region: choice.region, regionWhy: choice.why };
}

function newestValue(
  state: LoopState,
  observations: readonly Observation[],
  target: string,
  signal: string,
): number | undefined {
  const index = state.plan.findIndex((s) => s.target.name === target && s.signal.name === signal);
  const seen = observations[index];
  return seen?.status === "ok" ? seen.value : undefined;
}

/** Every decision as it came out, written once. */
function conclude(
  input: {
    readonly decisions: readonly Decision[];
    readonly proposals: readonly Proposal[];
    readonly held: readonly PlaybookDecision[];
    readonly unanswered: ReadonlySet<Decision>;
    readonly ctx: ActContext;
  },
  fates: ReadonlyMap<Proposal, Fate | undefined>,
): Pick<Executed, "decisions" | "playbooks"> {
  const { proposals, held } = input;
  const order = input.ctx.state.settings.playbooks.map(({ name }) => name);
  const place = ({ playbook }: PlaybookDecision) =>
    order.includes(playbook) ? order.indexOf(playbook) : order.length;
  const said = [
    ...held,
    ...proposals.flatMap((p) => (p.said === undefined ? [] : [playbookFate(p.said, fates.get(p))])),
  ];
  const decisions = input.decisions.map((d) => {
    if (!d.act) return d;
    if (input.unanswered.has(d)) return { ...d, act: false, reason: "watched_only" as const };
    const proposal = proposals.find((p) => p.decision === d);
    const fate = proposal === undefined ? undefined : fates.get(proposal);
    if (proposal !== undefined && fate === undefined) return d;
    if (proposal?.said === undefined && fate !== undefined)
      return { ...d, act: false, ...decisionFate(fate) };
    const of = said.find((p) => p.forecast?.target === d.target && p.forecast.signal === d.signal);
    const { playbook, reason, detail, untilMs } = of as PlaybookDecision;
    const because = fate?.because === undefined ? {} : { because: fate.because };
    const until = untilMs === undefined ? {} : { untilMs };
    const text = reason === "covered_by_other_signal" ? undefined : `playbook ${playbook}: ${detail}`;
    return { ...d, act: false, reason, detail: text, ...because, ...until };
  });
  // Asked for by several signals of one target it is told of once: how it began, or why the first did not.
  const playbooks = [...Map.groupBy(said, ({ playbook }) => playbook).values()].map(
    (each) => each.find(({ act }) => act) ?? (each[0] as PlaybookDecision),
  );
  return { decisions, playbooks: playbooks.sort((a, b) => place(a) - place(b)) };
}

function decisionFate({ reason, detail, untilMs, because }: Fate) {
  return { reason, detail, untilMs, ...(because === undefined ? {} : { because }) };
}

function playbookFate(said: PlaybookDecision, fate: Fate | undefined): PlaybookDecision {
  if (fate === undefined) return said;
  const { reason, target, untilMs } = fate;
  const detail = fate.detail ?? "another signal of it is acted on";
  return {
    ...said,
    act: false,
    reason,
    detail: target === undefined ? detail : `${target}: ${detail}`,
    ...(target === undefined ? {} : { blockedBy: target }),
    ...(untilMs === undefined ? {} : { untilMs }),
  };
}
