import type { Decisions, Fleet, LoggedDecision, State } from "../../report/wire.ts";
import { choice, field, values } from "./controls.ts";
import { decisionTable } from "./decision-table.ts";
import { button, fill, h, page, setText } from "./dom.ts";
import { STATES } from "./format.ts";
import { ask, type View } from "./live.ts";

const PAGE = 100;
const USUAL: readonly State[] = ["acting", "blocked", "at_risk", "no_data"];

/** The log of decisions, with filters that are part of the address. */
export function decisions(query: string): View {
  let filters = new URLSearchParams(query);
  let pages = 1;
  let asked = 0;
  const list = h("div");
  const wrong = h("p.wrong", { role: "alert" });
  const count = h("p.soft", { role: "status" });
  const older = button("Older", more, { hidden: true });
  const form = filterForm(filters, () => {
    filters = readForm(form);
    pages = 1;
    history.replaceState(null, "", `#/decisions${filters.size === 0 ? "" : `?${filters}`}`);
    void refresh();
  });

  function more(): void {
    pages += 1;
    void refresh();
  }

  async function refresh(): Promise<void> {
    const mine = ++asked;
    try {
      const { found, rest } = await read(filters, pages);
      if (mine !== asked) return;
      setText(wrong, "");
      fill(list, decisionTable(found, "Decisions, the newest first"));
      setText(count, `${found.length} shown${rest ? ", there are older ones" : ""}`);
      older.hidden = !rest;
    } catch (error) {
      setText(wrong, (error as Error).message);
    }
  }

  return {
    title: "Decisions",
    root: page(
      "Decisions",
      h(
        "p.soft",
        "Each decision for as long as it stayed the same. Kept since the monitor started, the last few thousand.",
      ),
      form,
      wrong,
      count,
      list,
      h("p", older),
    ),
    stays: (address) => address === `decisions?${filters}`,
    update(fleet, has) {
      if (has("mode")) offerTargets(form, fleet, filters.get("target") ?? "");
      if (has("cycle")) void refresh();
    },
  };
}

/** The newest pages that fit, and whether there are more. */
async function read(
  filters: URLSearchParams,
  pages: number,
): Promise<{ found: LoggedDecision[]; rest: boolean }> {
  const found: LoggedDecision[] = [];
  let rest = true;
  for (let page = 0; page < pages && rest; page++) {
    const query = new URLSearchParams({
      state: USUAL.join(),
      limit: String(PAGE),
      ...Object.fromEntries(filters),
    });
    const last = found.at(-1);
    if (last !== undefined) query.set("before", String(last.id));
    const { decisions: some, more } = await ask<Decisions>(`decisions?${query}`);
    found.push(...some);
    rest = more;
  }
  return { found, rest };
}

function filterForm(filters: URLSearchParams, onchange: () => void): HTMLFormElement {
  const states = filters.get("state")?.split(",") ?? USUAL;
  return h(
    "form.inline",
    { onsubmit: (event) => event.preventDefault(), onchange },
    h(
      "fieldset",
      h("legend", "State"),
      Object.entries(STATES).map(([value, { shape, word }]) => {
        const checked = states.some((state) => state === value);
        return h(
          "label",
          h("input", { type: "checkbox", name: "state", value, checked }),
          ` ${shape} ${word}`,
        );
      }),
    ),
    choice("Target", "target", [["", "every target"]]),
    field("Reason", {
      name: "reason",
      value: filters.get("reason"),
      placeholder: "e.g. cooldown_active",
      autocomplete: "off",
    }),
  );
}

/** The choice of targets, once they are known, and the one that is chosen also when it is not known any more. */
function offerTargets(form: HTMLFormElement, fleet: Fleet, wanted: string): void {
  const select = form.elements.namedItem("target") as HTMLSelectElement;
  const names = new Set([...fleet.series.map((s) => s.target), wanted].sort());
  names.delete("");
  fill(
    select,
    ["", ...names].map((value) => h("option", { value }, value === "" ? "every target" : value)),
  );
  select.value = wanted;
}

function readForm(form: HTMLFormElement): URLSearchParams {
  const { target, reason } = values(form);
  const states = new FormData(form).getAll("state").join();
  const given = { state: states === USUAL.join() ? "" : states, target, reason: reason?.trim() };
  return new URLSearchParams(
    Object.entries(given).filter((pair): pair is [string, string] => Boolean(pair[1])),
  );
}
