import { textTable } from "../../../common/text/table.ts";
import type { Target } from "../../kernel/target.ts";
import { formatNumber } from "../../kernel/text.ts";
import type { ReplayedAction } from "../engine/engine.ts";
import type { Judged, Score } from "../score.ts";
import type { MethodScores, Summary } from "./json.ts";
import { showTime } from "./time.ts";

/** Most actions listed one by one. */
const MOST_ACTIONS = 200;

/** The actions, for people. */
export function actionTable(actions: readonly ReplayedAction[], targets: readonly Target[]): string {
  if (actions.length === 0) return "No action would have been taken.";
  const units = new Map(targets.flatMap((t) => t.signals.map((s) => [s.name, s.unit])));
  const rows = actions
    .slice(0, MOST_ACTIONS)
    .map((a) => [
      showTime(a.atMs),
      a.target,
      a.signal,
      `${a.reason} (${a.predictor})`,
      a.forecast === undefined ? "" : `${formatNumber(a.forecast)} ${units.get(a.signal) ?? ""}`,
      a.probability.toFixed(2),
    ]);
  const head = ["time", "target", "signal", "reason", "forecast", "probability"];
  const table = textTable([head, ...rows], head.length - 1);
  const more = actions.length - rows.length;
  return more === 0 ? table : `${table}\n… and ${more} more; --output json lists them all`;
}

const COUNTED = ["method", "signal", "series", "actions"];
const JUDGED = [
  "incidents",
  "detected",
  "share",
  "late",
  "lead mean s",
  "lead median s",
  "false",
  "false a day",
  "healthy days",
];

/** How each method did, signal by signal; columns that need labels only with labels. */
export function scoreTable(methods: readonly MethodScores[]): string {
  const labelled = methods.some((m) => m.scores.some((s) => s.judged !== undefined));
  const rows = methods.flatMap((m) =>
    shown(m.scores).map((s) => [
      m.method,
      s.signal,
      `${s.judged?.series ?? s.series}`,
      `${s.actions}`,
      ...(s.judged === undefined ? [] : judgedCells(s.judged)),
    ]),
  );
  return textTable([labelled ? [...COUNTED, ...JUDGED] : COUNTED, ...rows], 2);
}

/** With a single signal the line over all says the same again. */
function shown(scores: readonly Score[]): readonly Score[] {
  return scores.length === 2 ? scores.slice(0, 1) : scores;
}

function judgedCells(j: Judged): string[] {
  return [
    `${j.incidents}`,
    `${j.detected}`,
    j.incidents === 0 ? "-" : `${Math.round((100 * j.detected) / j.incidents)}%`,
    `${j.late}`,
    j.leadMeanS === undefined ? "-" : j.leadMeanS.toFixed(0),
    j.leadMedianS === undefined ? "-" : j.leadMedianS.toFixed(0),
    `${j.falseActions}`,
    j.falsePerDay === undefined ? "-" : j.falsePerDay.toFixed(2),
    j.healthyDays.toFixed(2),
  ];
}

/** The closing line. */
export function summaryText({ series, samples, actions, wallMs }: Summary): string {
  const s = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const counted = series === 1 ? "1 series" : `${series} series`;
  return `${counted}, ${s(samples, "sample")}, ${s(actions, "action")}, ${(wallMs / 1000).toFixed(2)} s`;
}
