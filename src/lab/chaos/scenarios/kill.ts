import { setTimeout as sleep } from "node:timers/promises";
import { type Lane, onStage, type Stage } from "../lane.ts";
import { inject } from "../strace.ts";
import type { ChaosOptions, Findings, Scenario } from "../types.ts";

/** Monitors that are killed side by side: while one starts, another acts. */
const LANES = 3;
/** Longest a life goes on before its kill at a random point, milliseconds: two rounds of actions. */
const LIFE_MS = 4000;

/**
 * The calls of the protocol: the journal's writes and syncs, the emptied log, the socket, its answer. A kill at one of the
 * next few hits every step between a decision and its record sooner or later.
 */
const STEPS = [
  { calls: "pwrite64", ahead: 40 },
  { calls: "fsync,fdatasync", ahead: 40 },
  { calls: "ftruncate", ahead: 10 },
  { calls: "write,writev", ahead: 40 },
  // Connections are kept, so there are few.
  { calls: "connect", ahead: 4 },
  { calls: "read", ahead: 40 },
] as const;
/** A call that does not come is not waited for longer: the kill then is one at a random point. */
const STEP_WAIT_MS = 30_000;

type End = (lane: Lane) => Promise<void>;

export const killAtRandom: Scenario = (options) =>
  campaign("kill -9 at random points", options, Math.ceil(options.kills / 2), async (lane) => {
    await sleep(options.random() * LIFE_MS);
    await lane.kill();
  });

export const killAtSteps: Scenario = (options) => {
  let next = 0;
  return campaign("kill -9 at system calls", options, Math.floor(options.kills / 2), async (lane) => {
    const { calls, ahead } = STEPS[next++ % STEPS.length] as (typeof STEPS)[number];
    const when = 1 + Math.floor(options.random() * ahead);
    const tracer = await inject(lane.monitor().pid, { calls, what: `signal=KILL:when=${when}` });
    try {
      await lane.died(STEP_WAIT_MS);
    } catch {
      await lane.kill();
    } finally {
      await tracer.detach();
    }
  });
};

/** So many ends over all lanes, each followed by a new life. */
function campaign(scenario: string, options: ChaosOptions, times: number, end: End): Promise<Findings> {
  return onStage(options, async (stage) => {
    const lanes = await open(stage, Math.min(LANES, times));
    let left = times;
    const endMs = performance.now() + 60_000 * (options.minutes ?? Number.POSITIVE_INFINITY);
    let done = 0;
    await Promise.all(
      lanes.map(async (lane) => {
        await lane.start();
        await lane.moreEffects(1);
        while (left > 0 && performance.now() < endMs) {
          left -= 1;
          await end(lane);
          await lane.start();
          done += 1;
          options.onProgress(`${scenario}: ${done} of ${times}`);
        }
      }),
    );
    return stage.conclude(scenario, { times: done });
  });
}

/** With a Prometheus that remembers, a new life goes on where the last one ended. */
async function open(stage: Stage, count: number): Promise<Lane[]> {
  const services = await Promise.all(Array.from({ length: count }, () => stage.service()));
  const named = services.map((service, at) => ({ name: `lane${at}`, service }));
  const prometheus = await stage.prometheus(named);
  const sources = { order: ["prometheus"], prometheus: { url: prometheus.url } };
  return named.map((spec) => stage.lane({ ...spec, sources }));
}
