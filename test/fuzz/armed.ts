import {
  type Fleet,
  settingsOf,
  signalOf,
  targetOf,
  type VirtualTime,
  virtualTime,
  worldOf,
} from "../../src/monitor/cycle/cycle.testkit.ts";
import type { TickReport } from "../../src/monitor/cycle/types.ts";
import type { MetricSource } from "../../src/monitor/kernel/observation.ts";
import type { Signal } from "../../src/monitor/kernel/signal.ts";
import type { Target } from "../../src/monitor/kernel/target.ts";
import { createMemoryStore } from "../../src/monitor/store/memory/index.ts";

/** Samples of a steep line that are shown before: with one more every target is acted on at once. */
const SHOWN = 4;
/** A sample older than this counts as stale, milliseconds. */
export const MAX_SAMPLE_AGE_MS = 60_000;

/**
 * A real loop on a real source, cocked: the next honest answer makes it act on every target. Whatever is shown to it
 * instead can be judged by that.
 */
export interface Armed {
  readonly time: VirtualTime;
  readonly fleet: Fleet;
  readonly targets: readonly Target[];
  /** What an honest source would say now; it lies on the line. */
  value(): number;
  /** One cycle of one second. */
  tick(): Promise<TickReport>;
}

export interface ArmOptions {
  readonly count: number;
  readonly aggregate?: Target["aggregate"];
  /** What differs between the signals of the targets. */
  readonly signal?: (at: number) => Partial<Signal>;
  /** The source under test; it answers honestly until `arm` returns. */
  readonly source: (world: {
    time: VirtualTime;
    targets: readonly Target[];
    value: () => number;
  }) => MetricSource;
}

export async function arm(options: ArmOptions): Promise<Armed> {
  const time = virtualTime();
  const startMs = time.clock.now().monoMs;
  const value = () => 100 + 0.02 * (time.clock.now().monoMs - startMs);
  const targets = Array.from({ length: options.count }, (_, at) =>
    targetOf(`t${at}`, {
      aggregate: options.aggregate ?? "job",
      signals: [signalOf(undefined, options.signal?.(at) ?? {})],
    }),
  );
  const source = options.source({ time, targets, value });
  const world = worldOf({
    store: createMemoryStore(),
    time,
    sources: [source],
    settings: settingsOf({ targets }),
  });
  await world.loop.start();
  await world.cycles(SHOWN);
  if (world.fleet.calls.length > 0) throw new Error("it has acted before it was shown anything");
  return {
    time,
    fleet: world.fleet,
    targets,
    value,
    async tick() {
      const report = await world.loop.tick();
      time.advance(1000);
      return report;
    },
  };
}

/** What a cycle on answers without any use did all the same: taken for a value, or acted on. Empty: nothing. */
export function misread(report: TickReport): { target: string; what: string }[] {
  return report.decisions.flatMap((decision, at) => {
    const observation = report.observations[at];
    if (decision.act) return [{ target: decision.target, what: `acted: ${decision.reason}` }];
    if (observation?.status === "ok")
      return [{ target: decision.target, what: `read as ${observation.value}` }];
    return [];
  });
}
