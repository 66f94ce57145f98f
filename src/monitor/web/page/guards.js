import { askAcknowledge, askLift, askPause, askResume, askSilence } from "./controls.js";
import { h, row, section, table } from "./dom.js";
import { plain } from "./format.js";
import { ask, state } from "./live.js";
import { countdown, subject, targetLink, when } from "./parts.js";

/** The brakes: what holds now, what is left of the budgets, silences, escalations, playbooks and alerts. */
export function guards() {
  const parts = {
    holding: h("div"),
    silences: h("div"),
    escalations: h("div"),
    budgets: h("div"),
    playbooks: h("div"),
    alerts: h("div"),
  };
  const root = h(
    "div",
    {},
    h("h1", { tabindex: "-1" }, "Guards and budgets"),
    parts.holding,
    section(
      "Silences",
      parts.silences,
      h("p", {}, h("button", { type: "button", onclick: () => askSilence() }, "Silence…")),
    ),
    section("Escalations", parts.escalations),
    section("Budgets", parts.budgets),
    section("Playbooks", parts.playbooks),
    section("Alerts", parts.alerts),
  );

  async function silences() {
    const found = await ask("api/v1/silences").catch(() => undefined);
    if (found !== undefined) parts.silences.replaceChildren(silenceTable(found.silences));
  }

  return {
    root,
    update(change) {
      if (state.parts.guards === undefined) return;
      const has = (part) => change.all === true || change.parts.includes(part);
      if (has("guards")) {
        parts.holding.replaceChildren(...holding());
        parts.budgets.replaceChildren(budgetTable());
        void silences();
      }
      if (has("escalations")) parts.escalations.replaceChildren(escalationTable());
      if (has("playbooks")) parts.playbooks.replaceChildren(playbookTable());
      if (has("alerts")) parts.alerts.replaceChildren(alertTable());
    },
  };
}

function holding() {
  const { guards: g } = state.parts;
  const held = new Map();
  for (const { hold } of g.held_back) held.set(hold, (held.get(hold) ?? 0) + 1);
  const text = g.holding.map((hold) => {
    const count = held.get(hold);
    return h(
      "li",
      {},
      h("strong", {}, plain(hold)),
      count === undefined ? "" : `: held ${count} back in the last cycle`,
    );
  });
  return [
    h("p", {}, g.holding.length === 0 ? "No guard holds anything." : "These guards hold something now:"),
    ...(text.length === 0 ? [] : [h("ul.plain", {}, text)]),
    h(
      "p",
      {},
      g.paused === null
        ? h("button", { type: "button", onclick: askPause }, "Pause acting…")
        : h("button", { type: "button", onclick: askResume }, "Resume acting…"),
    ),
  ];
}

function silenceTable(silences) {
  return table({
    caption: "Silences, also those to come and those that are over",
    hidden: true,
    head: [["What"], ["From"], ["Until"], ["By"], ["Why"], ["To do"]],
    rows: silences.map((s) =>
      row(
        [
          `${s.target}, ${s.signal}, ${s.action}${s.matches.length === 0 ? " (matches no target)" : ""}`,
          "long",
        ],
        when(s.starts_at),
        Date.parse(s.ends_at) > Date.now() ? countdown(Date.parse(s.ends_at) / 1000) : "over",
        s.author,
        [s.reason, "long"],
        s.source === "configuration"
          ? "in the configuration"
          : h(
              "button",
              { type: "button", onclick: () => askLift(s), "aria-label": `End the silence on ${s.target}` },
              "End…",
            ),
      ),
    ),
    empty: "none",
  });
}

function escalationTable() {
  return table({
    caption: "Targets on which the monitor has stopped",
    hidden: true,
    head: [["Target"], ["Since"], ["Because"], ["Tries"], ["Answer"], ["To do"]],
    rows: state.parts.escalations.map((e) =>
      row(
        subject(e.target, e.metric),
        when(e.since),
        plain(e.cause),
        [
          h(
            "ol.plain",
            {},
            e.tries.map((t) => h("li", {}, t.action, " ", when(t.at), `: ${t.outcome}, ${t.detail}`)),
          ),
          "long",
        ],
        [e.acknowledged === null ? "nobody yet" : `${e.acknowledged.by}: ${e.acknowledged.reason}`, "long"],
        h(
          "button",
          {
            type: "button",
            onclick: () => askAcknowledge(e.target),
            "aria-label": `Answer the escalation of ${e.target}`,
          },
          "Answer…",
        ),
      ),
    ),
    empty: "none",
  });
}

/** The fleet's, and of the targets those with the least left. */
function budgetTable() {
  const { budgets } = state.parts.guards;
  const fleet = budgets.filter((b) => b.scope === "fleet");
  const own = budgets.filter((b) => b.scope !== "fleet").sort((a, b) => a.left - b.left);
  const least = own.slice(0, 10);
  return table({
    caption: `Actions that the caps still allow${own.length > least.length ? `: the fleet, and the ${least.length} of ${own.length} targets with the least left` : ""}`,
    className: "narrow",
    stack: false,
    head: [["Of"], ["Left", "n"]],
    rows: [...fleet, ...least].map(({ scope, left }) =>
      row(scope === "fleet" ? "the fleet" : targetLink(scope.replace(/^target:/, "")), [String(left), "n"]),
    ),
  });
}

function playbookTable() {
  return table({
    caption: "Playbooks",
    hidden: true,
    head: [["Playbook"], ["Answers"], ["Now"], ["Newest run"]],
    rows: state.parts.playbooks.map((p) =>
      row(
        p.name,
        [p.alert ?? p.forecast ?? "–", "long"],
        [
          p.decision === null
            ? "nothing asks for it"
            : `${p.decision.acting ? "acting" : "not acted"}: ${p.decision.decision_detail}`,
          "long",
        ],
        [
          p.run === null
            ? "none"
            : h(
                "span",
                {},
                `${p.run.status}, `,
                when(p.run.started_at),
                `: ${p.run.steps.map((s) => `${s.action} ${s.status}`).join(", ")}`,
              ),
          "long",
        ],
      ),
    ),
    empty: "none is configured",
  });
}

function alertTable() {
  const order = [...state.parts.alerts].sort((a, b) =>
    a.status === b.status ? b.heard_at.localeCompare(a.heard_at) : a.status === "firing" ? -1 : 1,
  );
  return table({
    caption: "Alerts that the monitor was told of",
    hidden: true,
    head: [["Alert"], ["Status"], ["Since"], ["Heard"], ["Labels"]],
    rows: order.slice(0, 50).map((a) =>
      row(a.name, a.status, when(a.starts_at), when(a.heard_at), [
        Object.entries(a.labels)
          .filter(([name]) => name !== "alertname")
          .map(([name, text]) => `${name}=${text}`)
          .join(", "),
        "long",
      ]),
    ),
    empty: "none",
  });
}
