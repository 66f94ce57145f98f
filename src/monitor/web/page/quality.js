import { h, row, section, table } from "./dom.js";
import { percent, signalTitle } from "./format.js";
import { state } from "./live.js";
import { when } from "./parts.js";

/** How good the forecasts have been, how the sources do, and what else was noticed. */
export function quality() {
  const forecasts = h("div");
  const sources = h("div");
  const notices = h("div");
  const root = h(
    "div",
    {},
    h("h1", { tabindex: "-1" }, "Forecast quality"),
    h(
      "p.soft",
      {},
      "Every forecast is scored when its time comes. Interval: share of what came that lay within it, of the share that should.",
    ),
    forecasts,
    section("Sources", sources),
    section("Notices", notices),
  );
  return {
    root,
    update(change) {
      if (state.series === undefined) return;
      const has = (part) => change.all === true || change.parts.includes(part);
      if (has("last_cycle")) {
        forecasts.replaceChildren(qualityTable());
        sources.replaceChildren(sourceTable());
      }
      if (has("notices")) notices.replaceChildren(noticeTable());
    },
  };
}

function qualityTable() {
  return table({
    caption: "Each predictor, signal by signal",
    hidden: true,
    head: [
      ["Predictor"],
      ["Signal"],
      ["Scored", "n"],
      ["Mean error", "n"],
      ["In the interval", "n"],
      ["Alarms true / false / late", "n"],
      ["Mean lead", "n"],
      ["Judgement"],
    ],
    rows: (state.parts.last_cycle?.forecast_quality ?? []).map((q) =>
      row(
        q.predictor,
        signalTitle(q.signal),
        [String(q.scored), "n"],
        [percent(q.mape), "n"],
        [
          q.nominalCoverage === undefined ? "–" : `${percent(q.coverage)} of ${percent(q.nominalCoverage)}`,
          "n",
        ],
        [`${q.alarms.true} / ${q.alarms.false} / ${q.alarms.late}`, "n"],
        [q.alarms.meanLeadS === undefined ? "–" : `${Math.round(q.alarms.meanLeadS)} s`, "n"],
        [`${q.judgement}: ${q.judgement_detail}`, "long"],
      ),
    ),
    empty: "no forecast has been scored yet",
  });
}

function sourceTable() {
  return table({
    caption: "Series that each source had in the last cycle",
    head: [
      ["Source"],
      ["Usable", "n"],
      ["Missing", "n"],
      ["Stale", "n"],
      ["Invalid", "n"],
      ["Unreachable", "n"],
      ["Took", "n"],
      ["What was wrong"],
    ],
    rows: (state.parts.last_cycle?.sources ?? []).map((s) =>
      row(
        s.name,
        ...["ok", "missing", "stale", "invalid", "unreachable"].map((k) => [String(s[k]), "n"]),
        [`${Math.round(s.durationMs)} ms`, "n"],
        [s.detail ?? "–", "long"],
      ),
    ),
  });
}

function noticeTable() {
  return table({
    caption: "What a person should know, the newest first",
    hidden: true,
    head: [["When"], ["What"], ["More"]],
    rows: (state.parts.notices ?? []).map(({ at, event, ...fields }) =>
      row(when(at), event, [
        Object.entries(fields)
          .map(([name, value]) => `${name}: ${value}`)
          .join(", "),
        "long",
      ]),
    ),
    empty: "none",
  });
}
