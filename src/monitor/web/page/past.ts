import type { Column, Past, TargetPast } from "../../report/wire.ts";
import type { Drawing, Line, Points } from "./chart.ts";
import { digits, shown } from "./format.ts";
import { outcomeShape } from "./parts.ts";

/** What the charts of a target are drawn from. */
type Drawn = Pick<Past, Column | "at" | "slo" | "limit">;
type Seen = Pick<Drawn, "at" | "observed" | "trend" | "high" | "low" | "linear">;

const seconds = (ms: number) => ms / 1000;
const last = (values: readonly (number | null)[]) => values.at(-1) ?? undefined;

/** What was seen at its own time, and what had been expected at the time it spoke of, up to now. */
function known(past: Seen, horizonS: number): Line[] {
  const at = past.at.map(seconds);
  const now = at.at(-1) ?? 0;
  const due = at.map((t) => t + horizonS).filter((t) => t <= now);
  // Where a forecast is missing the line goes on: there may be one again in the next cycle.
  const expected = (pen: Line["pen"], values: Past["trend"]): Line => ({
    ...{ pen, at: due, values: values.map((v) => v ?? undefined) },
  });
  return [
    { pen: "observed", at, values: past.observed },
    expected("expected", past.trend),
    expected("edge", past.high),
    expected("edge", past.low),
    expected("linear", past.linear),
  ];
}

/** What is expected from here on: lines from what was seen last to the horizon. */
function ahead(past: Seen, horizonS: number): Line[] {
  const now = seconds(past.at.at(-1) ?? 0);
  const from = last(past.observed);
  const to = (pen: Line["pen"], values: Past["trend"]): Line => {
    const points: Points = { at: [now, now + horizonS], values: [from, last(values)] };
    return { pen, ...(points.values.includes(undefined) ? { at: [], values: [] } : points) };
  };
  return [to("expected", past.trend), to("edge", past.high), to("edge", past.low), to("linear", past.linear)];
}

/**
 * The range of values that is shown: from zero to what was seen and expected, and to the SLO where that is near. Single
 * wild forecasts do not flatten the rest.
 */
function rangeOf(past: Pick<Drawn, "observed" | "trend" | "high" | "slo">): [number, number] {
  const seen = Math.max(0, ...past.observed.map((v) => v ?? 0));
  const expected = [...past.trend, ...past.high].filter((v) => v !== null).sort((a, b) => a - b);
  const usual = expected[Math.floor(0.98 * (expected.length - 1))] ?? 0;
  const top = Math.max(seen, Math.min(usual, Math.max(4 * seen, 1.5 * past.slo)));
  return [0, 1.12 * (top > 0.25 * past.slo ? Math.max(top, past.slo) : top) || 1];
}

/**
 * The time that all charts of a target show: so much of the past as was chosen, or as there is, and to the end of the
 * forecasts. The future has half of it at most.
 */
export function windowOf(series: readonly Drawn[], spanS: number, horizonS: number): [number, number] {
  const known = series.filter((s) => s.at.length > 0);
  const end = Math.max(...known.map((s) => seconds(s.at.at(-1) as number)));
  const oldest = Math.min(...known.map((s) => seconds(s.at[0] as number)));
  return [Math.min(Math.max(oldest, end - spanS), end - horizonS), end + horizonS];
}

export function drawingOf(
  past: Drawn,
  actions: TargetPast["actions"],
  { horizonS, window }: { readonly horizonS: number; readonly window: [number, number] },
): Drawing {
  const now = past.at.at(-1);
  return {
    lines: [...known(past, horizonS), ...ahead(past, horizonS)],
    ...{ window, range: rangeOf(past), slo: past.slo, limit: past.limit },
    marks: [
      ...actions.map((a) => ({ at: seconds(Date.parse(a.at)), mark: `◆${outcomeShape(a.verification)}` })),
      ...(now === undefined ? [] : [{ at: seconds(now), mark: "now" }]),
    ],
  };
}

/** What a chart says, in words. */
export function chartText(metric: string, past: Drawn, horizonS: number): string {
  const write = (name: Column) => shown(metric, last(past[name]));
  const interval =
    last(past.low) === undefined || last(past.high) === undefined
      ? ""
      : ` (90 %: ${write("low")} to ${write("high")})`;
  const values = past.observed.filter((v) => v !== null);
  const span =
    values.length === 0
      ? "nothing known"
      : `between ${shown(metric, Math.min(...values))} and ${shown(metric, Math.max(...values))}`;
  return `now ${write("observed")}; in ${digits(horizonS)} s the trend forecast is ${write("trend")}${interval}, the linear one ${write("linear")}; SLO ${shown(metric, past.slo)}; ${span} in what is remembered`;
}
