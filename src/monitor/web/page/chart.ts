import type UPlot from "uplot";
import { h, svg } from "./dom.ts";
import { shown } from "./format.ts";

declare global {
  interface Window {
    uPlot?: typeof UPlot;
  }
}

let loading: Promise<typeof UPlot> | undefined;

/** The library that draws, fetched when the first chart is wanted. */
function library(): Promise<typeof UPlot> {
  loading ??= new Promise((resolve, reject) => {
    const ready = () => resolve(window.uPlot as typeof UPlot);
    if (window.uPlot !== undefined) return ready();
    const failed = () => {
      loading = undefined;
      reject(new Error("the library that draws charts could not be fetched"));
    };
    const style = Object.assign(document.createElement("link"), {
      rel: "stylesheet",
      href: "page/uplot.css",
    });
    const script = Object.assign(document.createElement("script"), { src: "page/uplot.js" });
    document.head.append(style, Object.assign(script, { onload: ready, onerror: failed }));
  });
  return loading;
}

/** What the pens stand for, in a list. */
export function key(names: Readonly<Partial<Record<keyof typeof PENS, string>>>): HTMLElement {
  const items = Object.entries(PENS).map(([pen, { colour, width, dash }]) => {
    const name = names[pen as keyof typeof PENS];
    const line = {
      stroke: `var(--${colour})`,
      "stroke-width": width || 10,
      "stroke-dasharray": dash.join(" "),
    };
    const mark = svg(
      "svg",
      { width: 26, height: 10, "aria-hidden": "true" },
      svg("path", { d: "M0 5h26", ...line }),
    );
    return name === undefined ? null : h("li", mark, name);
  });
  return h("ul.key", items);
}

type Value = number | null | undefined;

/** Points in the order of time. `null` is a gap, `undefined` merely no point: the line goes on. */
export interface Points {
  /** Seconds. */
  readonly at: readonly number[];
  readonly values: readonly Value[];
}

export const PENS = {
  observed: { colour: "link", width: 2, dash: [] },
  expected: { colour: "expected", width: 1.5, dash: [6, 3] },
  linear: { colour: "soft", width: 1.25, dash: [2, 3] },
  slo: { colour: "risk", width: 1.25, dash: [4, 4] },
  limit: { colour: "bad", width: 1.25, dash: [4, 4] },
  moment: { colour: "soft", width: 1.25, dash: [1, 3] },
  action: { colour: "ink", width: 1.25, dash: [] },
  /** Upper and lower edge of an interval, one after the other: the band between them is filled. */
  edge: { colour: "band", width: 0, dash: [] },
} as const;

export interface Line extends Points {
  readonly pen: keyof typeof PENS;
}

export interface Drawing {
  /** As many, with the same pens, in each drawing of one chart. */
  readonly lines: readonly Line[];
  /** What is shown, seconds and the signal's unit. */
  readonly window: readonly [number, number];
  readonly range: readonly [number, number];
  readonly slo: number;
  readonly limit: number;
  /** Moments, seconds, ascending: a mark above, and words where there is room before the next; without a mark below. */
  readonly marks: readonly { readonly at: number; readonly mark: string; readonly text?: string }[];
}

/** All lines along one axis of time. @internal for its tests */
export function join(lines: readonly Points[]): [number[], ...Value[][]] {
  const xs = [...new Set(lines.flatMap(({ at }) => at))].sort((a, b) => a - b);
  const position = new Map(xs.map((x, i) => [x, i]));
  const columns = lines.map(({ at, values }) => {
    const column = new Array<Value>(xs.length).fill(undefined);
    at.forEach((t, i) => {
      column[position.get(t) as number] = values[i];
    });
    return column;
  });
  return [xs, ...columns];
}

export interface Chart {
  update(drawing: Drawing): void;
  destroy(): void;
}

const HEIGHT = 220;
const TICKS = { grid: { width: 1 }, ticks: { show: false } };

/**
 * Draws into `host`.
 * @param given.time words of a moment on the axis, seconds; `utc`: whole hours there are those of UTC
 */
