import type { Plot } from "../../replay/plot/panels.ts";
import { drawChart, key } from "./chart.ts";
import { h, page, section, table } from "./dom.ts";
import { shown, signalTitle } from "./format.ts";

// The page of a replay, which stands in one file with its data and everything it needs.

const { title, note, horizonS, panels } = JSON.parse(
  document.getElementById("data")?.textContent ?? "",
) as Plot;
document.title = title;
document.body.append(
  h(
    "main",
    page(
      title,
      h("p.soft", note),
      key({
        observed: "observed",
        expected: `forecast, ${horizonS} s ahead, at the time that it is for`,
        edge: "its 90 % interval",
        slo: "SLO",
        limit: "hard limit",
        action: "action",
        moment: "onset, breach",
      }),
      h("div.charts", panels.map(panelOf)),
    ),
  ),
);

function panelOf(panel: Plot["panels"][number]): HTMLElement {
  const { target, metric, observed, forecast, actions, ...drawing } = panel;
  const { limit, range } = drawing;
  const beyond = limit > range[1] ? `, hard limit ${shown(metric, limit)} lies above` : "";
  const heading = `${target}: ${signalTitle(metric)}${beyond}`;
  const { at } = forecast;
  const host = h("div.plot", { role: "img", "aria-label": `${heading}: ${actions.length} actions` });
  void drawChart({
    ...{ host, metric, time: clock(drawing.window[0]), utc: true },
    drawing: {
      ...drawing,
      lines: [
        { pen: "observed", ...observed },
        { pen: "expected", at, values: forecast.value },
        { pen: "edge", at, values: forecast.high },
        { pen: "edge", at, values: forecast.low },
      ],
    },
  });
  return section(
    heading,
    host,
    table({
      caption: `Actions on ${heading}`,
      of: actions,
      columns: [
        ["When", (a) => a.time],
        ["Because", (a) => a.because],
        ["Forecast", (a) => shown(metric, a.forecast), "n"],
        ["Probability", (a) => a.probability.toFixed(2), "n"],
      ],
      empty: "no action",
    }),
  );
}

/** Words of a moment: the time of day, with the date at the first one and at midnight; or hours, counted from zero. */
function clock(from: number): (seconds: number, i: number) => string {
  return (seconds, i) => {
    const iso = new Date(1000 * seconds).toISOString();
    const time = iso.slice(11, seconds % 60 === 0 ? 16 : 19);
    if (from < 1e8) return `${Math.floor(seconds / 3600)}${time.slice(2)}`;
    return i === 0 || seconds % 86_400 === 0 ? `${time}\n${iso.slice(0, 10)}` : time;
  };
}
