import { chartText, drawChart } from "./chart.js";
import { askAcknowledge, askSilence, choice } from "./controls.js";
import { decisionTable } from "./decision-table.js";
import { h, row, section, setText, svg, table } from "./dom.js";
import { calm, percent, plain, shown, signalTitle } from "./format.js";
import { ask, state, targets } from "./live.js";
import { badge, countdown, verdict, when, why } from "./parts.js";

const COLUMNS = [
  "cycle",
  "at",
  "observed",
  "age",
  "linear",
  "trend",
  "low",
  "high",
  "probability",
  "decision",
  "in_risk_state",
  "acted",
];

/** How much of the past the charts show: seconds and their name. */
const SPANS = [
  [900, "15 minutes"],
  [1800, "30 minutes"],
  [3600, "1 hour"],
  [7200, "2 hours"],
];

/** One target: all its signals with forecasts, thresholds and actions on one time axis, and what was decided. */
export function target(name) {
  const lines = h("div");
  const charts = h("div.charts");
  const actions = h("div");
  const decisions = h("div");
  const wrong = h("p.wrong", { role: "alert" });
  const answer = h("span");
  const span = choice(
    "Show the last",
    "span",
    SPANS.map(([seconds, text]) => [String(seconds), text]),
  );
  span.querySelector("select").value = String(SPANS[1][0]);
  const root = h(
    "div",
    {},
    h("h1", { tabindex: "-1" }, name),
    h("p", {}, h("button", { type: "button", onclick: () => askSilence(name) }, "Silence…"), " ", answer),
    wrong,
    lines,
    section("What it saw and expected", h("div.inline", {}, span, key()), charts),
    section("What was done", actions),
    section(
      "Decisions that were not calm",
      decisions,
      h(
        "p",
        {},
        h("a", { href: `#/decisions?target=${encodeURIComponent(name)}` }, "All decisions on this target"),
      ),
    ),
  );
  const page = { name, past: undefined, spanS: SPANS[1][0], panels: new Map(), gone: false, busy: false };
  span.addEventListener("change", () => {
    page.spanS = Number(span.querySelector("select").value);
    if (page.past !== undefined) void draw(page, charts);
  });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const recolour = () => void redraw(page, charts);
  dark.addEventListener("change", recolour);

  async function refresh() {
    if (page.busy || page.gone) return;
    page.busy = true;
    try {
      await fetchPast(page);
      const found = await ask(
        `api/v1/decisions?target=${encodeURIComponent(name)}&kind=acted,held,watching,blind&limit=15`,
      );
      if (page.gone) return;
      setText(wrong, "");
      actions.replaceChildren(actionTable(page.past.actions));
      decisions.replaceChildren(
        decisionTable(found.decisions, { caption: `The newest decisions on ${name}`, one: true }),
      );
      await draw(page, charts);
    } catch (error) {
      setText(wrong, error.status === 404 ? "The monitor knows nothing of this target yet." : error.message);
    } finally {
      page.busy = false;
    }
  }

  return {
    root,
    title: name,
    leave() {
      page.gone = true;
      dark.removeEventListener("change", recolour);
      for (const { chart } of page.panels.values()) chart?.destroy();
    },
    update(change) {
      if (state.series === undefined) return;
      if (change.all === true || change.rows.length > 0) lines.replaceChildren(summary(name));
      const escalated = (state.parts.escalations ?? []).some((e) => e.target === name);
      answer.replaceChildren(
        ...(escalated
          ? [h("button", { type: "button", onclick: () => askAcknowledge(name) }, "Answer the escalation…")]
          : []),
      );
      if (change.all === true || change.cycle || change.parts.includes("verified")) void refresh();
    },
  };
}

/** Asks for what is new, and keeps as much as the monitor keeps. */
async function fetchPast(page) {
  const after = page.past?.newest ?? -1;
  const query = `api/v1/series?target=${encodeURIComponent(page.name)}&after=${after}`;
  const next = await ask(query);
  const known = new Map(page.past?.series.map((s) => [s.metric, s]));
  // After a restart of the monitor its cycles begin anew.
  if (next.newest < after) {
    page.past = await ask(`api/v1/series?target=${encodeURIComponent(page.name)}`);
    return;
  }
  page.past = {
    ...next,
    series: next.series.map((series) => {
      const before = known.get(series.metric);
      if (before === undefined) return series;
      const joined = COLUMNS.map((column) => [
        column,
        [...before[column], ...series[column]].slice(-next.kept),
      ]);
      return { ...series, ...Object.fromEntries(joined) };
    }),
  };
}

function summary(name) {
  const found = targets().find((t) => t.name === name);
  return table({
    caption: `Signals of ${name} now`,
    hidden: true,
    head: [
      ["State"],
      ["Signal"],
      ["Now", "n"],
      ["Expected", "n"],
      ["SLO", "n"],
      ["Limit", "n"],
      ["Probability", "n"],
      ["Why"],
    ],
    rows: (found?.series ?? []).map((s) =>
      row(
        badge(s.kind),
        signalTitle(s.metric),
        [shown(s.metric, s.current), "n"],
        [shown(s.metric, s.forecast), "n"],
        [shown(s.metric, s.slo), "n"],
        [shown(s.metric, s.limit), "n"],
        [s.probability === null ? "–" : s.probability.toFixed(2), "n"],
        [
          h(
            "span",
            {},
            s.detail === null
              ? [calm(s.reason), s.until === null ? null : [" ", countdown(s.until)]]
              : why(s.detail, s.until),
          ),
          "why",
        ],
      ),
    ),
    empty: "this target is not watched",
  });
}

