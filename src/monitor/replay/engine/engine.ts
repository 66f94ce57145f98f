import { createLoop } from "../../cycle/tick.ts";
import type { LoopSettings, Reporter } from "../../cycle/types.ts";
import type { Action } from "../../kernel/action.ts";
import type { Cause, Decision } from "../../kernel/decision.ts";
import type { Store } from "../../kernel/store.ts";
import type { Target } from "../../kernel/target.ts";
import type { Clock } from "../../kernel/time.ts";
import type { History, SeriesHistory } from "../input/history.ts";
import { REPLAYED } from "../targets.ts";
import { tickTimes } from "./schedule.ts";
import { createHistorySource } from "./source.ts";

/** An action that would have been taken. */
export interface ReplayedAction {
  readonly target: string;
  readonly signal: string;
  /** When it was decided, milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly reason: Cause;
  readonly predictor: string;
  /** In the signal's unit; undefined when the rule that spoke makes no forecast. */
  readonly forecast: number | undefined;
  readonly probability: number;
}

/** `all`: one loop over all targets, as the monitor runs; `per-target`: each target as if it were alone. */
export type GuardScope = "all" | "per-target";

/** Told while a replay runs. */
export interface Progress {
  readonly ticksDone: number;
  readonly ticks: number;
}

interface ReplayPorts {
  /** A store in memory, new at each call. */
  readonly openStore: (clock: Clock) => Store;
  /** The settings that the monitor would run these targets with. */
  readonly settingsFor: (targets: readonly Target[]) => LoopSettings;
  /** Called every so often: the place to show progress, to let others run, and to stop (by throwing). */
  readonly breathe?: (progress: Progress) => Promise<void>;
  /** Told every decision, for plots. */
  readonly onDecision?: (decision: Decision, atMs: number) => void;
}

export interface ReplayInput {
  readonly history: History;
  /** The targets of the history, each with exactly the signals that are in it. */
  readonly targets: readonly Target[];
  readonly guards: GuardScope;
  readonly maxSampleAgeMs: number;
  readonly ports: ReplayPorts;
}

/** Cycles that a silence of all series is ticked through. */
const SILENT_CYCLES = 10;

/** Stretches of time further apart than this beyond every cooldown share nothing, milliseconds. */
const APART_MS = 30 * 60_000;

/** Work between two breaths, decisions. */
const BREATH = 20_000;

/** How long a silence is followed, milliseconds: until every sample is stale, and some cycles more. */
export function silenceMs(cycleMs: number, maxSampleAgeMs: number): number {
  return Math.max(SILENT_CYCLES * cycleMs, maxSampleAgeMs + 2 * cycleMs);
}

/**
 * Runs the monitor's own loop over the past, time being an argument, and collects the actions that it would have
 * taken, in order of time. Every action counts as applied at once. Same input, same answer.
 */
export async function replay(given: ReplayInput): Promise<ReplayedAction[]> {
  const { settingsFor } = given.ports;
  const input =
    given.guards === "all"
      ? given
      : {
          ...given,
          ports: { ...given.ports, settingsFor: (some: readonly Target[]) => alone(settingsFor(some)) },
        };
  const units = input.guards === "all" ? wholeFleet(input) : targetByTarget(input);
  const done = { ticks: 0, sinceBreath: 0, total: units.reduce((n, u) => n + u.ticks.length, 0) };
  const actions: ReplayedAction[] = [];
  for (const unit of units) await runUnit(unit, input, actions, done);
  return actions.sort(
    (a, b) => a.atMs - b.atMs || compare(a.target, b.target) || compare(a.signal, b.signal),
  );
}

