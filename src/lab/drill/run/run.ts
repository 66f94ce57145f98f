import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { countMessages } from "../messages.ts";
import type { Messages, Recording } from "../recording.ts";
import { type RunOptions, type Scene, setScene } from "./scene.ts";

export type { DrillProgress, RunOptions } from "./scene.ts";

/** How often the progress is told, milliseconds. */
const PROGRESS_MS = 1_000;
const STALL_RESOLUTION_MS = 20;
/** Rate at which the gateway delivers what is left once the incident is over, messages a second. */
const DRAIN_RATE = 50_000;
const DRAIN_MS = 60_000;
/** How often it is looked whether it has, milliseconds. */
const DRAIN_LOOK_MS = 200;

/**
 * Runs one drill once: starts what it needs on loopback, stages the incident under real traffic, watches it, and counts
 * the messages. Nothing is left behind, however it ends.
 */
export async function runDrill(options: RunOptions): Promise<Recording> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "helius-drill-"));
  const undo: (() => unknown)[] = [];
  if (options.folder === undefined) undo.push(() => rmSync(folder, { recursive: true, force: true }));
  try {
    mkdirSync(join(folder, "logs"), { recursive: true });
    return await staged(options, folder, undo);
  } finally {
    for (const step of undo.splice(0).reverse()) await step();
  }
}

async function staged(options: RunOptions, folder: string, undo: (() => unknown)[]): Promise<Recording> {
  const { drill, pace, stop } = options;
  options.onProgress({ phase: "starting" });
  const scene = await setScene(options, folder, undo);
  const { stage, traffic, observer, acts } = scene;
  await watched(options, scene, { phase: "quiet", seconds: pace.s(drill.quietS) });
  const stalls = monitorEventLoopDelay({ resolution: STALL_RESOLUTION_MS });
  stalls.enable();
  const onsetS = performance.now() / 1_000;
  await drill.incident(stage);
  const incidentS = pace.s(drill.incidentS);
  await watched(options, scene, { phase: "incident", seconds: incidentS });
  stalls.disable();
  options.onProgress({ phase: "counting" });
  await observer.stop();
  await scene.endActing();
  await traffic.stop();
  const messages = await countAll(scene, stop);
  const since = <T extends { readonly atS: number }>(all: readonly T[]): T[] =>
    all.map((one) => ({ ...one, atS: one.atS - onsetS }));
  return {
    drill: drill.name,
    title: drill.title,
    heal: options.heal,
    pace,
    prometheus: options.prometheus,
    level: drill.level(pace),
    targets: drill.targets,
    incidentS,
    looks: since(observer.looks()),
    pages: since(traffic.pages()),
    predictions: since(traffic.predictions()),
    acts: since(acts),
    messages,
    longestStallMs: Math.max(0, stalls.max / 1e6 - STALL_RESOLUTION_MS),
  };
}

/** Lets time pass, and tells how far it is. */
async function watched(
  { stop, onProgress }: RunOptions,
  { observer }: Scene,
  { phase, seconds }: { phase: "quiet" | "incident"; seconds: number },
): Promise<void> {
  const beganMs = performance.now();
  for (;;) {
    const atS = (performance.now() - beganMs) / 1_000;
    const last = observer.looks().at(-1);
    onProgress({ phase, atS: Math.min(atS, seconds), ofS: seconds, queue: last?.queue, level: last?.level });
    if (atS >= seconds) return;
    await sleep(Math.min(PROGRESS_MS, 1_000 * (seconds - atS)), undefined, { signal: stop });
  }
}

/**
 * Starts the gateway again, on the same disk and without its brakes, lets it deliver everything, and holds what it has
 * against what was acknowledged.
 */
async function countAll(scene: Scene, stop: AbortSignal): Promise<Messages> {
  const gateway = scene.platform.services.get("telemetry-gateway");
  if (gateway === undefined) throw new TypeError("every drill has a telemetry-gateway");
  await gateway.stop();
  await gateway.start({ GATEWAY_CONSUME_RATE: String(DRAIN_RATE) });
  const endMs = performance.now() + DRAIN_MS;
  for (let empty = 0; empty < 3; ) {
    stop.throwIfAborted();
    if (performance.now() > endMs)
      throw new Error(`the gateway did not deliver its queue in ${DRAIN_MS / 1_000} s`);
    empty = (await scene.instruments.queue()) === 0 ? empty + 1 : 0;
    await sleep(DRAIN_LOOK_MS);
  }
  await gateway.stop();
  const fleets = [...scene.traffic.fleets.values()];
  return {
    ...countMessages(
      scene.gatewayData,
      fleets.flatMap((fleet) => fleet.acked()),
    ),
    refused: fleets.reduce((sum, fleet) => sum + fleet.stats().refused, 0),
  };
}