export async function drawChart(given: {
  readonly host: HTMLElement;
  readonly metric: string;
  readonly drawing: Drawing;
  readonly time: (seconds: number, position: number) => string;
  readonly utc?: boolean;
}): Promise<Chart> {
  const { host, metric, time, utc = false } = given;
  const Plot = await library();
  let now = given.drawing;
  const colours = palette();
  const axis = { ...TICKS, stroke: colours.soft, grid: { stroke: colours.line, width: 1 } };
  const edges = now.lines.flatMap(({ pen }, i) => (pen === "edge" ? i + 1 : []));
  const width = () => Math.max(280, host.clientWidth);
  const options: UPlot.Options = {
    width: width(),
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "helius" }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { range: () => [...now.window] }, y: { range: () => [...now.range] } },
    axes: [
      { ...axis, size: utc ? 44 : 28, values: (_plot, seconds) => seconds.map(time) },
      { ...axis, size: 68, values: (_plot, values) => values.map((v) => shown(metric, v)) },
    ],
    series: [
      {},
      ...now.lines.map(({ pen }) => {
        const { colour, width, dash } = PENS[pen];
        return { stroke: colours[colour], width, dash: [...dash], points: { show: false } };
      }),
    ],
    bands: edges.flatMap((high, k): UPlot.Band[] =>
      k % 2 === 0 ? [{ series: [high, edges[k + 1] ?? high], fill: colours.band }] : [],
    ),
    hooks: { draw: [(plot) => annotate(plot, now, metric, colours)] },
    ...(utc ? { tzDate: (seconds) => Plot.tzDate(new Date(1000 * seconds), "Etc/UTC") } : {}),
  };
  const plot = new Plot(options, join(now.lines) as UPlot.AlignedData, host);
  const resize = new ResizeObserver(() => plot.setSize({ width: width(), height: HEIGHT }));
  resize.observe(host);
  return {
    update(drawing) {
      now = drawing;
      plot.setData(join(drawing.lines) as UPlot.AlignedData);
    },
    destroy() {
      resize.disconnect();
      plot.destroy();
    },
  };
}

/** Thresholds, and what happened: lines with words, so that they read without colour. */
function annotate(plot: UPlot, now: Drawing, metric: string, colours: Colours): void {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const scale = devicePixelRatio;
  const line = (pen: keyof typeof PENS, ...points: readonly [number, number][]) => {
    const { colour, width, dash } = PENS[pen];
    ctx.strokeStyle = ctx.fillStyle = colours[colour];
    ctx.lineWidth = width * scale;
    ctx.setLineDash(dash.map((d) => d * scale));
    ctx.beginPath();
    for (const [x, y] of points) ctx.lineTo(x, y);
    ctx.stroke();
  };
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top - 14 * scale, width, height + 14 * scale);
  ctx.clip();
  ctx.font = `${11 * scale}px system-ui, sans-serif`;
  Object.assign(ctx, { textAlign: "left", textBaseline: "alphabetic" });
  for (const level of ["slo", "limit"] as const) {
    const y = plot.valToPos(now[level], "y", true);
    if (!(y >= top && y <= top + height)) continue;
    line(level, [left, y], [left + width, y]);
    const name = level === "slo" ? "SLO" : "limit";
    ctx.fillText(`${name} ${shown(metric, now[level])}`, left + 4 * scale, y - 4 * scale);
  }
  for (const { at, mark, text } of now.marks) {
    const x = plot.valToPos(at, "x", true);
    if (!(x >= left && x <= left + width)) continue;
    line(mark.startsWith("◆") ? "action" : "moment", [x, top], [x, top + height]);
    const next = now.marks.find((other) => other.mark === mark && other.at > at);
    const room = (next === undefined ? left + width : plot.valToPos(next.at, "x", true)) - x;
    const words =
      text === undefined || ctx.measureText(`${mark} ${text}`).width > room ? mark : `${mark} ${text}`;
    ctx.fillText(
      words.trim(),
      x - ctx.measureText(mark).width / 2 + (mark === "" ? 3 * scale : 0),
      mark === "" ? top + height - 5 * scale : top - 3 * scale,
    );
  }
  ctx.restore();
}

const NAMES = ["ink", "soft", "line", "link", "expected", "band", "risk", "bad"] as const;
type Colours = Readonly<Record<(typeof NAMES)[number], string>>;

/** The colours of the page as they are now: a canvas knows no variables. */
function palette(): Colours {
  const probe = document.createElement("i");
  document.body.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(NAMES.map((name) => [name, read(name)]));
  probe.remove();
  return found as Colours;
}
