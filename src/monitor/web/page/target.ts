import type { Decisions, Fleet, Past, TargetPast } from "../../report/wire.ts";
import { type Chart, drawChart, key } from "./chart.ts";
import { askAcknowledge, askSilence, choice } from "./controls.ts";
import { decisionTable } from "./decision-table.ts";
import { button, type Child, fill, h, page, section, setText, table } from "./dom.ts";
import { clockTime, measured, percent, plain, shown, signalTitle } from "./format.ts";
import { ask, CallError, type Line, linesOf, slot, type View } from "./live.ts";
import { badge, outcome, verdict, when, why } from "./parts.ts";
import { chartText, drawingOf, windowOf } from "./past.ts";

/** How much of the past the charts show: seconds and their name. */
const SPANS = [
  ["900", "15 minutes"],
  ["1800", "30 minutes"],
  ["3600", "1 hour"],
  ["7200", "2 hours"],
] as const;

const KEY = {
  observed: "observed",
  expected: "trend forecast, at the time that it is for",
  edge: "its 90 % interval",
  linear: "linear forecast",
  slo: "SLO",
  limit: "limit",
  action: "◆ an action, ✓ ↗ ✗ ? its verification",
};

/** One target: all its signals with forecasts, thresholds and actions on one time axis, and what was decided. */
export function target(name: string): View {
  const [charts, actions, decisions] = [h("div.charts"), h("div"), h("div")];
  const wrong = h("p.wrong", { role: "alert" });
  const silence = button("Silence…", () => askSilence(name));
  const answer = slot(["escalations"], (fleet) => answerButton(name, fleet), "span");
  const span = choice("Show the last", "span", SPANS, "1800");
  const panels = new Map<string, Panel>();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let past: TargetPast | undefined;
  let horizonS = 0;
  let [gone, busy] = [false, false];

  async function draw(): Promise<void> {
    if (past === undefined || gone) return;
    const spanS = Number(span.querySelector("select")?.value);
    const window = windowOf(past.series, spanS, horizonS);
    for (const one of past.series) {
      const panel = panels.get(one.metric) ?? makePanel(one.metric);
      if (!panels.has(one.metric)) charts.append(panel.root);
      panels.set(one.metric, panel);
      await panel.draw(one, past.actions, { horizonS, window });
      if (gone) panel.clear();
    }
  }

  function recolour(): void {
    for (const panel of panels.values()) panel.clear();
    void draw();
  }

  async function refresh(): Promise<void> {
    if (busy || gone) return;
    busy = true;
    try {
      past = await fetchPast(name, past);
      const about = new URLSearchParams({
        target: name,
        state: "acting,blocked,at_risk,no_data",
        limit: "15",
      });
      const found = await ask<Decisions>(`decisions?${about}`);
      if (gone) return;
      setText(wrong, "");
      fill(actions, actionTable(past.actions));
      fill(decisions, decisionTable(found.decisions, `The newest decisions on ${name}`, true));
      await draw();
    } catch (error) {
      const none = error instanceof CallError && error.status === 404;
      setText(wrong, none ? "The monitor knows nothing of this target yet." : (error as Error).message);
    } finally {
      busy = false;
    }
  }

  span.addEventListener("change", () => void draw());
  dark.addEventListener("change", recolour);
  return {
    title: name,
    root: page(
      name,
      h("p", silence, " ", answer),
      wrong,
      slot(["healed_by"], (fleet) => h("p.soft", fleet.parts.healed_by[name] ?? "")),
      slot(["rows"], (fleet) => summary(name, fleet)),
      section("Observed and forecast", h("div.inline", span, key(KEY)), charts),
      section("Actions", actions),
      section(
        "Decisions",
        decisions,
        h("p", h("a", { href: `#/decisions?${new URLSearchParams({ target: name })}` }, "All of them")),
      ),
    ),
    leave() {
      gone = true;
      dark.removeEventListener("change", recolour);
      for (const panel of panels.values()) panel.clear();
    },
    update(fleet, has) {
      horizonS = fleet.parts.horizon_seconds;
      if (has("cycle") || has("verifications")) void refresh();
    },
  };
}

function answerButton(name: string, { parts }: Fleet): Child {
  const escalated = parts.escalations.some((e) => e.target === name);
  return escalated && button("Answer the escalation…", () => askAcknowledge(name));
}

