import { clockMinutes, digits, shown } from "./format.js";
import { outcomeShape } from "./parts.js";

let loading;

/** The library that draws, fetched when the first chart is wanted. */
function library() {
  loading ??= new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "page/uplot.css" });
    const script = Object.assign(document.createElement("script"), { src: "page/uplot.js" });
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => {
      loading = undefined;
      reject(new Error("the library that draws charts could not be fetched"));
    };
    document.head.append(link, script);
  });
  return loading;
}

/**
 * Everything along one time axis, in seconds: what was observed at its own time, what had been expected at the time it
 * spoke of, up to now. `null` is a gap, `undefined` merely no point.
 * @param {object} past one series as the monitor tells it
 * @param {number} horizonS how far ahead the forecasts look
 */
export function align(past, horizonS) {
  const times = past.at.map((ms) => ms / 1000);
  const now = times.at(-1) ?? 0;
  const due = times.map((t) => t + horizonS).filter((t) => t <= now);
  const xs = [...new Set([...times, ...due])].sort((a, b) => a - b);
  const position = new Map(xs.map((x, i) => [x, i]));
  const along = (at, values) => {
    const column = new Array(xs.length).fill(undefined);
    at.forEach((t, i) => {
      column[position.get(t)] = values[i];
    });
    return column;
  };
  // Where a forecast is missing the line goes on: it may speak again in the next cycle.
  const expected = (values) =>
    along(
      due,
      values.map((v) => v ?? undefined),
    );
  return [
    xs,
    along(times, past.observed),
    expected(past.trend),
    expected(past.high),
    expected(past.low),
    expected(past.linear),
  ];
}

/**
 * The range of values that is shown: from zero to what was seen and expected, and to the SLO where that is near. Single
 * wild forecasts do not flatten the rest.
 */
export function rangeOf(past) {
  const seen = Math.max(0, ...past.observed.filter((v) => v !== null));
  const expected = [...past.trend, ...past.high].filter((v) => v !== null).sort((a, b) => a - b);
  const usual = expected[Math.floor(0.98 * (expected.length - 1))] ?? 0;
  const top = Math.max(seen, Math.min(usual, Math.max(4 * seen, 1.5 * past.slo)));
  return [0, 1.12 * (top > 0.25 * past.slo ? Math.max(top, past.slo) : top) || 1];
}

const SYNC = "helius";
const HEIGHT = 220;

/**
 * Draws one series into `host`.
 * @param {{host: HTMLElement, past: object, metric: string, horizonS: number, actions: object[], window: [number, number]}} given
 *   `window`: what all charts of the page show, seconds
 * @returns {Promise<{update: (past: object, actions: object[], window: [number, number]) => void, destroy: () => void}>}
 */
export async function drawChart({ host, past, metric, horizonS, actions, window: shownWindow }) {
  const UPlot = await library();
  const now = { past, actions, horizonS, window: shownWindow };
  const colour = palette();
  const options = {
    width: Math.max(280, host.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: SYNC }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { time: true, range: () => now.window }, y: { range: () => rangeOf(now.past) } },
    axes: [
      {
        stroke: colour.soft,
        grid: { stroke: colour.line, width: 1 },
        ticks: { show: false },
        size: 28,
        values: (_plot, seconds) => seconds.map((s) => clockMinutes(1000 * s)),
      },
      {
        stroke: colour.soft,
        grid: { stroke: colour.line, width: 1 },
        ticks: { show: false },
        size: 68,
        values: (_plot, values) => values.map((v) => shown(metric, v)),
      },
    ],
    series: [
      {},
      { stroke: colour.observed, width: 2, points: { show: false } },
      { stroke: colour.expected, width: 1.5, dash: [6, 3], points: { show: false } },
      { stroke: "transparent", points: { show: false } },
      { stroke: "transparent", points: { show: false } },
      { stroke: colour.soft, width: 1.25, dash: [2, 3], points: { show: false } },
    ],
    bands: [{ series: [3, 4], fill: colour.band }],
    hooks: {
      draw: [(plot) => annotate(plot, now, metric, colour)],
    },
  };
  const plot = new UPlot(options, align(past, horizonS), host);
  const resize = new ResizeObserver(() =>
    plot.setSize({ width: Math.max(280, host.clientWidth), height: HEIGHT }),
  );
  resize.observe(host);
  return {
    update(nextPast, nextActions, nextWindow) {
      Object.assign(now, { past: nextPast, actions: nextActions, window: nextWindow });
      plot.setData(align(nextPast, horizonS));
    },
    destroy() {
      resize.disconnect();
      plot.destroy();
    },
  };
}

