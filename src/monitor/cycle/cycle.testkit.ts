import { UNCONFIGURED } from "../guards/defaults.testkit.ts";
import type { GuardSettings } from "../guards/index.ts";
import type { Action, InstanceOutcome, InstanceStatus, Intent, Outcome } from "../kernel/action.ts";
import type { HistorySample, MetricSource, Observation } from "../kernel/observation.ts";
import type { Signal } from "../kernel/signal.ts";
import type { Store } from "../kernel/store.ts";
import type { Series, Target } from "../kernel/target.ts";
import type { Clock } from "../kernel/time.ts";
import type { VerificationSettings } from "../kernel/verification.ts";
import type { SignalDefinition } from "../signals/define.ts";
import { memory } from "../signals/memory/index.ts";
import { createLoop, type Loop } from "./tick.ts";
import type { ActionRecord, LoopPorts, LoopSettings, Reporter, TickReport } from "./types.ts";

/** Two clocks that move only when told to, and deadlines that run on the monotonic one. */
export interface VirtualTime {
  readonly clock: Clock;
  readonly deadline: (ms: number) => AbortSignal;
  advance(ms: number): void;
  /** The wall clock alone is set forward or back. */
  jumpWall(ms: number): void;
}

export function virtualTime(bootId = "boot-1", monoMs = 1_000_000): VirtualTime {
  const now = { wallMs: 1_760_000_000_000, monoMs };
  let pending: { atMs: number; controller: AbortController }[] = [];
  return {
    clock: { bootId, now: () => ({ ...now }) },
    deadline(ms) {
      const controller = new AbortController();
      pending.push({ atMs: now.monoMs + ms, controller });
      return controller.signal;
    },
    advance(ms) {
      now.wallMs += ms;
      now.monoMs += ms;
      const due = pending.filter((p) => p.atMs <= now.monoMs);
      pending = pending.filter((p) => p.atMs > now.monoMs);
      for (const p of due) p.controller.abort();
    },
    jumpWall(ms) {
      now.wallMs += ms;
    },
  };
}

/** What a scripted source says of a series: a value sampled now, an observation word for word, or nothing. */
export type Said = number | Observation | undefined;

export function observed(said: Said, source: string, nowMs: number): Observation {
  if (typeof said === "number") return { status: "ok", source, value: said, timestampMs: nowMs };
  return said ?? { status: "missing", source, detail: "no such series" };
}

export function scriptedSource(
  say: (series: Series, nowMs: number) => Said,
  options: { name?: string; history?: (series: Series) => readonly HistorySample[] } = {},
): MetricSource {
  const { name = "scripted", history } = options;
  return {
    name,
    observe: async ({ plan, now }) => plan.map((s) => observed(say(s, now.wallMs), name, now.wallMs)),
    ...(history === undefined ? {} : { history: async ({ plan }) => plan.map(history) }),
  };
}

interface Call {
  readonly kind: "execute" | "reconcile";
  readonly intent: Intent;
  readonly instance: string;
  readonly monoMs: number;
}

/** A fleet that remembers keys, as the services do, and whose answers a test can lose or refuse. */
export interface Fleet extends Action {
  readonly calls: Call[];
  /** One entry a real effect: a key counts once an instance. */
  readonly effects: Call[];
  /** What the next calls come to; `lost`: it takes effect, but the answer does not arrive. */
  answer: (call: Call) => InstanceStatus | "lost" | "throws" | "hangs";
}

export function createFleet(clock: Clock): Fleet {
  const seen = new Set<string>();
  const calls: Call[] = [];
  const effects: Call[] = [];
  const outcome = (instance: string, status: InstanceStatus): InstanceOutcome => ({
    instance,
    status,
    httpStatus: status === "applied" ? 200 : undefined,
    detail: `scripted ${status}`,
    durationMs: 1,
    answer: undefined,
  });
  const handle = async (kind: Call["kind"], intent: Intent, instance: string): Promise<InstanceOutcome> => {
    const call: Call = { kind, intent, instance, monoMs: clock.now().monoMs };
    calls.push(call);
    const answer = fleet.answer(call);
    if (answer === "throws") throw new Error("scripted defect");
    if (answer === "hangs") return new Promise(() => {});
    const key = `${intent.id} ${instance}`;
    if (kind === "reconcile")
      return outcome(
        instance,
        answer === "applied" ? (seen.has(key) ? "already_applied" : "failed") : (answer as InstanceStatus),
      );
    if (answer === "applied" || answer === "lost") {
      if (!seen.has(key)) effects.push(call);
      seen.add(key);
    }
    return outcome(instance, answer === "lost" ? "unknown" : answer);
  };
  const fleet: Fleet = {
    kind: "mitigate",
    calls,
    effects,
    answer: () => "applied",
    execute: (intent, instance) => handle("execute", intent, instance.name),
    reconcile: (intent, instance) => handle("reconcile", intent, instance.name),
  };
  return fleet;
}

export interface RecordingReporter extends Reporter {
  readonly cycles: TickReport[];
  readonly actions: ActionRecord[];
  readonly reconciliations: { intent: Intent; outcome: Outcome }[];
  readonly notices: { event: string; fields: Readonly<Record<string, string | number | boolean>> }[];
}

