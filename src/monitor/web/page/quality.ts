import type { Overview } from "../../report/wire.ts";
import { h, page, section, table } from "./dom.ts";
import { percent, signalTitle } from "./format.ts";
import { slot, type View } from "./live.ts";
import { pairs, when } from "./parts.ts";

/** How good the forecasts have been, how the sources do, and what else was noticed. */
export function quality(): View {
  return {
    title: "Quality",
    root: page(
      "Forecast quality",
      h(
        "p.soft",
        "Every forecast is compared with what was observed at the time it was for. In the interval: the share of observations, and the share that should be.",
      ),
      slot(["last_cycle"], ({ parts }) => qualityTable(parts.last_cycle?.forecast_quality ?? [])),
      section(
        "Sources",
        slot(["last_cycle"], ({ parts }) => sourceTable(parts.last_cycle?.sources ?? [])),
      ),
      section(
        "Notices",
        slot(["notices"], ({ parts }) => noticeTable(parts.notices)),
      ),
    ),
  };
}

type Cycle = NonNullable<Overview["last_cycle"]>;

function qualityTable(of: Cycle["forecast_quality"]): HTMLElement {
  return table({
    caption: "Each predictor, signal by signal",
    of,
    columns: [
      ["Predictor", (q) => q.predictor],
      ["Signal", (q) => signalTitle(q.signal)],
      ["Scored", (q) => q.scored, "n"],
      ["Mean error", (q) => percent(q.mape), "n"],
      [
        "In the interval",
        (q) =>
          q.nominalCoverage === undefined ? "–" : `${percent(q.coverage)} of ${percent(q.nominalCoverage)}`,
        "n",
      ],
      ["Alarms true / false / late", ({ alarms: a }) => `${a.true} / ${a.false} / ${a.late}`, "n"],
      [
        "Mean lead",
        ({ alarms: { meanLeadS: lead } }) => (lead === undefined ? "–" : `${Math.round(lead)} s`),
        "n",
      ],
      ["Judgement", (q) => `${q.judgement}: ${q.judgement_detail}`, "long"],
    ],
    empty: "no forecast has been scored yet",
  });
}

function sourceTable(of: Cycle["sources"]): HTMLElement {
  return table({
    caption: "Series that each source had in the last cycle",
    shown: true,
    of,
    columns: [
      ["Source", (s) => s.name],
      ["Usable", (s) => s.ok, "n"],
      ["Missing", (s) => s.missing, "n"],
      ["Stale", (s) => s.stale, "n"],
      ["Invalid", (s) => s.invalid, "n"],
      ["Unreachable", (s) => s.unreachable, "n"],
      ["Took", (s) => `${Math.round(s.durationMs)} ms`, "n"],
      ["What was wrong", (s) => s.detail ?? "–", "long"],
    ],
  });
}

function noticeTable(of: Overview["notices"]): HTMLElement {
  return table({
    caption: "What a person should know, the newest first",
    of,
    columns: [
      ["When", ({ at }) => when(at)],
      ["What", ({ event }) => event],
      ["More", ({ at: _, event: __, ...fields }) => pairs(fields, ": "), "long"],
    ],
  });
}
