import { settingsOf } from "../cycle/cycle.testkit.ts";
import { type LoopState, makeState } from "../cycle/state.ts";
import type { Instant } from "../kernel/time.ts";
import type { Attempt, Escalation } from "../kernel/verification.ts";
import { UNCONFIGURED } from "./defaults.testkit.ts";
import type { ActionMark, Facts, GuardState, Party, Question, TargetMemory } from "./guard.ts";
import type { GuardSettings } from "./index.ts";
import { freshGuards, NOBODY } from "./index.ts";

/** A machine with two clocks, of which the wall one may be set and the monotonic one starts anew at a reboot. */
export interface Machine {
  readonly bootId: string;
  /** Time that has really passed, milliseconds. */
  readonly trueMs: number;
  now(): Instant;
  wait(ms: number): void;
  setWall(byMs: number): void;
  /** @param uptimeMs what the monotonic clock shows afterwards: another machine's may have run for long. */
  reboot(downMs: number, uptimeMs?: number): void;
}

const START_MS = 1_760_000_000_000;

export function machine(): Machine {
  let trueMs = 0;
  let wallOffset = START_MS;
  let bootedAt = -1_000_000;
  let boots = 1;
  return {
    get bootId() {
      return `boot-${boots}`;
    },
    get trueMs() {
      return trueMs;
    },
    now: () => ({ wallMs: trueMs + wallOffset, monoMs: trueMs - bootedAt }),
    wait(ms) {
      trueMs += ms;
    },
    setWall(byMs) {
      wallOffset += byMs;
    },
    reboot(downMs, uptimeMs = 1000) {
      trueMs += downMs;
      bootedAt = trueMs - uptimeMs;
      boots += 1;
    },
  };
}

/** What the store would hand back. */
export function stored<T>(state: T): T {
  return JSON.parse(JSON.stringify(state)) as T;
}

const MINUTE = 60_000;

/** The defaults, without anything of the calendar. */
export function guardSettings(over: Partial<GuardSettings> = {}): GuardSettings {
  return {
    ...UNCONFIGURED,
    targetCap: { actions: 4, windowMs: 60 * MINUTE },
    fleetCap: { actions: 10, windowMs: 10 * MINUTE },
    storm: { share: 0.3, minTargets: 3, windowMs: 5 * MINUTE, exitShare: undefined, calmMs: 5 * MINUTE },
    startup: { starts: 3, windowMs: 10 * MINUTE, quietMs: 5 * MINUTE },
    completeness: { targetShare: 0.5, fleetShare: 0.5, minSeries: 8, memoryMs: 15 * MINUTE },
    backoff: { factor: 2, maxMs: 60 * MINUTE },
    maintenance: [],
    silences: [],
    ...over,
  };
}

export function partyOf(name: string, over: Partial<Party> = {}): Party {
  return { name, cooldownMs: 5 * MINUTE, ...over };
}

/** The first step of a run by which `target` heals itself, unless more is said. */
export function questionOf(target = "product-api", over: Partial<Question> = {}): Question {
  const party = partyOf(target);
  return {
    asker: party,
    callees: [party],
    signal: "p95_latency",
    action: "mitigate",
    cause: "trend",
    shadow: false,
    run: "r-1",
    continues: false,
    waiting: NOBODY,
    ...over,
  };
}

/** Nothing was ever done to it. */
export const UNTOUCHED: TargetMemory = {
  lastActionMonoMs: undefined,
  lastShadowMonoMs: undefined,
  unresolved: false,
};

export function factsOf(now: Instant, over: Partial<Facts> = {}): Facts {
  return {
    state: freshGuards("boot-1"),
    settings: guardSettings(),
    past: () => undefined,
    memory: () => UNTOUCHED,
    now,
    ...over,
  };
}

let marks = 0;

/** A run by which `target` healed itself, of an id of its own. */
export function markOf(target: string, over: Partial<ActionMark> = {}): ActionMark {
  marks += 1;
  return { run: `mark-${marks}`, asker: target, targets: [target], monoMs: 0, shadow: false, ...over };
}

/** The state of a loop of which only the guards matter: `admit` asks it, and takes the places in the budgets. */
export function loopOf(guards: GuardState, settings: GuardSettings = guardSettings()): LoopState {
  const state = makeState(settingsOf({ guards: settings }));
  state.admit.guards = guards;
  return state;
}

export function attemptOf(over: Partial<Attempt> = {}): Attempt {
  return {
    intentId: "i-1",
    target: "product-api",
    signal: "p95_latency",
    action: "mitigate",
    at: { wallMs: START_MS, monoMs: 1_000_000 },
    outcome: "ineffective",
    detail: "900 before, 910 after, SLO 300",
    before: 900,
    after: 910,
    slo: 300,
    ...over,
  };
}

export function escalationOf(over: Partial<Escalation> = {}): Escalation {
  return {
    target: "product-api",
    signal: "p95_latency",
    cause: "ineffective",
    since: { wallMs: START_MS, monoMs: 1_000_000 },
    attempts: [attemptOf()],
    ...over,
  };
}