/** Asks for what is new, and keeps as much as the monitor keeps. */
async function fetchPast(name: string, past: TargetPast | undefined): Promise<TargetPast> {
  const after = past?.newest ?? -1;
  const query = new URLSearchParams({ target: name, after: String(after) });
  const next = await ask<TargetPast>(`series?${query}`);
  // After a restart of the monitor its cycles begin anew.
  if (next.newest < after) return fetchPast(name, undefined);
  const series = next.series.map((added) => {
    const before = past?.series.find((s) => s.metric === added.metric);
    return before === undefined ? added : lengthened(before, added, next.kept);
  });
  return { ...next, series };
}

/** Every list of `before` with what was added at its end, `kept` of it. */
function lengthened(before: Past, added: Past, kept: number): Past {
  const joined = Object.entries(added).map(([name, more]) => {
    const old = before[name as keyof Past];
    return [name, Array.isArray(old) && Array.isArray(more) ? [...old, ...more].slice(-kept) : more];
  });
  return Object.fromEntries(joined) as unknown as Past;
}

function summary(name: string, fleet: Fleet): HTMLElement {
  return table<Line>({
    caption: `Signals of ${name} now`,
    of: linesOf(fleet).filter((line) => line.target === name),
    columns: [
      ["State", (s) => badge(s.state)],
      ["Signal", (s) => signalTitle(s.metric)],
      ["Now", (s) => measured(s.metric, s.current, s.at_least), "n"],
      ["Forecast", (s) => shown(s.metric, s.forecast), "n"],
      ["SLO", (s) => shown(s.metric, s.slo), "n"],
      ["Limit", (s) => shown(s.metric, s.limit), "n"],
      ["Probability", (s) => s.probability?.toFixed(2) ?? "–", "n"],
      ["Why", (s) => why(s.detail, s.until), "why"],
    ],
    empty: "this target is not watched",
  });
}

interface Panel {
  readonly root: HTMLElement;
  draw(past: Past, actions: TargetPast["actions"], frame: Parameters<typeof drawingOf>[2]): Promise<void>;
  clear(): void;
}

function makePanel(metric: string): Panel {
  const host = h("div.plot", { role: "img" });
  const text = h("p.soft");
  const values = h("div");
  const details = h("details", h("summary", "The newest values as a table"), values);
  let chart: Chart | undefined;
  return {
    root: h("div.panel", h("h3", signalTitle(metric)), host, text, details),
    async draw(past, actions, frame) {
      setText(text, chartText(metric, past, frame.horizonS));
      host.setAttribute("aria-label", `${signalTitle(metric)}: ${text.textContent}`);
      const showValues = () => details.open && fill(values, valueTable(metric, past, frame.horizonS));
      details.ontoggle = showValues;
      showValues();
      const drawing = drawingOf(past, actions, frame);
      if (chart !== undefined) chart.update(drawing);
      else chart = await drawChart({ host, metric, drawing, time });
    },
    clear() {
      chart?.destroy();
      chart = undefined;
    },
  };
}

/** Hours and minutes in the viewer's zone; with seconds where there are some. */
function time(seconds: number): string {
  return clockTime(1000 * seconds, 1000 * seconds).replace(/:00$/, "");
}

const NEWEST = 20;

function valueTable(metric: string, past: Past, horizonS: number): HTMLElement {
  const write = (column: "observed" | "linear" | "trend" | "low" | "high") => (i: number) =>
    shown(metric, past[column][i]);
  return table({
    caption: `${signalTitle(metric)}: what was observed, and what was then forecast for ${horizonS} s later`,
    shown: true,
    layout: "wide",
    of: [...past.at.keys()].slice(-NEWEST).reverse(),
    columns: [
      ["At", (i) => when(past.at[i] as number)],
      ["Observed", write("observed"), "n"],
      ["Linear", write("linear"), "n"],
      ["Trend", write("trend"), "n"],
      ["Low", write("low"), "n"],
      ["High", write("high"), "n"],
      ["Probability", (i) => percent(past.probability[i]), "n"],
      ["Decision", (i) => plain(past.decision[i] ?? "")],
    ],
  });
}

const ACTIONS = 20;

function actionTable(actions: TargetPast["actions"]): HTMLElement {
  return table({
    caption: "Actions on this target, the newest first",
    of: actions.slice(0, ACTIONS),
    columns: [
      ["When", (a) => when(a.at)],
      ["Because", (a) => `${signalTitle(a.metric)}: ${a.because}`],
      ["Action", (a) => a.action],
      ["Forecast", (a) => shown(a.metric, a.forecast), "n"],
      ["Threshold", (a) => shown(a.metric, a.threshold), "n"],
      ["Outcome", outcome, "long"],
      [
        "Verification",
        ({ verification: v }) => [verdict(v), v === null ? null : h("span.soft", ` ${v.detail}`)],
        "long",
      ],
    ],
    empty: "nothing yet",
  });
}
