import type { Decision } from "../../kernel/decision.ts";
import { explain } from "../../rules/explain.ts";
import { rank } from "../log.ts";
import { DECISION_KINDS, kindOf } from "./decision-log.ts";
import type { Rings } from "./rings.ts";

/** What a row of the fleet holds, in this order. */
export const ROW = [
  "current",
  "forecast",
  "probability",
  /** Larger is more urgent. */
  "rank",
  /** Position in `kinds`. */
  "kind",
  "reason",
  /** Seconds since the Unix epoch; null: not known. */
  "until",
  /** In plain words; null while nothing is wrong. */
  "detail",
] as const;

export type Row = readonly (number | string | null)[];

/** Points of the small line of a target in the overview. */
export const SPARK_POINTS = 40;
/** What the line shows at most, percent of the SLO. */
const SPARK_MAX = 999;

export function rowOf(d: Decision): Row {
  const verdict = d.verdicts.find((v) => v.predictor === d.predictor);
  const kind = kindOf(d);
  return [
    known(d.current),
    known(verdict?.forecast?.value),
    verdict?.forecast === undefined ? null : known(verdict.probability, 2),
    Number(rank(d).toFixed(1)),
    DECISION_KINDS.indexOf(kind),
    d.reason,
    d.untilMs === undefined || !Number.isFinite(d.untilMs) ? null : Math.round(d.untilMs / 1000),
    kind === "quiet" ? null : explain(d),
  ];
}

/** The worst share of its SLO of a target's signals, in percent, over the newest cycles; null where nothing is known. */
export function sparkOf(rings: Rings, decisions: readonly Decision[]): (number | null)[] {
  const shares = decisions.map((d) => ({
    slo: d.slo,
    values: rings.tail(d.target, d.signal, "observed", SPARK_POINTS),
  }));
  const count = Math.max(0, ...shares.map((s) => s.values.length));
  return Array.from({ length: count }, (_, i) => {
    const known = shares.map(({ slo, values }) => (values[i] ?? Number.NaN) / slo).filter(Number.isFinite);
    return known.length === 0 ? null : Math.min(SPARK_MAX, Math.round(100 * Math.max(...known)));
  });
}

/** Enough digits to read, few enough to send. */
function known(value: number | undefined, digits = 4): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(digits));
}