/**
 * The time that all charts show: so much of the past as was chosen, or as there is, and to the end of the forecasts. The
 * future has half of it at most.
 */
function windowOf({ past, spanS }, horizonS) {
  const known = past.series.filter((s) => s.at.length > 0);
  const end = Math.max(...known.map((s) => s.at.at(-1) / 1000));
  const oldest = Math.min(...known.map((s) => s.at[0] / 1000));
  return [Math.min(Math.max(oldest, end - spanS), end - horizonS), end + horizonS];
}

async function draw(page, charts) {
  const horizonS = state.parts.horizon_seconds;
  const shownWindow = windowOf(page, horizonS);
  for (const past of page.past.series) {
    const { metric } = past;
    let panel = page.panels.get(metric);
    if (panel === undefined) {
      panel = makePanel(metric);
      page.panels.set(metric, panel);
      charts.append(panel.root);
    }
    const text = chartText({ metric, past, horizonS });
    panel.host.setAttribute("aria-label", `${signalTitle(metric)}: ${text}`);
    setText(panel.text, text);
    if (panel.details.open) panel.values.replaceChildren(valueTable(metric, past, horizonS));
    panel.details.ontoggle = () => {
      if (panel.details.open) panel.values.replaceChildren(valueTable(metric, past, horizonS));
    };
    const actions = page.past.actions;
    if (panel.chart === undefined)
      panel.chart = await drawChart({
        host: panel.host,
        past,
        metric,
        horizonS,
        actions,
        window: shownWindow,
      });
    else panel.chart.update(past, actions, shownWindow);
    if (page.gone) panel.chart.destroy();
  }
}

async function redraw(page, charts) {
  for (const panel of page.panels.values()) {
    panel.chart?.destroy();
    panel.chart = undefined;
  }
  if (page.past !== undefined && !page.gone) await draw(page, charts);
}

function makePanel(metric) {
  const host = h("div.plot", { role: "img" });
  const text = h("p.soft");
  const values = h("div");
  const details = h("details", {}, h("summary", {}, "The newest values as a table"), values);
  return {
    root: h("div.panel", {}, h("h3", {}, signalTitle(metric)), host, text, details),
    host,
    text,
    values,
    details,
    chart: undefined,
  };
}

const NEWEST = 20;

function valueTable(metric, past, horizonS) {
  const count = past.at.length;
  const rows = Array.from({ length: Math.min(NEWEST, count) }, (_, k) => {
    const i = count - 1 - k;
    const write = (column) => [shown(metric, past[column][i]), "n"];
    return row(
      when(past.at[i]),
      write("observed"),
      write("linear"),
      write("trend"),
      write("low"),
      write("high"),
      [percent(past.probability[i]), "n"],
      plain(past.decision[i]),
    );
  });
  return table({
    stack: false,
    caption: `${signalTitle(metric)}: what was seen, and what was then expected ${horizonS} s later`,
    head: [
      ["At"],
      ["Seen", "n"],
      ["Line", "n"],
      ["Trend", "n"],
      ["Low", "n"],
      ["High", "n"],
      ["Probability", "n"],
      ["Decision"],
    ],
    rows,
  });
}

function actionTable(actions) {
  return table({
    caption: "Actions on this target, the newest first",
    hidden: true,
    head: [
      ["When"],
      ["Because of"],
      ["Action"],
      ["Forecast", "n"],
      ["Threshold", "n"],
      ["Outcome"],
      ["What it did"],
    ],
    rows: actions
      .slice(0, 20)
      .map((a) =>
        row(
          when(a.at),
          `${plain(a.trigger)}, ${signalTitle(a.metric)}`,
          a.action,
          [shown(a.metric, a.forecast), "n"],
          [shown(a.metric, a.threshold), "n"],
          [a.outcome_detail ? `${a.outcome}: ${a.outcome_detail}` : a.outcome, "long"],
          [
            h(
              "span",
              {},
              verdict(a.verified),
              a.verified === null ? null : h("span.soft", {}, ` ${a.verified.detail}`),
            ),
            "long",
          ],
        ),
      ),
  });
}

function key() {
  const mark = (kind, shape) =>
    svg(
      "svg",
      { width: 26, height: 10, "aria-hidden": "true" },
      shape === "box"
        ? svg("rect", { class: `s-${kind}`, x: 0, y: 0, width: 26, height: 10 })
        : svg("line", { class: `s-${kind}`, x1: 0, x2: 26, y1: 5, y2: 5 }),
    );
  return h(
    "ul.key",
    {},
    h("li", {}, mark("observed"), "seen"),
    h("li", {}, mark("expected"), "expected by the trend, at the time it speaks of"),
    h("li", {}, mark("band", "box"), "its 90 % interval"),
    h("li", {}, mark("linear"), "expected by the line"),
    h("li", {}, mark("slo"), "thresholds"),
    h("li", {}, "◆ an action, and ✓ ↗ ✗ ? what it did"),
  );
}
