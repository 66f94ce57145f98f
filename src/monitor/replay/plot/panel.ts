import type { Signal } from "../../kernel/signal.ts";
import type { ReplayedAction } from "../engine/engine.ts";
import { type SeriesHistory, usualStepMs } from "../input/history.ts";
import type { Incident } from "../input/labels.ts";
import { type Scale, scale, timeTicks, valueTicks, withUnit } from "./axis.ts";
import type { SeriesTrace } from "./trace.ts";
import { escapeXml } from "./xml.ts";

export const WIDTH = 980;
export const PANEL_HEIGHT = 232;
const LEFT = 84;
const RIGHT = 16;
const TOP = 34;
const BOTTOM = 34;

/** One series to draw. */
export interface Panel {
  readonly series: SeriesHistory;
  readonly signal: Signal;
  readonly trace: SeriesTrace;
  readonly actions: readonly ReplayedAction[];
  readonly incidents: readonly Incident[];
}

interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  readonly top: number;
  readonly bottom: number;
}

/** Draws one panel whose upper edge is at `offset` pixels. */
export function drawPanel(panel: Panel, offset: number, index: number): string {
  const { series, signal } = panel;
  const top = offset + TOP;
  const bottom = offset + PANEL_HEIGHT - BOTTOM;
  const fromMs = series.timesMs[0] as number;
  const toMs = Math.max(fromMs + 1, series.timesMs[series.count - 1] as number);
  const highest = topValue(panel);
  const frame: Frame = {
    x: scale(fromMs, toMs, LEFT, WIDTH - RIGHT),
    y: scale(0, highest, bottom, top),
    top,
    bottom,
  };
  const { limit } = signal.thresholds;
  const beyond = limit > highest ? `, hard limit ${withUnit(limit, signal.unit)} lies above` : "";
  const heading = `${series.target} / ${series.signal}, ${signal.unit}${beyond}`;
  return `<g>
<text x="16" y="${offset + 20}" font-weight="600">${escapeXml(heading)}</text>
<clipPath id="clip${index}"><rect x="${LEFT}" y="${top}" width="${WIDTH - LEFT - RIGHT}" height="${bottom - top}"/></clipPath>
${axes(frame, signal)}
<g clip-path="url(#clip${index})">
${interval(panel.trace, frame)}
<path d="${forecastPath(panel.trace, frame)}" fill="none" stroke="#1f5fa8" stroke-width="1.4" stroke-dasharray="5 3"/>
<path d="${observedPath(series, frame)}" fill="none" stroke="#1a1a1a" stroke-width="1.6" stroke-linejoin="round"/>
</g>
${thresholds(signal, frame)}
${panel.incidents.map((incident) => incidentMarks(incident, frame)).join("\n")}
${actionMarks(panel.actions, signal, frame)}
</g>`;
}

/** The highest value shown: all that was observed, the SLO, and the limit where it is not far above. */
function topValue({ series, signal, trace }: Panel): number {
  const { slo, limit } = signal.thresholds;
  let seen = slo;
  for (let i = 0; i < series.count; i++)
    if ((series.values[i] as number) > seen) seen = series.values[i] as number;
  let foreseen = 0;
  for (const v of trace.forecast) if (v > foreseen) foreseen = v;
  // A wild forecast must not squeeze what was observed into a flat line: what is above is cut off.
  const high = Math.max(seen, Math.min(foreseen, 1.5 * seen));
  return 1.08 * (limit <= 1.6 * high ? Math.max(limit, high) : high);
}

/** Text over lines stays readable. */
const HALO = 'stroke="#ffffff" stroke-width="3" paint-order="stroke"';

const px = (value: number): string => value.toFixed(1);

function axes({ x, y, top, bottom }: Frame, signal: Signal): string {
  const right = WIDTH - RIGHT;
  const rows = valueTicks(0, y.to, 5).map(
    (v) =>
      `<line x1="${LEFT}" x2="${right}" y1="${px(y(v))}" y2="${px(y(v))}" stroke="#e4e4e4"/><text x="${LEFT - 6}" y="${px(y(v) + 4)}" text-anchor="end">${escapeXml(withUnit(v, signal.unit === "bytes" ? "B" : signal.unit === "messages" ? "" : signal.unit).trim())}</text>`,
  );
  const columns = timeTicks(x.from, x.to, 7).map(
    ({ atMs, text }) =>
      `<line x1="${px(x(atMs))}" x2="${px(x(atMs))}" y1="${bottom}" y2="${bottom + 5}" stroke="#666"/><text x="${px(x(atMs))}" y="${bottom + 18}" text-anchor="middle">${escapeXml(text)}</text>`,
  );
  return `${rows.join("")}<path d="M${LEFT} ${top} V${bottom} H${right}" fill="none" stroke="#666"/>${columns.join("")}`;
}

