import { median as middle } from "simple-statistics";
import { textTable } from "../../../common/text/table.ts";
import { SCENARIOS, type Scenario } from "./shapes.ts";
import { addCell, type Cell, emptyCell, NOISE_LEVELS } from "./tally.ts";

/** Cells by method, scenario and index of the noise level. */
export type Cells = ReadonlyMap<string, ReadonlyMap<string, readonly Cell[]>>;

/** Overall figures: scenarios weigh the same, and so do noise levels. */
interface Overall {
  /** False mitigations a service-day, on clean and on near-miss scenarios. */
  readonly clean: number;
  readonly near: number;
  /** Share (0..1) of foreseeable faults (all but steps) acted on between onset and breach. */
  readonly detection: number;
  /** Mean seconds from mitigation to breach, all faults; a miss counts as minus the tail of the run. */
  readonly leadS: number;
  /** Median seconds from a step to the mitigation. */
  readonly stepS: number;
  /** Share of clean service-days with a false mitigation; share of foreseeable faults not acted on in time. */
  readonly falsePositiveRate: number;
  readonly falseNegativeRate: number;
  /** Mean over all forecasts: absolute error at the horizon, share of the true level, between onset and breach of ramps. */
  readonly mape: number;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((a, b) => a + b, 0) / values.length;
}

/** NaN of nothing. */
function median(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : middle([...values]);
}

/** Sums the given noise levels of one scenario. */
function sumCells(cells: readonly Cell[], levels: readonly number[]): Cell {
  return levels.reduce((sum, c) => addCell(sum, cells[c] as Cell), emptyCell());
}

const ALL_LEVELS = NOISE_LEVELS.map((_, i) => i);

/** Overall figures of one method, over the scenarios that `counts` admits and the given noise levels. @internal for its tests */
export function overall(
  byScenario: ReadonlyMap<string, readonly Cell[]>,
  levels: readonly number[] = ALL_LEVELS,
  counts: (s: Scenario) => boolean = (s) => s.overall,
): Overall {
  const rows = SCENARIOS.filter((s) => counts(s) && byScenario.has(s.name)).map((scenario) => ({
    scenario,
    cell: sumCells(byScenario.get(scenario.name) as readonly Cell[], levels),
  }));
  const isStep = (s: Scenario) => s.name.includes("step");
  const of = (group: string) => rows.filter((r) => r.scenario.group === group);
  const foreseeable = of("fault").filter((r) => !isStep(r.scenario));
  const ramps = foreseeable.filter((r) => r.scenario.name.includes("ramp"));
  const detection = mean(foreseeable.map((r) => r.cell.detected / r.cell.runs));
  return {
    clean: mean(of("clean").map((r) => r.cell.falseActs / r.cell.days)),
    near: mean(of("near").map((r) => r.cell.falseActs / r.cell.days)),
    detection,
    leadS: mean(of("fault").map((r) => r.cell.leadSum / r.cell.runs)),
    stepS: median(of("fault").flatMap((r) => (isStep(r.scenario) ? r.cell.delays : []))),
    falsePositiveRate: mean(of("clean").map((r) => r.cell.falseRuns / r.cell.runs)),
    falseNegativeRate: 1 - detection,
    mape:
      ramps.reduce((sum, r) => sum + r.cell.apeSum, 0) / ramps.reduce((sum, r) => sum + r.cell.apeCount, 0),
  };
}

function fixed(value: number, digits: number): string {
  return Number.isNaN(value) ? "-" : value.toFixed(digits);
}

function percent(value: number): string {
  return Number.isNaN(value) ? "-" : `${(100 * value).toFixed(0)} %`;
}

const OVERALL_HEAD = [
  "method",
  "clean/day",
  "near/day",
  "detected",
  "lead s",
  "step s",
  "false+ days",
  "missed",
  "missed CV<=10 %",
  "MAPE",
  "MAPE CV<=10 %",
];

function overallRow(name: string, all: Overall, low: Overall): string[] {
  return [
    name,
    fixed(all.clean, 3),
    fixed(all.near, 2),
    percent(all.detection),
    fixed(all.leadS, 0),
    fixed(all.stepS, 0),
    percent(all.falsePositiveRate),
    percent(all.falseNegativeRate),
    percent(low.falseNegativeRate),
    percent(all.mape),
    percent(low.mape),
  ];
}

function scenarioRow(scenario: Scenario, cells: readonly Cell[]): string[] {
  const one = (cell: Cell) =>
    scenario.group !== "fault"
      ? fixed(cell.falseActs / cell.days, 2)
      : scenario.name.includes("step")
        ? `${fixed(median(cell.delays), 0)} s`
        : `${percent(cell.detected / cell.runs)} ${fixed(cell.leadSum / cell.runs, 0)} s`;
  const total = sumCells(cells, ALL_LEVELS);
  const triggers = scenario.group === "fault" ? [] : Object.entries(total.triggers);
  return [scenario.name, ...[total, ...cells].map(one), triggers.map(([t, n]) => `${t}:${n}`).join(" ")];
}

/** The table for people: overall, by noise level, then every scenario of every method. */
export function renderTable(cells: Cells): string {
  const ratio = (s: Scenario) => s.kind === "ratio";
  const methods = (only?: (s: Scenario) => boolean) =>
    [...cells].map(([name, by]) =>
      overallRow(name, overall(by, ALL_LEVELS, only), overall(by, [0, 1], only)),
    );
  const blocks = [
    ["Overall (latency, memory and backlog)", textTable([OVERALL_HEAD, ...methods()])],
    ["Error ratios", textTable([OVERALL_HEAD, ...methods(ratio)])],
  ];
  for (const [name, by] of cells) {
    const byNoise = NOISE_LEVELS.map((cv, c) => {
      const figures = overall(by, [c]);
      return overallRow(`CV ${100 * cv} %`, figures, c < 2 ? figures : overall(by, []));
    });
    const scenarios = SCENARIOS.flatMap((scenario) => {
      const row = by.get(scenario.name);
      return row === undefined ? [] : [scenarioRow(scenario, row)];
    });
    const head = ["scenario", "all noise", ...NOISE_LEVELS.map((cv) => `CV ${100 * cv} %`), "triggers"];
    blocks.push([`${name}: by noise`, textTable([OVERALL_HEAD, ...byNoise])]);
    blocks.push([`${name}: by scenario`, textTable([head, ...scenarios])]);
  }
  return [
    ...blocks.flatMap(([title = "", table = ""]) => ["", title, table]),
    "",
    "clean, near: false mitigations a service-day; detected: acted between onset and breach, faults other than steps;",
    "lead: mean over all faults, a miss counts -900 s; step: median from onset to action; false+ days: clean service-days",
    "with a false mitigation; scenario rows: false mitigations a day, or detected and mean lead, or median delay.",
  ].join("\n");
}

/** The same as data. */
export function renderJson(cells: Cells, about: Readonly<Record<string, unknown>>): string {
  const methods = [...cells].map(([name, by]) => ({
    name,
    overall: overall(by),
    lowNoise: overall(by, [0, 1]),
    errorRatio: overall(by, ALL_LEVELS, (s) => s.kind === "ratio"),
    byNoise: NOISE_LEVELS.map((cv, c) => ({ cv, ...overall(by, [c]) })),
    scenarios: Object.fromEntries(
      [...by].map(([scenario, row]) => [
        scenario,
        NOISE_LEVELS.map((cv, c) => {
          const { delays, ...rest } = row[c] as Cell;
          return { cv, ...rest, medianDelayS: median(delays) };
        }),
      ]),
    ),
  }));
  return JSON.stringify({ ...about, methods }, null, 2);
}