/** What is expected from here on: a fan to the interval at the horizon, the trend in its middle, the line beside it. */
function fan(plot, past, horizonS, colour) {
  const { ctx } = plot;
  const last = (name) => past[name].at(-1) ?? undefined;
  const [start, value] = [past.at.at(-1) / 1000, last("observed")];
  if (value === undefined) return;
  const point = (seconds, v) => [plot.valToPos(seconds, "x", true), plot.valToPos(v, "y", true)];
  const from = point(start, value);
  const to = (name) => (last(name) === undefined ? undefined : point(start + horizonS, last(name)));
  const [low, high, trend, linear] = ["low", "high", "trend", "linear"].map(to);
  if (low !== undefined && high !== undefined) {
    ctx.fillStyle = colour.band;
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...high);
    ctx.lineTo(...low);
    ctx.fill();
  }
  const scale = devicePixelRatio;
  if (trend !== undefined)
    line({ ctx, stroke: colour.expected, dash: [6 * scale, 3 * scale], from, to: trend, scale });
  if (linear !== undefined)
    line({ ctx, stroke: colour.soft, dash: [2 * scale, 3 * scale], from, to: linear, scale });
}

/** Thresholds, the present, and what was done: lines with words, so that they read without colour. */
function annotate(plot, now, metric, colour) {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top - 14 * scale, width, height + 14 * scale);
  ctx.clip();
  fan(plot, now.past, now.horizonS, colour);
  ctx.font = `${11 * scale}px system-ui, sans-serif`;
  const level = (value, name, stroke) => {
    const y = plot.valToPos(value, "y", true);
    if (!(y >= top && y <= top + height)) return;
    line({ ctx, stroke, dash: [4 * scale, 4 * scale], from: [left, y], to: [left + width, y], scale });
    ctx.fillStyle = stroke;
    ctx.textAlign = "left";
    ctx.fillText(`${name} ${shown(metric, value)}`, left + 4 * scale, y - 4 * scale);
  };
  level(now.past.slo, "SLO", colour.slo);
  level(now.past.limit, "limit", colour.limit);
  const upright = (seconds, text, stroke, dash) => {
    const x = plot.valToPos(seconds, "x", true);
    if (!(x >= left && x <= left + width)) return;
    line({ ctx, stroke, dash, from: [x, top], to: [x, top + height], scale });
    ctx.fillStyle = stroke;
    ctx.textAlign = "center";
    ctx.fillText(text, x, top - 3 * scale);
  };
  const latest = now.past.at.at(-1);
  if (latest !== undefined) upright(latest / 1000, "now", colour.soft, [1 * scale, 3 * scale]);
  for (const action of now.actions) {
    const shape = action.verified === null ? "" : outcomeShape(action.verified.outcome);
    upright(Date.parse(action.at) / 1000, `◆${shape}`, colour.ink, []);
  }
  ctx.restore();
}

function line({ ctx, stroke, dash, from, to, scale }) {
  ctx.beginPath();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = 1.25 * scale;
  ctx.setLineDash(dash);
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
  ctx.setLineDash([]);
}

/** The colours of the page as they are now: a canvas knows no variables. */
function palette() {
  const probe = document.createElement("i");
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "soft", "line", "observed", "expected", "band", "slo", "limit"];
  const found = Object.fromEntries(names.map((name) => [name, read(name)]));
  probe.remove();
  return found;
}

/** What a chart says, in words. */
export function chartText({ metric, past, horizonS }) {
  const last = (name) => past[name].at(-1) ?? undefined;
  const write = (name) => shown(metric, last(name));
  const interval =
    last("low") === undefined || last("high") === undefined
      ? ""
      : ` (90 %: ${write("low")} to ${write("high")})`;
  const known = past.observed.filter((v) => v !== null);
  const span =
    known.length === 0
      ? "nothing known"
      : `between ${shown(metric, Math.min(...known))} and ${shown(metric, Math.max(...known))}`;
  return `now ${write("observed")}; in ${digits(horizonS)} s the trend expects ${write("trend")}${interval}, the line ${write("linear")}; SLO ${shown(metric, past.slo)}; ${span} in what is remembered`;
}