/** Settings under which no guard looks beyond a target: those that count over the fleet never have enough to count. */
function alone(settings: LoopSettings): LoopSettings {
  const { fleetCap, storm, completeness } = settings.guards;
  const never = Number.MAX_SAFE_INTEGER;
  return {
    ...settings,
    guards: {
      ...settings.guards,
      fleetCap: { ...fleetCap, actions: never },
      storm: { ...storm, minTargets: never },
      completeness: { ...completeness, minSeries: never },
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Targets that share a loop. */
interface Unit {
  readonly members: readonly Member[];
  readonly ticks: Float64Array;
}

interface Member {
  readonly target: Target;
  readonly series: readonly SeriesHistory[];
  /** From its first sample on it is watched, until nothing of it can matter any more. */
  readonly fromMs: number;
  readonly untilMs: number;
}

function membersOf(input: ReplayInput): Member[] {
  const byTarget = Map.groupBy(input.history.series, (s) => s.target);
  return input.targets.map((target) => {
    const names = new Set(target.signals.map((s) => s.name));
    const series = (byTarget.get(target.name) ?? []).filter((s) => s.count > 0 && names.has(s.signal));
    const { cycleMs } = input.ports.settingsFor([target]);
    return {
      target,
      series,
      fromMs: Math.min(...series.map((s) => s.timesMs[0] as number)),
      untilMs:
        Math.max(...series.map((s) => s.timesMs[s.count - 1] as number)) +
        Math.max(target.cooldownMs, silenceMs(cycleMs, input.maxSampleAgeMs)),
    };
  });
}

function unitOf(members: readonly Member[], input: ReplayInput): Unit {
  const { cycleMs } = input.ports.settingsFor(members.map((m) => m.target));
  const silence = silenceMs(cycleMs, input.maxSampleAgeMs);
  const ticks = tickTimes(
    members.flatMap((m) => m.series),
    { cycleMs, silenceMs: silence },
  );
  return { members, ticks };
}

/**
 * One unit over the whole fleet; a new one begins where nothing was watched for so long that nothing before can matter:
 * files of unrelated series lie far apart in time, and a loop remembers every target it has ever had.
 */
function wholeFleet(input: ReplayInput): Unit[] {
  const stretches: Member[][] = [];
  let untilMs = Number.NEGATIVE_INFINITY;
  for (const member of membersOf(input).toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (member.fromMs > untilMs + APART_MS) stretches.push([]);
    stretches.at(-1)?.push(member);
    untilMs = Math.max(untilMs, member.untilMs);
  }
  return stretches.map((members) => unitOf(members, input));
}

/**
 * A unit for each target. Those that tick at the very same times share a loop: without guards across the fleet a loop
 * keeps its targets apart, and one loop over many is much cheaper than many loops.
 */
function targetByTarget(input: ReplayInput): Unit[] {
  const alike = new Map<string, Unit[]>();
  for (const member of membersOf(input)) {
    const unit = unitOf([member], input);
    const { ticks } = unit;
    const key = `${ticks.length} ${ticks[0]} ${ticks.at(-1)}`;
    const known = alike.get(key) ?? [];
    const same = known.findIndex((u) => sameTimes(u.ticks, ticks));
    const shared = known[same];
    if (shared === undefined) known.push(unit);
    else known[same] = { members: [...shared.members, member], ticks: shared.ticks };
    alike.set(key, known);
  }
  return [...alike.values()].flat();
}

function sameTimes(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((t, i) => t === b[i]);
}

/** One loop from the first tick to the last, watching each target while it has something to say. */
async function runUnit(
  unit: Unit,
  input: ReplayInput,
  actions: ReplayedAction[],
  done: { ticks: number; sinceBreath: number; total: number },
): Promise<void> {
  const { ports } = input;
  const start = unit.ticks[0];
  if (start === undefined) return;
  const roster = createRoster(unit.members);
  roster.update(start);
  let nowMs = start;
  const clock: Clock = { bootId: "replay", now: () => ({ wallMs: nowMs, monoMs: nowMs - start }) };
  const never = new AbortController().signal;
  let issued = 0;
  const store = ports.openStore(clock);
  const loop = createLoop(
    {
      clock,
      sources: [
        createHistorySource({
          series: unit.members.flatMap((m) => m.series),
          maxSampleAgeMs: input.maxSampleAgeMs,
        }),
      ],
      store,
      actions: new Map([[APPLY.kind, APPLY]]),
      reporter: collector(actions, ports.onDecision),
      newId: () => `replay-${++issued}`,
      deadline: () => never,
    },
    ports.settingsFor(roster.watched()),
  );
  try {
    await loop.start();
    for (const tick of unit.ticks) {
      nowMs = tick;
      if (roster.update(tick)) loop.reconfigure(ports.settingsFor(roster.watched()));
      const report = await loop.tick();
      done.ticks += 1;
      done.sinceBreath += report.decisions.length + 1;
      if (done.sinceBreath >= BREATH && ports.breathe !== undefined) {
        done.sinceBreath = 0;
        await ports.breathe({ ticksDone: done.ticks, ticks: done.total });
      }
    }
  } finally {
    store.close();
  }
}

/** Who is watched at a time. */
interface Roster {
  /** @returns whether who is watched has changed. */
  update(nowMs: number): boolean;
  watched(): readonly Target[];
}

/** Leaving is put off until half of those watched are over, so that the plan is remade rarely and stays short. */
function createRoster(members: readonly Member[]): Roster {
  const coming = members.toSorted((a, b) => a.fromMs - b.fromMs);
  let next = 0;
  let watched: Member[] = [];
  let earliestEnd = Number.POSITIVE_INFINITY;
  return {
    update(nowMs) {
      let changed = false;
      for (let m = coming[next]; m !== undefined && m.fromMs <= nowMs; m = coming[++next]) {
        watched.push(m);
        earliestEnd = Math.min(earliestEnd, m.untilMs);
        changed = true;
      }
      if (nowMs <= earliestEnd) return changed;
      const staying = watched.filter((m) => m.untilMs >= nowMs);
      if (2 * staying.length > watched.length) return changed;
      watched = staying;
      earliestEnd = Math.min(...watched.map((m) => m.untilMs));
      return true;
    },
    watched: () => watched.map((m) => m.target),
  };
}

/** The past cannot be acted on: every call is applied at once. */
const APPLY: Action = {
  kind: REPLAYED,
  execute: async (_, instance) => ({ ...APPLIED, instance: instance.name }),
  reconcile: async (_, instance) => ({ ...APPLIED, instance: instance.name }),
};

const APPLIED = {
  status: "applied",
  httpStatus: undefined,
  detail: "",
  durationMs: 0,
  answer: undefined,
} as const;

function collector(actions: ReplayedAction[], onDecision: ReplayPorts["onDecision"]): Reporter {
  return {
    cycle(report) {
      if (onDecision !== undefined) for (const d of report.decisions) onDecision(d, report.at.wallMs);
    },
    action({ decision, intent }) {
      if (decision === undefined) return;
      const verdict = decision.verdicts.find((v) => v.predictor === decision.predictor);
      actions.push({
        target: decision.target,
        signal: decision.signal,
        atMs: intent.at.wallMs,
        reason: intent.trigger,
        predictor: decision.predictor,
        forecast: verdict?.forecast?.value,
        probability: verdict?.probability ?? 0,
      });
    },
    reconciled() {},
    notice(event, fields) {
      // A loop that cannot write down its intents takes no action: the answer would be wrong without a word.
      if (event === "journal unavailable") throw new Error(`${event}: ${JSON.stringify(fields)}`);
    },
  };
}
