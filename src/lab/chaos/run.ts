import { availableParallelism, loadavg } from "node:os";
import { errorMessage } from "../../common/text/error.ts";
import { clock } from "./scenarios/clock.ts";
import { disk } from "./scenarios/disk.ts";
import { killAtRandom, killAtSteps } from "./scenarios/kill.ts";
import { logSink } from "./scenarios/log-sink.ts";
import { prometheusFaults, targetFaults } from "./scenarios/network.ts";
import { overtaken, stopped } from "./scenarios/stopped.ts";
import type { ChaosOptions, Findings, Scenario } from "./types.ts";

/** Longest that a start may take up to its first finished cycle, milliseconds. */
export const LIMIT_MS = 5000;

/** Every scenario under the name that `--only` takes. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "kill-random": killAtRandom,
  "kill-steps": killAtSteps,
  disk,
  stopped,
  overtaken,
  clock,
  prometheus: prometheusFaults,
  targets: targetFaults,
  "log-sink": logSink,
};

export interface Summary extends Omit<Findings, "recoveriesMs"> {
  readonly recovery:
    | { readonly medianMs: number; readonly longestMs: number; readonly late: number }
    | undefined;
}

/** Plays the scenarios one after the other; one that breaks off is a violation of its own. */
export async function run(input: {
  readonly only?: string | undefined;
  readonly options: ChaosOptions;
}): Promise<Summary[]> {
  const summaries: Summary[] = [];
  for (const [name, play] of Object.entries(SCENARIOS)) {
    if (input.only !== undefined && input.only !== name) continue;
    if (input.options.signal?.aborted === true) break;
    input.options.onProgress(name);
    summaries.push(sumUp(await play(input.options).catch((error: unknown) => brokenOff(name, error))));
  }
  return summaries;
}

export function verdictOf({ violations }: Summary): string {
  return violations.length === 0 ? "kept" : "BROKEN";
}

/**
 * A slow recovery breaks a promise only where the machine was free to be quick: with more processes waiting than cores in
 * the last minute, it says as much of the others.
 */
function sumUp({ recoveriesMs, violations, ...rest }: Findings): Summary {
  if (recoveriesMs.length === 0) return { ...rest, violations, recovery: undefined };
  const sorted = [...recoveriesMs].sort((a, b) => a - b);
  const late = sorted.filter((ms) => ms > LIMIT_MS).length;
  const longestMs = sorted.at(-1) ?? 0;
  const idle = (loadavg()[0] ?? 0) <= 2 * availableParallelism();
  const slow =
    late > 0 && idle
      ? [`${late} recoveries took longer than ${LIMIT_MS} ms, up to ${longestMs.toFixed(0)}`]
      : [];
  return {
    ...rest,
    violations: [...violations, ...slow],
    recovery: { medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0, longestMs, late },
  };
}

function brokenOff(scenario: string, error: unknown): Findings {
  const detail = errorMessage(error);
  return {
    scenario,
    times: 0,
    effects: 0,
    duplicateEffects: 0,
    lostRecords: 0,
    recoveriesMs: [],
    violations: [`broke off: ${detail}`],
  };
}
