import type { PartsObservation } from "../../kernel/observation.ts";
import type { PartReading } from "../../kernel/parts.ts";
import type { Instant } from "../../kernel/time.ts";
import { chooseRegion, createRegionHistory, observeParts, type RegionChoice } from "./index.ts";

/** Arrivals and service of one second. */
interface Second {
  /** Messages that come for each region. */
  readonly arrivals: Readonly<Record<string, number>>;
  /** Messages the consumer can pass on, all regions together. */
  readonly capacity: number;
  /** Messages that a region's downstream takes at most; absent: all. The consumer leaves such a region alone. */
  readonly downstream?: Readonly<Record<string, number>>;
}

/** A gateway as the monitor sees it: a queue and a counter a region, one consumer that is fair to all that wait. */
export interface SimulatedGateway {
  second(input: Second): void;
  /** What a source would say of it at this moment. */
  reading(now: Instant, source?: string): PartsObservation;
  /** The counters begin again, of these regions or of all; queues are durable. */
  restart(regions?: readonly string[]): void;
  readonly backlog: number;
}

export function simulateGateway(): SimulatedGateway {
  const totals = new Map<string, number>();
  const queues = new Map<string, number>();
  return {
    second: ({ arrivals, capacity, downstream = {} }) => {
      for (const [region, count] of Object.entries(arrivals)) {
        totals.set(region, (totals.get(region) ?? 0) + count);
        queues.set(region, (queues.get(region) ?? 0) + count);
      }
      serve(queues, capacity, downstream);
    },
    reading: (now, source = "test") => ({
      status: "ok",
      source,
      timestampMs: now.wallMs,
      parts: [...queues].map(([part, backlog]) => ({
        part,
        backlog,
        inboundTotal: totals.get(part) ?? 0,
      })),
    }),
    restart: (regions = [...totals.keys()]) => {
      for (const region of regions) totals.set(region, 0);
    },
    get backlog() {
      return [...queues.values()].reduce((sum, depth) => sum + depth, 0);
    },
  };
}

/** The consumer's share for each region: even among those that wait, what one does not need goes to the others. */
function serve(
  queues: Map<string, number>,
  capacity: number,
  downstream: Readonly<Record<string, number>>,
): void {
  let left = capacity;
  const waiting = [...queues].sort(([, a], [, b]) => a - b);
  for (const [at, [region, depth]] of waiting.entries()) {
    const turn = left / (waiting.length - at);
    const taken = Math.min(depth, turn, downstream[region] ?? depth);
    queues.set(region, depth - taken);
    left -= taken;
  }
}

export type Rates = Readonly<Record<string, number>>;
export type Phase = Omit<Second, "arrivals"> & { readonly seconds: number; readonly arrivals: Rates };

export const USUAL: Rates = { us: 20, eu: 20, sa: 20, west: 20 };
export const calm: Phase = { seconds: 1200, arrivals: USUAL, capacity: 200 };
export const T0: Instant = { wallMs: 1_700_000_000_000, monoMs: 5_000_000 };

export const at = (seconds: number): Instant => ({
  wallMs: T0.wallMs + seconds * 1000,
  monoMs: T0.monoMs + seconds * 1000,
});

/** Lives through phases, reading every `cycleS`; the answer at the end. */
export function live(
  phases: readonly Phase[],
  options: { cycleS?: number; unseen?: number; windowS?: number } = {},
): RegionChoice {
  const { cycleS = 30, unseen = 0 } = options;
  const gateway = simulateGateway();
  const history = createRegionHistory();
  history.windowS = options.windowS ?? history.windowS;
  let second = 0;
  for (const phase of phases) {
    for (let i = 0; i < phase.seconds; i++) {
      gateway.second(phase);
      second += 1;
      if (second >= unseen && second % cycleS === 0)
        observeParts(history, gateway.reading(at(second)), at(second));
    }
  }
  return chooseRegion(history, at(second));
}

export function flood(more: Partial<Rates>, seconds = 120): Phase {
  return { ...calm, seconds, arrivals: { ...USUAL, ...(more as Rates) } };
}

export const BIG: Rates = { us: 200, eu: 20, sa: 20, west: 20 };
export const big = (more: Partial<Phase> = {}): Phase => ({ ...calm, capacity: 400, arrivals: BIG, ...more });

/** Feeds a region history by hand; totals are derived from rates. */
export function hand(): {
  readonly history: ReturnType<typeof createRegionHistory>;
  step(seconds: number, parts: readonly PartReading[], more?: Partial<PartsObservation & { ok: true }>): void;
  choose(laterS?: number): RegionChoice;
  readonly now: Instant;
} {
  const history = createRegionHistory();
  let seconds = 0;
  return {
    history,
    step: (by, parts, more = {}) => {
      seconds += by;
      const now = at(seconds);
      observeParts(
        history,
        { status: "ok", source: "a", timestampMs: now.wallMs, parts, ...more } as PartsObservation,
        now,
      );
    },
    choose: (laterS = 0) => chooseRegion(history, at(seconds + laterS)),
    get now() {
      return at(seconds);
    },
  };
}
