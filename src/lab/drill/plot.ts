import type { Recording } from "./recording.ts";

const WIDTH = 64;
const HEIGHT = 6;
const EIGHTHS = " ▁▂▃▄▅▆▇█";

/** What the plots of one drill share, so that they can be held beside each other. */
export interface PlotScale {
  readonly most: number;
  readonly untilS: number;
}

/** The scale that fits all runs of a drill. */
export function plotScale(recordings: readonly Recording[]): PlotScale {
  const levels = recordings.flatMap((r) => [r.level.slo, ...r.looks.map((look) => look.level ?? 0)]);
  return {
    most: levels.reduce((max, level) => Math.max(max, level), 0),
    untilS: recordings.reduce((max, r) => Math.max(max, r.incidentS), 0),
  };
}

/**
 * The level of one run over time: blocks for the highest level in each column, dots for the SLO, a gap before anything is
 * known. Below it the times of detection, containment and recovery.
 */
export function plotRun(
  recording: Recording,
  scale: PlotScale,
  marks: readonly (readonly [letter: string, atS: number | undefined])[],
): string {
  const { level } = recording;
  const height = (value: number) => rise(value, level.slo) / rise(scale.most, level.slo);
  const columns = highest(recording, scale.untilS);
  const sloRow = Math.min(HEIGHT - 1, Math.floor(height(level.slo) * HEIGHT));
  const labels = new Map([
    [HEIGHT - 1, short(scale.most)],
    [0, "0"],
    [sloRow, `SLO ${short(level.slo)}`],
  ]);
  const margin = Math.max(...[...labels.values()].map((text) => text.length));
  const rows = Array.from({ length: HEIGHT }, (_, down) => {
    const row = HEIGHT - 1 - down;
    const cells = columns.map((value) => {
      if (value === undefined) return " ";
      const filled = Math.round(8 * Math.min(1, Math.max(0, height(value) * HEIGHT - row)));
      return filled === 0 && row === sloRow ? "·" : (EIGHTHS[filled] as string);
    });
    return `${(labels.get(row) ?? "").padStart(margin)} │${cells.join("").trimEnd()}`;
  });
  const axis = `${" ".repeat(margin)} └${axisOf(marks, scale.untilS)} ${scale.untilS.toFixed(0)} s`;
  return [...rows, axis].join("\n");
}

/** Logarithmic above a tenth of the SLO, so that tens and thousands show in one plot. */
function rise(value: number, slo: number): number {
  return Math.log1p(value / (slo / 10));
}

/** Highest level of each column; a column without a look takes that of the one before. */
function highest(recording: Recording, untilS: number): (number | undefined)[] {
  const columns = new Array<number | undefined>(WIDTH).fill(undefined);
  for (const { atS, level } of recording.looks) {
    if (level === undefined || atS < 0 || atS > recording.incidentS) continue;
    const column = Math.min(WIDTH - 1, Math.floor((atS / untilS) * WIDTH));
    columns[column] = Math.max(columns[column] ?? 0, level);
  }
  const last = Math.min(WIDTH - 1, Math.floor((recording.incidentS / untilS) * WIDTH));
  for (let column = 1; column <= last; column++) columns[column] ??= columns[column - 1];
  return columns;
}

function axisOf(
  marks: readonly (readonly [letter: string, atS: number | undefined])[],
  untilS: number,
): string {
  const axis = new Array<string>(WIDTH).fill("─");
  for (const [letter, atS] of marks) {
    if (atS === undefined || atS > untilS) continue;
    let column = Math.min(WIDTH - 1, Math.floor((atS / untilS) * WIDTH));
    while (column < WIDTH - 1 && axis[column] !== "─") column += 1;
    axis[column] = letter;
  }
  return axis.join("");
}

function short(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)}G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(0)}M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)}k`;
  return String(Number(value.toPrecision(3)));
}
