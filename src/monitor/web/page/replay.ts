import type { Replay } from "../../report/wire.ts";
import { choice, confirm, field, send, values } from "./controls.ts";
import { type Child, fill, h, page, section, table } from "./dom.ts";
import { digits, shown } from "./format.ts";
import type { View } from "./live.ts";
import { subject, when } from "./parts.ts";

const SENSITIVITIES = ["strict", "default", "eager"].map((name) => [name, name] as const);

/** The recent past at other settings: what would have been done, beside what was. */
export function replay(): View {
  const result = h("div", { role: "status" });
  const form = h(
    "form.inline",
    {
      onsubmit: (event) => {
        event.preventDefault();
        askReplay(values(form), result);
      },
    },
    choice("Sensitivity", "sensitivity", [["", "all of them"], ...SENSITIVITIES]),
    field("Hours", { name: "hours", type: "number", min: 0.1, max: 2, step: 0.1, value: 2, required: true }),
    h("button.strong", { type: "submit" }, "Replay…"),
  );
  return {
    title: "Replay",
    root: page(
      "Replay",
      h(
        "p",
        "What would the monitor have done in the last hours at another sensitivity? Its own loop runs over what it saw since it started. ",
        "The record is what really happened: where an action healed a target, every sensitivity sees it healed. Forecasts begin anew with the record, so the first minutes are without them.",
      ),
      form,
      result,
    ),
  };
}

function askReplay({ sensitivity, hours }: ReturnType<typeof values>, result: HTMLElement): void {
  confirm({
    title: "Replay the last hours",
    text: "It takes a core of the monitor's machine for some seconds, and does nothing.",
    button: "Replay",
    done: "The replay is done",
    anonymous: true,
    run: async () => {
      const asked = { hours: Number(hours), ...(sensitivity ? { sensitivity } : {}) };
      fill(result, report(await send<Replay>("POST", "replay", asked)));
      return {};
    },
  });
}

type Method = readonly [name: string, actions: Replay["done"]];

function report({ from, to, done, replayed, ...r }: Replay): Child {
  const methods: Method[] = [
    ["really done", done],
    ...replayed.map(({ sensitivity, actions }): Method => [sensitivity, actions]),
  ];
  return [
    h(
      "p",
      ...["From ", when(from), " to ", when(to)],
      `: ${r.samples} samples of ${r.series} series, ${digits(r.took_seconds)} s. In force is ${r.sensitivity}.`,
    ),
    table({
      caption: "Actions at each sensitivity",
      shown: true,
      of: methods,
      columns: [
        ["Setting", ([name]) => name],
        ["Actions", ([, actions]) => actions.length, "n"],
        ["Targets", ([, actions]) => new Set(actions.map((a) => a.target)).size, "n"],
        ["First", ([, [first]]) => (first === undefined ? "–" : when(first.at))],
      ],
    }),
    methods.map((method) => section(`${method[0]}: ${method[1].length} actions`, actionTable(method))),
  ];
}

const SHOWN = 50;

function actionTable([name, actions]: Method): HTMLElement {
  const many = actions.length > SHOWN;
  return table({
    caption: many ? `The first ${SHOWN} of ${actions.length}` : `Actions: ${name}`,
    shown: many,
    of: actions.slice(0, SHOWN),
    columns: [
      ["When", (a) => when(a.at)],
      ["Target", subject],
      ["Because", (a) => a.because],
      ["Forecast", (a) => (a.forecast === undefined ? "–" : shown(a.metric, a.forecast)), "n"],
      ["Outcome", (a) => a.outcome ?? "not called"],
    ],
  });
}
