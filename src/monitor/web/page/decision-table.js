import { h, row, table } from "./dom.js";
import { calm, duration, signalTitle } from "./format.js";
import { badge, subject, when, why } from "./parts.js";

/**
 * Decisions with their reasons in plain words.
 * @param {object[]} decisions as the monitor tells them, newest first
 * @param {{caption: string, one?: boolean}} given `one`: all are of one target
 */
export function decisionTable(decisions, { caption, one = false }) {
  return table({
    caption,
    hidden: true,
    head: [["When"], ["State"], [one ? "Signal" : "Target"], ["Why"], ["Lasted"]],
    rows: decisions.map((d) =>
      row(
        when(d.at),
        badge(d.kind),
        h(
          "span",
          {},
          d.playbook === null ? (one ? signalTitle(d.metric) : subject(d.target, d.metric)) : playbook(d),
        ),
        [h("span", {}, words(d)), "why"],
        lasted(d),
      ),
    ),
    empty: "nothing of this kind is remembered",
  });
}

function playbook(d) {
  return [`playbook ${d.playbook}`, d.target === "" ? null : [" on ", subject(d.target, d.metric)]];
}

function words(d) {
  const until = d.decision_until === null ? null : Date.parse(d.decision_until) / 1000;
  const text = d.kind === "quiet" ? calm(d.decision) : d.decision_detail;
  const word = d.kind === "held" ? "not acted: " : "";
  // What has ended needs no countdown.
  return [
    word === "" ? null : h("span.soft", {}, word),
    ...why(text, d.ended_at === null ? until : null),
    " ",
    h("code.soft", {}, d.decision),
  ];
}

function lasted(d) {
  const end = d.ended_at === null ? Date.now() : Date.parse(d.ended_at);
  const text = duration((end - Date.parse(d.at)) / 1000);
  return d.ended_at === null ? `${text} so far` : text;
}
