import { seriesKey, type Target } from "../../kernel/target.ts";
import type { ReplayedAction } from "../engine/engine.ts";
import type { History, SeriesHistory } from "../input/history.ts";
import type { Incident, Labels } from "../input/labels.ts";
import { drawPanel, PANEL_HEIGHT, type Panel, WIDTH } from "./panel.ts";
import type { Trace } from "./trace.ts";
import { escapeXml } from "./xml.ts";

/** Most panels in one file. */
const MOST_PANELS = 24;

export interface PlotInput {
  readonly history: History;
  readonly targets: readonly Target[];
  readonly actions: readonly ReplayedAction[];
  readonly labels: Labels | undefined;
  readonly trace: Trace;
  /** Forecast horizon, seconds. */
  readonly horizonS: number;
}

const HEAD = 74;
const FOOT = 26;

/**
 * A self-contained SVG: one panel a series, those with an action first, then those with an incident.
 * Lines differ by dash and width and everything is named, so that it reads without colour.
 */
export function renderSvg(input: PlotInput): string {
  const panels = choosePanels(input);
  const shown = panels.slice(0, MOST_PANELS);
  const left = panels.length - shown.length;
  const height = HEAD + shown.length * PANEL_HEIGHT + FOOT;
  const n = input.actions.length;
  const title = `Replay: ${panels.length} series, ${n} action${n === 1 ? "" : "s"}`;
  const foot =
    left === 0
      ? "Times are UTC."
      : `Times are UTC. ${left} more series are left out (at most ${MOST_PANELS} panels).`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#1a1a1a" role="img" aria-label="${escapeXml(title)}">
<title>${escapeXml(title)}</title>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#dbe7f5"/><line x1="0" y1="0" x2="0" y2="6" stroke="#9db8d9" stroke-width="1.4"/></pattern></defs>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="26" font-size="16" font-weight="600">${escapeXml(title)}</text>
${legend(input.horizonS)}
${shown.map((panel, i) => drawPanel(panel, HEAD + i * PANEL_HEIGHT, i)).join("\n")}
<text x="16" y="${height - 9}">${escapeXml(foot)}</text>
</svg>
`;
}

function legend(horizonS: number): string {
  const y = 52;
  const item = (x: number, mark: string, text: string) =>
    `${mark}<text x="${x + 34}" y="${y}">${escapeXml(text)}</text>`;
  const line = (x: number, style: string) =>
    `<line x1="${x}" x2="${x + 28}" y1="${y - 4}" y2="${y - 4}" ${style}/>`;
  return [
    item(16, line(16, 'stroke="#1a1a1a" stroke-width="1.6"'), "observed"),
    item(
      120,
      line(120, 'stroke="#1f5fa8" stroke-width="1.4" stroke-dasharray="5 3"'),
      `forecast, ${horizonS} s ahead, at the time it speaks of`,
    ),
    item(436, `<rect x="436" y="${y - 11}" width="28" height="13" fill="url(#hatch)"/>`, "its interval"),
    item(556, line(556, 'stroke="#8a5a00" stroke-width="1.3" stroke-dasharray="9 3 2 3"'), "SLO"),
    item(634, line(634, 'stroke="#a01515" stroke-width="1.3" stroke-dasharray="14 4"'), "hard limit"),
    item(748, `<path d="M${762 - 6} ${y - 11} h12 l-6 11 z" fill="#0b6b3a"/>`, "action"),
    item(840, line(840, 'stroke="#1a1a1a" stroke-width="1" stroke-dasharray="1 3"'), "onset, breach"),
  ].join("");
}

interface Candidate {
  readonly series: SeriesHistory;
  readonly actions: readonly ReplayedAction[];
  readonly incidents: readonly Incident[];
}

function choosePanels(input: PlotInput): Panel[] {
  const actions = Map.groupBy(input.actions, (a) => seriesKey(a.target, a.signal));
  const targets = new Map(input.targets.map((t) => [t.name, t]));
  const candidates = input.history.series.map((series): Candidate => {
    const key = seriesKey(series.target, series.signal);
    return { series, actions: actions.get(key) ?? [], incidents: input.labels?.get(key) ?? [] };
  });
  const rank = (c: Candidate) => (c.actions.length > 0 ? 2 : c.incidents.length > 0 ? 1 : 0);
  return candidates
    .toSorted((a, b) => rank(b) - rank(a))
    .flatMap((c): Panel[] => {
      const signal = targets.get(c.series.target)?.signals.find((s) => s.name === c.series.signal);
      const trace = input.trace.get(seriesKey(c.series.target, c.series.signal));
      return signal === undefined || trace === undefined ? [] : [{ ...c, signal, trace }];
    });
}
