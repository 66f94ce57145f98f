import { choice, confirm, field, send } from "./controls.js";
import { h, row, section, table } from "./dom.js";
import { digits, plain, shown } from "./format.js";
import { subject, when } from "./parts.js";

/** The recent past at other settings: what would have been done, beside what was. */
export function replay() {
  const result = h("div", { role: "status" });
  const form = h(
    "form.inline",
    {
      onsubmit: (event) => {
        event.preventDefault();
        askReplay(form, result);
      },
    },
    choice("Sensitivity", "sensitivity", [
      ["", "all of them"],
      ["strict", "strict"],
      ["default", "default"],
      ["eager", "eager"],
    ]),
    field("Hours", {
      name: "hours",
      type: "number",
      min: "0.1",
      max: "2",
      step: "0.1",
      value: "2",
      required: true,
    }),
    h("button.strong", { type: "submit" }, "Replay…"),
  );
  const root = h(
    "div",
    {},
    h("h1", { tabindex: "-1" }, "Replay"),
    h(
      "p",
      {},
      "What would the monitor have done in the last hours at another sensitivity? Its own loop runs over what it saw since it started. ",
      "The record is what really happened: where an action healed a target, every sensitivity sees it healed. Forecasts begin anew with the record, so the first minutes are without them.",
    ),
    form,
    result,
  );
  return { root };
}

function askReplay(form, result) {
  const { sensitivity, hours } = form.elements;
  confirm({
    title: "Replay the last hours",
    text: "It takes a core of the monitor's machine for some seconds, and does nothing.",
    button: "Replay",
    said: "The replay is done",
    anonymous: true,
    run: async () => {
      const asked = {
        hours: Number(hours.value),
        ...(sensitivity.value === "" ? {} : { sensitivity: sensitivity.value }),
      };
      const found = await send("POST", "replay", asked);
      result.replaceChildren(...report(found));
      return found;
    },
  });
}

function report(found) {
  const { from, to, done, replayed } = found;
  const methods = [["really done", done], ...replayed.map((r) => [r.sensitivity, r.actions])];
  return [
    h(
      "p",
      {},
      "From ",
      when(from),
      " to ",
      when(to),
      `: ${found.samples} samples of ${found.series} series, ${digits(found.took_seconds)} s. In force is ${found.sensitivity}.`,
    ),
    table({
      caption: "Actions at each sensitivity",
      head: [["Setting"], ["Actions", "n"], ["Targets", "n"], ["First"]],
      rows: methods.map(([name, actions]) =>
        row(
          name,
          [String(actions.length), "n"],
          [String(new Set(actions.map((a) => a.target)).size), "n"],
          actions.length === 0 ? "–" : when(actions[0].at),
        ),
      ),
    }),
    ...methods.map(([name, actions]) =>
      section(`${name}: ${actions.length} actions`, actionTable(name, actions)),
    ),
  ];
}

const SHOWN = 50;

function actionTable(name, actions) {
  return table({
    caption: actions.length > SHOWN ? `The first ${SHOWN} of ${actions.length}` : `Actions: ${name}`,
    hidden: actions.length <= SHOWN,
    head: [["When"], ["Target"], ["Because of"], ["Forecast", "n"], ["Outcome"]],
    rows: actions
      .slice(0, SHOWN)
      .map((a) =>
        row(
          when(a.at),
          subject(a.target, a.metric),
          plain(a.trigger),
          [a.forecast === undefined ? "–" : shown(a.metric, a.forecast), "n"],
          a.outcome ?? "not called",
        ),
      ),
    empty: "none",
  });
}
