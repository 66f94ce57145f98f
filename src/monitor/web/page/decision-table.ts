import type { LoggedDecision } from "../../report/wire.ts";
import { type Child, h, table } from "./dom.ts";
import { duration, signalTitle } from "./format.ts";
import { badge, subject, when, why } from "./parts.ts";

/** Decisions with their reasons in plain words, newest first. `one`: all are of one target. */
export function decisionTable(of: readonly LoggedDecision[], caption: string, one = false): HTMLElement {
  return table({
    caption,
    of,
    columns: [
      ["When", (d) => when(d.at)],
      ["State", (d) => badge(d.state)],
      [
        one ? "Signal" : "Target",
        (d) => (d.playbook !== null ? playbook(d) : one ? signalTitle(d.metric) : subject(d)),
      ],
      ["Why", words, "why"],
      ["Lasted", lasted],
    ],
    empty: "nothing of this kind is remembered",
  });
}

function playbook(d: LoggedDecision): Child {
  return [`playbook ${d.playbook}`, d.target === "" ? null : [" on ", subject(d)]];
}

function words(d: LoggedDecision): Child {
  // What has ended needs no countdown.
  const until = d.decision_until === null || d.ended_at !== null ? null : Date.parse(d.decision_until) / 1000;
  return [why(d.decision_detail, until), " ", h("code.soft", d.decision)];
}

function lasted(d: LoggedDecision): string {
  const end = d.ended_at === null ? Date.now() : Date.parse(d.ended_at);
  const text = duration((end - Date.parse(d.at)) / 1000);
  return d.ended_at === null ? `${text} so far` : text;
}
