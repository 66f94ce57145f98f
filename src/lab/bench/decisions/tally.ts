import type { Method } from "./decider.ts";
import { judge } from "./evaluate.ts";
import { buildRun, type SeedSet } from "./runs.ts";
import { type Generator, SCENARIOS, type Scenario, TAIL_S } from "./shapes.ts";

/** Noise levels of the suite: coefficient of variation. */
export const NOISE_LEVELS = [0.05, 0.1, 0.2, 0.4] as const;

/** One cell of work: a scenario at a noise level, over seeds. */
export interface Job {
  readonly scenario: string;
  readonly cv: number;
  readonly seeds: number;
  readonly set: SeedSet;
  readonly generator: Generator;
  readonly cycleS: number;
  readonly methods: readonly string[];
}

/** Sums over the runs of one cell, for one method. Cells of a row add up. */
export interface Cell {
  runs: number;
  days: number;
  falseActs: number;
  /** Runs with at least one false mitigation. */
  falseRuns: number;
  /** Fault runs with a mitigation after the onset and before the breach. */
  detected: number;
  leadSum: number;
  /** Seconds from onset to mitigation, `TAIL_S` where none came. */
  delays: number[];
  apeSum: number;
  apeCount: number;
  triggers: Record<string, number>;
}

export function emptyCell(): Cell {
  return {
    runs: 0,
    days: 0,
    falseActs: 0,
    falseRuns: 0,
    detected: 0,
    leadSum: 0,
    delays: [],
    apeSum: 0,
    apeCount: 0,
    triggers: {},
  };
}

/** Adds `b` to `a`. */
export function addCell(a: Cell, b: Cell): Cell {
  a.runs += b.runs;
  a.days += b.days;
  a.falseActs += b.falseActs;
  a.falseRuns += b.falseRuns;
  a.detected += b.detected;
  a.leadSum += b.leadSum;
  a.delays.push(...b.delays);
  a.apeSum += b.apeSum;
  a.apeCount += b.apeCount;
  for (const [trigger, n] of Object.entries(b.triggers)) a.triggers[trigger] = (a.triggers[trigger] ?? 0) + n;
  return a;
}

/** @internal for its tests */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((s) => s.name === name);
  if (found === undefined)
    throw new Error(`no scenario ${name}; there are ${SCENARIOS.map((s) => s.name).join(", ")}`);
  return found;
}

/** Runs every method over the runs of a job; one cell a method, in order. */
export function runJob(job: Job, methods: readonly Method[]): Cell[] {
  const scenario = scenarioNamed(job.scenario);
  const cells = methods.map(emptyCell);
  for (let seed = 0; seed < job.seeds; seed++) {
    const { cv, set, generator, cycleS } = job;
    const run = buildRun({ scenario, cv, seed, set, generator, cycleS });
    methods.forEach((method, m) => {
      const o = judge(method, run);
      const cell = cells[m] as Cell;
      cell.runs++;
      cell.days += o.days;
      cell.falseActs += o.falseActs;
      cell.falseRuns += o.falseActs > 0 ? 1 : 0;
      for (const t of o.triggers) cell.triggers[t] = (cell.triggers[t] ?? 0) + 1;
      if (scenario.group !== "fault") return;
      cell.detected += o.leadS > 0 ? 1 : 0;
      cell.leadSum += o.leadS;
      cell.delays.push(Number.isNaN(o.delayS) ? TAIL_S : o.delayS);
      cell.apeSum += o.apeSum;
      cell.apeCount += o.apeCount;
    });
  }
  return cells;
}