/** The observed line; more samples than pixels are drawn as the span from lowest to highest of each pixel. */
function observedPath(series: SeriesHistory, { x, y }: Frame): string {
  const { timesMs, values, count } = series;
  const gapMs = 3 * usualStepMs(series);
  let path = "";
  let lastMs = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; ) {
    const t = timesMs[i] as number;
    const column = Math.round(x(t));
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    let last = Number.NaN;
    let newestMs = lastMs;
    const before = lastMs;
    for (; i < count && Math.round(x(timesMs[i] as number)) === column; i++) {
      const v = values[i] as number;
      if (!(v >= 0)) continue;
      low = Math.min(low, v);
      high = Math.max(high, v);
      last = v;
      newestMs = timesMs[i] as number;
    }
    if (Number.isNaN(last)) continue;
    lastMs = newestMs;
    const at = px(x(newestMs));
    const pen = newestMs - before > gapMs || path === "" ? "M" : "L";
    path +=
      low === high
        ? `${pen}${at} ${px(y(last))}`
        : `${pen}${at} ${px(y(low))}L${at} ${px(y(high))}L${at} ${px(y(last))}`;
    // A lone sample between gaps still shows as a dot.
    if (pen === "M") path += "h0.1";
  }
  return path;
}

function* points(trace: SeriesTrace): Generator<{ atMs: number; k: number }> {
  for (let k = 0; k < trace.forecast.length; k++)
    if (!Number.isNaN(trace.forecast[k] as number))
      yield { atMs: trace.fromMs + (k + 0.5) * trace.columnMs, k };
}

/** Columns may be narrower than the cycle: neighbours up to this many columns apart are joined. */
const JOIN = 40;

function forecastPath(trace: SeriesTrace, { x, y }: Frame): string {
  let path = "";
  let before = Number.NEGATIVE_INFINITY;
  for (const { atMs, k } of points(trace)) {
    path += `${k - before > JOIN ? "M" : "L"}${px(x(atMs))} ${px(y(trace.forecast[k] as number))}`;
    before = k;
  }
  return path;
}

function interval(trace: SeriesTrace, { x, y }: Frame): string {
  const runs: { atMs: number; k: number }[][] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const point of points(trace)) {
    if (Number.isNaN(trace.low[point.k] as number) || Number.isNaN(trace.high[point.k] as number)) continue;
    if (point.k - before > JOIN) runs.push([]);
    runs.at(-1)?.push(point);
    before = point.k;
  }
  return runs
    .map((run) => {
      const up = run.map((p) => `${px(x(p.atMs))} ${px(y(trace.high[p.k] as number))}`);
      const down = run.toReversed().map((p) => `${px(x(p.atMs))} ${px(y(trace.low[p.k] as number))}`);
      return `<path d="M${[...up, ...down].join("L")}Z" fill="url(#hatch)"/>`;
    })
    .join("");
}

function thresholds(signal: Signal, { y }: Frame): string {
  const { slo, limit } = signal.thresholds;
  const right = WIDTH - RIGHT;
  const line = (value: number, name: string, style: string) =>
    value > y.to
      ? ""
      : `<line x1="${LEFT}" x2="${right}" y1="${px(y(value))}" y2="${px(y(value))}" ${style}/><text x="${LEFT + 6}" y="${px(y(value) - 4)}" ${HALO}>${escapeXml(`${name} ${withUnit(value, signal.unit)}`)}</text>`;
  return (
    line(slo, "SLO", 'stroke="#8a5a00" stroke-width="1.3" stroke-dasharray="9 3 2 3"') +
    line(limit, "hard limit", 'stroke="#a01515" stroke-width="1.3" stroke-dasharray="14 4"')
  );
}

function incidentMarks({ onsetMs, breachMs }: Incident, { x, top, bottom }: Frame): string {
  const mark = (ms: number, text: string) =>
    ms < x.from || ms > x.to
      ? ""
      : `<line x1="${px(x(ms))}" x2="${px(x(ms))}" y1="${top}" y2="${bottom}" stroke="#1a1a1a" stroke-dasharray="1 3"/><text x="${px(x(ms) + 3)}" y="${bottom - 5}" font-size="11" ${HALO}>${text}</text>`;
  const near = x(breachMs) - x(onsetMs) < 36;
  return near
    ? mark(onsetMs, onsetMs === breachMs ? "onset and breach" : "onset") + mark(breachMs, "")
    : mark(onsetMs, "onset") + mark(breachMs, "breach");
}

/** Markers with a reason each; where they stand too close to be read, only the markers. */
function actionMarks(actions: readonly ReplayedAction[], signal: Signal, { x, top, bottom }: Frame): string {
  let free = Number.NEGATIVE_INFINITY;
  return actions
    .map((action) => {
      const at = x(Math.min(action.atMs, x.to));
      const fits = at >= free;
      if (fits) free = at + 90;
      const right = at > WIDTH - RIGHT - 100;
      const what =
        action.forecast === undefined ? "" : `, forecast ${withUnit(action.forecast, signal.unit)}`;
      const text = fits
        ? `<text x="${px(at + (right ? -9 : 9))}" y="${top - 1}" font-size="11" ${HALO} text-anchor="${right ? "end" : "start"}">${escapeXml(action.reason)}</text>`
        : "";
      return `<g><title>${escapeXml(`${action.reason}${what}, probability ${action.probability.toFixed(2)}`)}</title><line x1="${px(at)}" x2="${px(at)}" y1="${top}" y2="${bottom}" stroke="#0b6b3a" stroke-width="1.2"/><path d="M${px(at - 6)} ${top - 10} h12 l-6 11 z" fill="#0b6b3a"/>${text}</g>`;
    })
    .join("");
}
