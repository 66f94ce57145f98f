import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Drill } from "../../src/lab/drill/drill.ts";
import { latencyRamp } from "../../src/lab/drill/drills/latency-ramp.ts";
import { modelDrift } from "../../src/lab/drill/drills/model-drift.ts";
import { figuresOf } from "../../src/lab/drill/figures.ts";
import { paceOf } from "../../src/lab/drill/pace.ts";
import { runDrill } from "../../src/lab/drill/run/run.ts";
import { descendantsOf, isAlive } from "../e2e/kit/process.ts";
import { requireServer } from "../setup/require-server.ts";

// Two drills as they are, on real processes, with less quiet and a shorter watch.

const folder = mkdtempSync(join(tmpdir(), "helius-drill-test-"));
const { TMPDIR, PATH } = process.env;
beforeAll(() => {
  process.env.TMPDIR = folder;
});
afterAll(() => {
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true, force: true });
});

async function healed(
  drill: Drill,
  part: { readonly quietS: number; readonly incidentS: number; readonly prometheus: boolean },
) {
  const { prometheus, ...times } = part;
  const notes: string[] = [];
  const phases = new Set<string>();
  const recording = await runDrill({
    drill: { ...drill, ...times },
    heal: "on",
    pace: paceOf(60),
    prometheus,
    folder: undefined,
    stop: new AbortController().signal,
    onProgress: ({ phase }) => void phases.add(phase),
    onNote: (line) => void notes.push(line),
  });
  expect([...phases]).toEqual(["starting", "quiet", "incident", "counting"]);
  const figures = figuresOf(recording);
  process.stdout.write(
    `figure drill ${drill.name}: detected ${figures.detectS?.toFixed(1)} s, contained ${figures.containS?.toFixed(1)} s, ${recording.messages.acked} acknowledged, ${recording.messages.lost} lost; longest stall ${recording.longestStallMs.toFixed(0)} ms\n`,
  );
  return { recording, figures, notes };
}

test("latency is foreseen without Prometheus, drift is contained with it, and nothing is left behind", async (context) => {
  const programs = (["prometheus", "alertmanager"] as const).map((name) => requireServer(name, context));
  process.env.PATH = [...programs.map(dirname), PATH].join(delimiter);
  const [ramp, drift] = await Promise.all([
    healed(latencyRamp, { quietS: 360, incidentS: 780, prometheus: false }),
    healed(modelDrift, { quietS: 360, incidentS: 780, prometheus: true }),
  ]);
  for (const { recording, figures, notes } of [ramp, drift]) {
    expect(
      recording.acts.some(({ carriedOut }) => carriedOut),
      notes.join("\n"),
    ).toBe(true);
    expect(figures.detectS, notes.join("\n")).toBeDefined();
    expect(figures.containS).toBeDefined();
    expect(recording.messages.acked).toBeGreaterThan(50);
    expect(recording.messages).toMatchObject({ lost: 0, deadLettered: 0 });
    expect(figures.availability).toBe(1);
  }
  // Unhealed, P95 would be at about 390 ms as the watch ends; the least of its last second is no stall of the machine.
  const { looks, incidentS } = ramp.recording;
  const last = looks.filter(
    ({ atS, level }) => level !== undefined && atS > incidentS - 1 && atS <= incidentS,
  );
  expect(Math.min(...last.map(({ level }) => level ?? Infinity))).toBeLessThan(200);
  expect(drift.figures).toMatchObject({ invalidRatioAfter: 0, predictionAvailability: 1 });
  expect(drift.figures.invalidRatio).toBeGreaterThan(0);
  expect(drift.notes).toContainEqual(
    expect.stringContaining("force-fallback recommender-service seconds=30: HighInvalidModelOutputs alert"),
  );
  expect(readdirSync(folder)).toEqual([]);
  expect(descendantsOf(process.pid).filter(isService)).toEqual([]);
});

/** A service that a drill started; the test runner has children of its own. */
function isService(pid: number): boolean {
  return isAlive(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("main.ts\0service");
}
