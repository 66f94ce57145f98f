import { describe, expect, it } from "vitest";
import { loopSettings } from "../../../monitor/app/wiring.ts";
import { loadConfig } from "../../../monitor/config/load.ts";
import type { Target } from "../../../monitor/kernel/target.ts";
import { replay } from "../../../monitor/replay/engine/engine.ts";
import { createRecorder } from "../../../monitor/replay/input/history.ts";
import { signalPlugins } from "../../../monitor/signals/index.ts";
import { createMemoryStore } from "../../../monitor/store/memory/index.ts";
import { specOf } from "./decider.ts";
import { buildRun, type Run } from "./runs.ts";
import { SCENARIOS } from "./shapes.ts";
import { trendRule } from "./trend.ts";

// What the table judges must be what the monitor does: the whole pipeline over a run acts first when the bare predictor does.

const DEFAULTS = loopSettings(loadConfig({ file: undefined, env: {}, flags: {} }));
const START_MS = 1_700_000_000_000;

/** Milliseconds from the start of the run, as of `firstOfPredictor`. */
async function firstOfPipeline(run: Run): Promise<number | undefined> {
  const definition = signalPlugins.find((d) => d.shape === run.scenario.kind);
  if (definition === undefined) throw new Error(`no signal of shape ${run.scenario.kind}`);
  const target: Target = {
    name: "t",
    job: "t",
    instances: [{ name: "t", url: "" }],
    mitigation: { action: "mitigate" },
    aggregate: "job",
    cooldownMs: 300_000,
    autoHeal: true,
    signals: [
      {
        ...definition.create({}),
        thresholds: { slo: run.slo, exit: 0.9 * run.slo, limit: run.limit },
        windowed: run.rateWindowS > 0,
        linear: false,
        trend: true,
      },
    ],
  };
  const recorder = createRecorder();
  const at = recorder.seriesAt("t", definition.kind);
  run.times.forEach((timeS, k) => {
    recorder.add(at, START_MS + 1000 * timeS, run.values[k] as number);
  });
  const actions = await replay({
    history: recorder.end(),
    targets: [target],
    guards: "all",
    maxSampleAgeMs: 90_000,
    ports: {
      openStore: (clock) => createMemoryStore({ clock }),
      settingsFor: (targets) => ({ ...DEFAULTS, targets, rateWindowMs: 1000 * (run.rateWindowS || 60) }),
    },
  });
  return actions[0] === undefined ? undefined : Math.round(actions[0].atMs - START_MS);
}

function firstOfPredictor(run: Run): number | undefined {
  const rule = trendRule(specOf(run), "default", false);
  for (const [k, timeS] of run.times.entries())
    if (rule.push({ timeS, value: run.values[k] as number, support: undefined }) !== undefined)
      return Math.round(1000 * timeS);
  return undefined;
}

describe("the monitor's own pipeline", () => {
  it.each(SCENARIOS.map((s) => [s.name, s] as const))(
    "acts first when the predictor speaks: %s",
    async (_, scenario) => {
      for (let seed = 0; seed < 3; seed++) {
        const run = buildRun({ scenario, cv: 0.1, seed, set: "held-out", generator: "reference" });
        expect(await firstOfPipeline(run), `seed ${seed}`).toBe(firstOfPredictor(run));
      }
    },
  );
});