export function recordingReporter(): RecordingReporter {
  const reported: RecordingReporter = {
    cycles: [],
    actions: [],
    reconciliations: [],
    notices: [],
    cycle: (report) => void reported.cycles.push(report),
    action: (record) => void reported.actions.push(record),
    reconciled: (intent, outcome) => void reported.reconciliations.push({ intent, outcome }),
    notice: (event, fields) => void reported.notices.push({ event, fields }),
  };
  return reported;
}

/** A gauge without a rate window, so that a sample speaks of its own moment: SLO 300, limit 5000 unless given. */
export function signalOf(definition: SignalDefinition = memory, over: Partial<Signal> = {}): Signal {
  const { kind: name, unit, shape, windowed, promql, scrape } = definition;
  const thresholds = { slo: 300, exit: 270, limit: 5000 };
  return { name, unit, shape, windowed, promql, scrape, thresholds, linear: true, trend: false, ...over };
}

export function targetOf(name = "product-api", over: Partial<Target> = {}): Target {
  return {
    name,
    job: name,
    instances: [{ name: `${name}:8000`, url: `http://${name}:8000` }],
    mitigation: { action: "mitigate" },
    aggregate: "job",
    signals: [signalOf()],
    cooldownMs: 300_000,
    autoHeal: true,
    ...over,
  };
}

export const CYCLE_MS = 30_000;

export function settingsOf(over: Partial<LoopSettings> = {}): LoopSettings {
  return {
    targets: [targetOf()],
    rules: { horizonS: 180, probStrong: 0.6, probConfirmMin: 0.3, minR2: 0.2, preTimeoutRatio: 0.9 },
    sensitivity: "default",
    constants: {},
    linearWindow: 20,
    rateWindowMs: 60_000,
    maxSampleAgeMs: 0,
    autoHeal: true,
    cycleMs: CYCLE_MS,
    observeDeadlineMs: 10_000,
    warmUpMs: 20 * CYCLE_MS,
    warmUpDeadlineMs: over.observeDeadlineMs ?? 10_000,
    actDeadlineMs: 15_000,
    intentTtlMs: 60_000,
    playbooks: [],
    alertStaleMs: 900_000,
    regionWindowS: 20,
    guards: GUARDS,
    verification: VERIFICATION,
    escalation: { resendMs: 60_000, lastsMs: 300_000, timeoutMs: 5000, externalUrl: undefined },
    ...over,
  };
}

export interface World {
  readonly loop: Loop;
  readonly fleet: Fleet;
  readonly reported: RecordingReporter;
  readonly time: VirtualTime;
  readonly store: Store;
  /** One cycle: a tick, then the time to the next. */
  cycle(): Promise<TickReport>;
  cycles(count: number): Promise<TickReport>;
}

/** Guards as they are by default, but for budgets and holds that a test of something else would meet. */
export const GUARDS: GuardSettings = {
  ...UNCONFIGURED,
  targetCap: { actions: 1000, windowMs: 300_000 },
  fleetCap: { actions: 1000, windowMs: 300_000 },
  storm: { share: 0.3, minTargets: 1000, windowMs: 300_000, exitShare: 0.15, calmMs: 300_000 },
  startup: { starts: 1000, windowMs: 600_000, quietMs: 300_000 },
  completeness: { targetShare: 0.5, fleetShare: 0.5, minSeries: 1000, memoryMs: 900_000 },
  backoff: { factor: 1, maxMs: 0 },
  maintenance: [],
  silences: [],
};

/** Verification that never escalates by itself: for tests of something else. */
export const VERIFICATION: VerificationSettings = {
  minSamples: 3,
  minChange: 0.25,
  maxIneffective: 1000,
  ineffectiveWindowMs: 3_600_000,
  healthyMs: 1_800_000,
};

/** A loop on ports in memory. `store` comes from the test: this folder knows no adapters. */
export function worldOf(options: {
  store: Store;
  time?: VirtualTime;
  fleet?: Fleet;
  sources?: readonly MetricSource[];
  settings?: Partial<LoopSettings>;
  ports?: Partial<LoopPorts>;
}): World {
  const time = options.time ?? virtualTime();
  const fleet = options.fleet ?? createFleet(time.clock);
  const reported = recordingReporter();
  let ids = 0;
  const loop = createLoop(
    {
      clock: time.clock,
      sources: options.sources ?? [scriptedSource(steep(time))],
      store: options.store,
      actions: new Map([[fleet.kind, fleet]]),
      reporter: reported,
      newId: () => `${options.store.epoch}-${++ids}`,
      deadline: time.deadline,
      ...options.ports,
    },
    settingsOf(options.settings),
  );
  const cycle = async () => {
    const report = await loop.tick();
    time.advance(CYCLE_MS);
    return report;
  };
  return {
    loop,
    fleet,
    reported,
    time,
    store: options.store,
    cycle,
    async cycles(count) {
      let report = await cycle();
      for (let n = 1; n < count; n++) report = await cycle();
      return report;
    },
  };
}

/** Grows by 20 a second from 100: its fifth sample forecasts past the hard limit. */
export function steep(time: VirtualTime): () => number {
  const startMs = time.clock.now().monoMs;
  return () => 100 + 0.02 * (time.clock.now().monoMs - startMs);
}

/** Creeps so that the forecast stays in the confirmation band. */
export function creeping(time: VirtualTime): () => number {
  const startMs = time.clock.now().monoMs;
  return () => 1900 + 0.0005 * (time.clock.now().monoMs - startMs);
}
