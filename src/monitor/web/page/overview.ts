import type { Fleet } from "../../report/wire.ts";
import { frame, h, page, renew, section, setText, table } from "./dom.ts";
import { measured, STATES, shown, signalTitle } from "./format.ts";
import { slot, type Target, targets, type View } from "./live.ts";
import { badge, outcome, spark, subject, targetLink, troubles, verdict, when, why } from "./parts.ts";

const HEADS = ["State", "Target", "Now", "Forecast", "Of its SLO", "Why"];

/** The fleet: every target on one line, the most urgent first. */
export function overview(): View {
  const rows = new Map<string, Row>();
  const caption = "Targets, the most urgent first, each with its most telling signal";
  const list = frame({ caption, layout: "fleet", heads: HEADS.map((head) => [head]) }, null);
  const body = list.querySelector("tbody") as HTMLElement;
  const counts = h("p.counts");
  const find = h("input", { type: "search", id: "find", autocomplete: "off", oninput: filter });
  const none = h("p.soft", { hidden: true }, "No target has this in its name.");

  function filter() {
    const wanted = find.value.trim().toLowerCase();
    for (const [name, { tr }] of rows) tr.hidden = !name.toLowerCase().includes(wanted);
    none.hidden = rows.size === 0 || [...rows.values()].some(({ tr }) => !tr.hidden);
  }

  function write(fleet: Fleet) {
    const all = targets(fleet);
    for (const target of all) {
      const row = rows.get(target.name) ?? makeRow(target.name);
      rows.set(target.name, row);
      row.write(target, fleet.sparks[target.name] ?? []);
    }
    const names = new Set(all.map((t) => t.name));
    for (const [name, { tr }] of rows) if (!names.has(name) && rows.delete(name)) tr.remove();
    place(
      body,
      all.flatMap(({ name }) => rows.get(name)?.tr ?? []),
    );
    filter();
    setText(counts, countText(all));
  }

  return {
    title: "Fleet",
    root: page(
      "Fleet",
      counts,
      h("p.find", h("label", { for: "find" }, "Find a target "), find),
      list,
      none,
      section("Actions", slot(["actions", "verifications"], actionTable)),
      section("Sources", slot(["last_cycle"], sourceItems, "ul.plain")),
    ),
    update(fleet, has) {
      if (has("cycle") || has("rows")) write(fleet);
    },
  };
}

interface Row {
  readonly tr: HTMLElement;
  write(target: Target, shares: readonly (number | null)[]): void;
}

function makeRow(name: string): Row {
  const cell = (kind: string, ...children: readonly Node[]) => h(`td.${kind}`, { role: "cell" }, children);
  const line = spark();
  const [metric, share] = [h("span.soft"), h("span.share")];
  const [state, now, next, reason] = [cell("state"), cell("now"), cell("next"), cell("why")];
  const target = cell("target", targetLink(name), new Text(" "), metric);
  const tr = h("tr", { role: "row" }, state, target, now, next, cell("of", line.root, share), reason);
  return {
    tr,
    write({ top }, shares) {
      tr.className = `k-${top.state}`;
      renew(state, top.state, () => badge(top.state));
      setText(metric, signalTitle(top.metric));
      setText(now, measured(top.metric, top.current, top.at_least));
      setText(next, shown(top.metric, top.forecast));
      renew(reason, `${top.detail} ${top.until}`, () => why(top.detail, top.until));
      line.draw(shares);
      const last = shares.at(-1) ?? null;
      setText(share, last === null ? "unknown" : `${last} %`);
    },
  };
}

/** Puts rows in order, moving as few as possible, and keeps the focus where it is. */
function place(body: HTMLElement, order: readonly HTMLElement[]): void {
  const focused = document.activeElement;
  order.forEach((tr, i) => {
    const there = body.children[i] ?? null;
    if (there !== tr) body.insertBefore(tr, there);
  });
  if (focused instanceof HTMLElement && body.contains(focused)) focused.focus({ preventScroll: true });
}

function countText(all: readonly Target[]): string {
  const counts = Map.groupBy(all, ({ top }) => top.state);
  const parts = Object.entries(STATES).flatMap(([state, { word }]) => {
    const count = counts.get(state as keyof typeof STATES)?.length;
    return count === undefined ? [] : [`${count} ${word}`];
  });
  return `${all.length} ${all.length === 1 ? "target" : "targets"}: ${parts.join(", ")}`;
}

const SHOWN = 8;

function actionTable({ parts: { actions, verifications } }: Fleet): HTMLElement {
  const verdicts = new Map(verifications.map((v) => [v.intent, v]));
  return table({
    caption: "The newest actions",
    of: actions.slice(0, SHOWN),
    columns: [
      ["When", (a) => when(a.at)],
      ["Target", subject],
      ["Because", (a) => a.because],
      ["Action", (a) => a.action],
      ["Outcome", outcome, "long"],
      ["Verification", (a) => verdict(verdicts.get(a.id))],
    ],
    empty: "nothing yet",
  });
}

function sourceItems({ parts: { last_cycle } }: Fleet): HTMLElement[] {
  return (last_cycle?.sources ?? []).map((s) =>
    h(
      "li",
      h("strong", s.name),
      `: ${[`${s.ok} usable`, ...troubles(s)].join(", ")}`,
      s.detail === undefined ? null : ` — ${s.detail}`,
    ),
  );
}
