import { type Decision, namedVerdict } from "../../kernel/decision.ts";
import { brief, explain } from "../../rules/explain.ts";
import { figure } from "../json.ts";
import { rank } from "../log.ts";
import { stateOf } from "./decision-log.ts";
import type { Rings } from "./rings.ts";

/** One series now. It is sent as the list of its values; the fleet tells their names once. */
export type Row = ReturnType<typeof rowOf>;
/** A list so that changes are short, and all of one length. */
export type RowValues = readonly Row[keyof Row][];

/** Points of the small line of a target in the overview. */
const SPARK_POINTS = 40;
/** What the line shows at most, percent of the SLO. */
const SPARK_MAX = 999;

/** Four digits are enough to read, and few enough to send. */
export function rowOf(d: Decision) {
  const verdict = namedVerdict(d);
  const state = stateOf(d);
  return {
    current: figure(d.current, 4),
    /** Whether the current value is only the least that it can be. */
    at_least: d.atLeast === true,
    forecast: figure(verdict?.forecast?.value, 4),
    probability: figure(verdict?.forecast && verdict.probability, 2),
    /** Larger is more urgent. */
    rank: Number(rank(d).toFixed(1)),
    state,
    /** Seconds since the Unix epoch; null: not known. */
    until: d.untilMs === undefined || !Number.isFinite(d.untilMs) ? null : Math.round(d.untilMs / 1000),
    /** Why, in plain words. */
    detail: state === "ok" ? brief(d.reason) : explain(d),
  };
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
