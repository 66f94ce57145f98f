import { textTable } from "../../common/text/table.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { type Goal, percent, seconds } from "./goal.ts";
import { describePace, type Heal } from "./pace.ts";
import { plotRun, plotScale } from "./plot.ts";
import type { Messages, Recording } from "./recording.ts";

/** A stall of the machine from which on the table tells of it, milliseconds. */
const STALL_MS = 250;

const HEADS: Readonly<Record<Heal, string>> = { off: "not healed", on: "healed", alerts: "alerts only" };

type Row = readonly [name: string, cell: Cell];
type Cell = (figures: Figures, messages: Messages) => string;

/** Rows of the table: what, how it is shown, and whether the drill at hand has it. */
function rowsFor(recordings: readonly Recording[], recording: Recording): Row[] {
  const { title, unit, slo } = recording.level;
  // A drill without recommender and router has no whole page to lose.
  const whole = recordings.some(({ pages }) => pages.some((page) => page.whole === true));
  const queueIsLevel = unit === "messages";
  const predictions = recording.predictions.length > 0;
  const level = (value: number | undefined) => (value === undefined ? "–" : `${shown(value, unit)}`);
  return [
    ["time to detect", (f) => seconds(f.detectS)],
    ["time to contain", (f) => seconds(f.containS)],
    ["time to recover", (f) => (f.recoverS === 0 ? "never above" : seconds(f.recoverS))],
    ["  cycles from detection", (f) => (f.recoverCycles === undefined ? "–" : f.recoverCycles.toFixed(1))],
    ["longest queue", (f) => (f.maxQueue === undefined ? "–" : String(f.maxQueue))],
    ...only(queueIsLevel, ["  queue at detection", (f) => String(f.queueAtDetection ?? "–")]),
    ...only(!queueIsLevel, [`highest ${title}`, (f) => level(f.maxLevel)]),
    [`time above ${shown(slo, unit)}`, (f) => seconds(f.secondsAbove)],
    ["  after containment", (f) => seconds(f.secondsAboveAfter)],
    ["messages acknowledged", (_, m) => String(m.acked)],
    ["  delivered", (_, m) => String(m.delivered)],
    ["  dead-lettered", (_, m) => String(m.deadLettered)],
    ["  lost", (_, m) => String(m.lost)],
    ["messages refused", (_, m) => String(m.refused)],
    [predictions ? "invalid predictions served" : "invalid pages served", (f) => percent(f.invalidRatio)],
    ["  after containment", (f) => percent(f.invalidRatioAfter)],
    ...only(predictions, ["predictions available", (f) => percent(f.predictionAvailability)]),
    ["pages available", (f) => percent(f.availability)],
    ...only(whole, ["  whole", (f) => percent(f.wholePages)]),
  ];
}

function only(shown: boolean, row: Row): Row[] {
  return shown ? [row] : [];
}

/** The runs of one drill beside each other, a plot of each, and what the drill is to show. */
export function renderDrill(recordings: readonly Recording[], goals: readonly Goal[]): string {
  const [first] = recordings;
  if (first === undefined) return "";
  const computed = recordings.map((r) => ({ r, f: figuresOf(r) }));
  const rows = rowsFor(recordings, first).map(([name, cell]) => [
    name,
    ...computed.map(({ r, f }) => cell(f, r.messages)),
  ]);
  const scale = plotScale(recordings);
  const plots = computed.map(({ r, f }) => {
    const marks = [
      ["D", f.detectS],
      ["C", f.containS],
      ["R", f.recoverS === 0 ? undefined : f.recoverS],
    ] as const;
    return `${HEADS[r.heal]}: ${r.level.title}\n${plotRun(r, scale, marks)}`;
  });
  return [
    `${first.drill}: ${first.title}`,
    `${describePace(first.pace)}${first.prometheus ? "; Prometheus and Alertmanager in the loop" : ""}`,
    `watched for ${first.incidentS.toFixed(0)} s from the onset; seconds are those of the clock, times the speed those of a real installation`,
    "",
    textTable([["", ...recordings.map((r) => HEADS[r.heal])], ...rows]),
    "",
    plots.join("\n\n"),
    "D detected, C contained, R recovered",
    ...stallsOf(recordings),
    ...(goals.length === 0 ? [] : ["", goals.map(goalLine).join("\n")]),
    "",
  ].join("\n");
}

/** Waits that clients saw are partly the machine's where it held even the drill up. */
function stallsOf(recordings: readonly Recording[]): string[] {
  const stalls = recordings
    .filter(({ longestStallMs }) => longestStallMs >= STALL_MS)
    .map(({ heal, longestStallMs }) => `${HEADS[heal]} ${longestStallMs.toFixed(0)} ms`);
  return stalls.length === 0
    ? []
    : [`The machine held the drill itself up for as long as: ${stalls.join(", ")}.`];
}

function goalLine({ text, came, reached }: Goal): string {
  return `${reached ? "reached    " : "NOT REACHED"}  ${text}: ${came}`;
}

function shown(value: number, unit: string): string {
  if (unit === "bytes") return `${(value / 1e6).toFixed(0)} MB`;
  if (unit === "ratio") return percent(value);
  const digits = value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${unit}`;
}
