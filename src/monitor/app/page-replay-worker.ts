import { parentPort, workerData } from "node:worker_threads";
import type { LoopSettings } from "../cycle/types.ts";
import { type ReplayedAction, replay } from "../replay/engine/engine.ts";
import { type History, historyOf, type SeriesHistory } from "../replay/input/history.ts";
import { inferTargets } from "../replay/targets.ts";
import { createMemoryStore } from "../store/memory/index.ts";

// Runs in a thread of its own: a replay must not hold up a cycle.

export interface PageReplayInput {
  /** As they are in force, at the sensitivity that is asked about. */
  readonly settings: readonly LoopSettings[];
  readonly series: readonly SeriesHistory[];
  readonly maxSampleAgeMs: number;
}

/** Actions at each sensitivity, in the order in which they were asked for. */
export type PageReplayOutput = readonly (readonly ReplayedAction[])[];

const RETENTION = { maxEntries: 1, maxAgeMs: Number.MAX_SAFE_INTEGER };

async function replayAt(settings: LoopSettings, input: PageReplayInput): Promise<ReplayedAction[]> {
  const { targets, history } = inferTargets({
    history: historyOf(input.series) satisfies History,
    configured: settings.targets,
    // Every series is of a configured target.
    common: { signals: [], cooldownMs: 0 },
  });
  return replay({
    history,
    targets,
    guards: "all",
    maxSampleAgeMs: input.maxSampleAgeMs,
    ports: {
      openStore: (clock) => createMemoryStore({ clock, retention: RETENTION }),
      settingsFor: (some) => ({ ...settings, targets: some, autoHeal: true, playbooks: [] }),
    },
  });
}

const input = workerData as PageReplayInput;
const output: ReplayedAction[][] = [];
for (const settings of input.settings) output.push(await replayAt(settings, input));
parentPort?.postMessage(output satisfies PageReplayOutput);
