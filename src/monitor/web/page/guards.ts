import type { Escalation, Fleet, Silence } from "../../report/wire.ts";
import { askAcknowledge, askExpire, askSilence, CAUSES, pauseButton } from "./controls.ts";
import { button, type Child, fill, h, page, section, table } from "./dom.ts";
import { plain } from "./format.ts";
import { ask, slot, type View } from "./live.ts";
import { countdownTo, pairs, subject, targetLink, when } from "./parts.ts";

/** What the guards block now, what is left of the budgets, silences, escalations, playbooks and alerts. */
export function guards(): View {
  const silences = h("div");
  const show = (found: { silences: Silence[] }) => fill(silences, silenceTable(found.silences));
  return {
    title: "Guards",
    root: page(
      "Guards and budgets",
      slot(["guards"], activeGuards),
      section(
        "Silences",
        silences,
        h(
          "p",
          button("Silence…", () => askSilence()),
        ),
      ),
      section("Escalations", slot(["escalations"], escalationTable)),
      section("Budgets", slot(["guards"], budgetTable)),
      section("Playbooks", slot(["playbooks"], playbookTable)),
      section("Alerts", slot(["alerts"], alertTable)),
    ),
    update(_fleet, has) {
      // What fails is asked for again at the next change.
      if (has("guards")) ask<{ silences: Silence[] }>("silences").then(show, () => {});
    },
  };
}

function activeGuards({ parts: { guards: g } }: Fleet): Child {
  const blocked = Map.groupBy(g.blocked, ({ guard }) => guard);
  const items = g.active.map((guard) => {
    const count = blocked.get(guard)?.length;
    return h(
      "li",
      h("strong", plain(guard)),
      count === undefined
        ? null
        : `: blocked ${count} ${count === 1 ? "action" : "actions"} in the last cycle`,
    );
  });
  return [
    h("p", items.length === 0 ? "No guard blocks anything." : "These guards block something now:"),
    items.length === 0 ? null : h("ul.plain", items),
    h("p", pauseButton(g.paused !== null)),
  ];
}

function silenceTable(of: readonly Silence[]): HTMLElement {
  return table({
    caption: "Silences, also those to come and those that are over",
    of,
    columns: [
      [
        "What",
        (s) =>
          `${s.target}${only(s.signal)}${only(s.action)}${s.matches.length === 0 ? " (matches no target)" : ""}`,
        "long",
      ],
      ["From", (s) => when(s.starts_at)],
      ["Ends", (s) => (Date.parse(s.ends_at) > Date.now() ? countdownTo(s.ends_at) : "over")],
      ["By", (s) => s.author],
      ["Why", (s) => s.reason, "long"],
      [
        "To do",
        (s) =>
          s.source === "configuration"
            ? "in the configuration"
            : button("End…", () => askExpire(s), { "aria-label": `End the silence on ${s.target}` }),
      ],
    ],
  });
}

/** A part of a silence that says something. */
function only(pattern: string): string {
  return pattern === "*" ? "" : `, ${pattern}`;
}

function escalationTable({ parts }: Fleet): HTMLElement {
  const attempts = (e: Escalation) =>
    e.attempts.map((t) => h("li", t.action, " ", when(t.at), `: ${t.outcome}, ${t.detail}`));
  return table({
    caption: "Targets on which the monitor has stopped",
    of: parts.escalations,
    columns: [
      ["Target", subject],
      ["Since", (e) => when(e.since)],
      ["Because", (e) => `actions ${CAUSES[e.cause]}`],
      ["Attempts", (e) => h("ol.plain", attempts(e)), "long"],
      ["Answer", ({ acknowledged: a }) => (a === null ? "nobody yet" : `${a.by}: ${a.reason}`), "long"],
      [
        "To do",
        ({ target }) =>
          button("Answer…", () => askAcknowledge(target), {
            "aria-label": `Answer the escalation of ${target}`,
          }),
      ],
    ],
  });
}

const LEAST = 10;

/** The fleet's, and of the targets those with the least left. */
function budgetTable({ parts }: Fleet): HTMLElement {
  const { budgets } = parts.guards;
  const fleet = budgets.filter((b) => b.scope === "fleet");
  const own = budgets.filter((b) => b.scope !== "fleet").sort((a, b) => a.left - b.left);
  const which = `: the fleet, and the ${LEAST} of ${own.length} targets with the least left`;
  return table({
    caption: `Actions that the caps still allow${own.length > LEAST ? which : ""}`,
    shown: true,
    layout: "narrow",
    of: [...fleet, ...own.slice(0, LEAST)],
    columns: [
      ["Of", ({ scope }) => (scope === "fleet" ? "the fleet" : targetLink(scope.replace(/^target:/, "")))],
      ["Left", ({ left }) => left, "n"],
    ],
  });
}

function playbookTable({ parts }: Fleet): HTMLElement {
  return table({
    caption: "Playbooks",
    of: parts.playbooks,
    columns: [
      ["Playbook", (p) => p.name],
      ["Answers", (p) => p.alert ?? p.forecast ?? "–", "long"],
      [
        "Now",
        ({ decision: d }) =>
          d === null ? "nothing asks for it" : `${d.acting ? "acting" : "blocked"}: ${d.decision_detail}`,
        "long",
      ],
      [
        "Newest run",
        ({ run }) =>
          run === null
            ? "none"
            : [
                `${run.status}, `,
                when(run.started_at),
                `: ${run.steps.map((s) => `${s.action} ${s.status}`).join(", ")}`,
              ],
        "long",
      ],
    ],
    empty: "none is configured",
  });
}

const MOST_ALERTS = 50;

function alertTable({ parts }: Fleet): HTMLElement {
  const order = parts.alerts.toSorted((a, b) =>
    a.status === b.status ? b.received_at.localeCompare(a.received_at) : a.status === "firing" ? -1 : 1,
  );
  return table({
    caption: "Alerts that the monitor has received",
    of: order.slice(0, MOST_ALERTS),
    columns: [
      ["Alert", (a) => a.name],
      ["Status", (a) => a.status],
      ["Since", (a) => when(a.starts_at)],
      ["Received", (a) => when(a.received_at)],
      ["Labels", ({ labels: { alertname: _, ...more } }) => pairs(more, "="), "long"],
    ],
  });
}
