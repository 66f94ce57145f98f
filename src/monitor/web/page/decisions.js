import { choice, field } from "./controls.js";
import { decisionTable } from "./decision-table.js";
import { h, setText } from "./dom.js";
import { KINDS } from "./format.js";
import { ask, state } from "./live.js";

const PAGE = 100;
const USUAL = ["acted", "held", "watching", "blind"];

/** The log of decisions, with filters that are part of the address. */
export function decisions(query) {
  const view = { filters: new URLSearchParams(query), pages: 1, asked: 0 };
  const list = h("div");
  const wrong = h("p.wrong", { role: "alert" });
  const count = h("p.soft", { role: "status" });
  const older = h("button", { type: "button", hidden: true, onclick: more }, "Older");
  const form = filterForm(view, changed);
  const root = h(
    "div",
    {},
    h("h1", { tabindex: "-1" }, "Decisions"),
    h(
      "p.soft",
      {},
      "Each decision for as long as it stayed the same. Kept since the monitor started, the last few thousand.",
    ),
    form,
    wrong,
    count,
    list,
    h("p", {}, older),
  );

  function changed() {
    view.filters = readForm(form);
    view.pages = 1;
    const text = view.filters.toString();
    history.replaceState(null, "", `#/decisions${text === "" ? "" : `?${text}`}`);
    void refresh();
  }

  function more() {
    view.pages += 1;
    void refresh();
  }

  async function refresh() {
    const asked = ++view.asked;
    try {
      const { found, rest } = await read(view);
      if (asked !== view.asked) return;
      setText(wrong, "");
      list.replaceChildren(decisionTable(found, { caption: "Decisions, the newest first" }));
      setText(count, `${found.length} shown${rest ? ", there are older ones" : ""}`);
      older.hidden = !rest;
    } catch (error) {
      setText(wrong, error.message);
    }
  }

  return {
    root,
    stays: (address) => address.startsWith("decisions?") && address === `decisions?${view.filters}`,
    update(change) {
      if (state.series === undefined) return;
      if (change.all === true) fillTargets(form);
      if (change.all === true || change.cycle) void refresh();
    },
  };
}

async function read({ filters, pages }) {
  const found = [];
  for (let page = 0; page < pages; page++) {
    const query = new URLSearchParams(filters);
    if (!query.has("kind")) query.set("kind", USUAL.join(","));
    query.set("limit", String(PAGE));
    if (found.length > 0) query.set("before", String(found.at(-1).id));
    const { decisions: some, more } = await ask(`api/v1/decisions?${query}`);
    found.push(...some);
    if (!more) return { found, rest: false };
  }
  return { found, rest: true };
}

function filterForm({ filters }, changed) {
  const kinds = filters.get("kind")?.split(",") ?? USUAL;
  const target = choice("Target", "target", [["", "every target"]]);
  const form = h(
    "form.inline",
    { onsubmit: (event) => event.preventDefault(), onchange: changed },
    h(
      "fieldset",
      {},
      h("legend", {}, "State"),
      Object.entries(KINDS).map(([kind, { shape, word }]) =>
        h(
          "label",
          {},
          h("input", { type: "checkbox", name: "kind", value: kind, checked: kinds.includes(kind) }),
          ` ${shape} ${word}`,
        ),
      ),
    ),
    target,
    field("Reason", {
      name: "reason",
      value: filters.get("reason") ?? "",
      placeholder: "e.g. cooldown_active",
      autocomplete: "off",
    }),
  );
  form.dataset.target = filters.get("target") ?? "";
  return form;
}

/** The choice of targets, once they are known. */
function fillTargets(form) {
  const select = form.elements.target;
  const wanted = select.options.length > 1 ? select.value : form.dataset.target;
  const names = [...new Set(state.series.map((s) => s.target))].sort();
  if (wanted !== "" && !names.includes(wanted)) names.push(wanted);
  select.replaceChildren(
    h("option", { value: "" }, "every target"),
    ...names.map((name) => h("option", { value: name }, name)),
  );
  select.value = wanted;
}

function readForm(form) {
  const filters = new URLSearchParams();
  const kinds = [...form.elements.kind].filter((box) => box.checked).map((box) => box.value);
  if (kinds.length > 0 && kinds.join() !== USUAL.join()) filters.set("kind", kinds.join(","));
  if (form.elements.target.value !== "") filters.set("target", form.elements.target.value);
  const reason = form.elements.reason.value.trim();
  if (reason !== "") filters.set("reason", reason);
  return filters;
}
