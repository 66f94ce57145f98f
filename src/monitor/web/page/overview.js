import { h, row, scroller, section, setText, table } from "./dom.js";
import { calm, KINDS, plain, shown, signalTitle } from "./format.js";
import { state, targets } from "./live.js";
import { badge, countdown, drawSpark, spark, subject, targetLink, verdict, when, why } from "./parts.js";

/** The fleet: every target on one line, the most urgent first. */
export function overview() {
  const rows = new Map();
  const body = h("tbody", { role: "rowgroup" });
  const counts = h("p.counts");
  const find = h("input", { type: "search", id: "find", autocomplete: "off", oninput: () => fill() });
  const none = h("p.soft", { hidden: true }, "No target has this in its name.");
  const actions = h("div");
  const sources = h("ul.plain");
  const root = h(
    "div",
    {},
    h("h1", { tabindex: "-1" }, "Fleet"),
    counts,
    h("p.find", {}, h("label", { for: "find" }, "Find a target "), find),
    fleetTable(body),
    none,
    section("What it did", actions),
    section("Where it looks", sources),
  );

  function fill() {
    const wanted = find.value.trim().toLowerCase();
    const all = targets();
    const order = [];
    for (const target of all) {
      const known = rows.get(target.name) ?? makeRow(target.name);
      rows.set(target.name, known);
      fillRow(known, target);
      known.tr.hidden = wanted !== "" && !target.name.toLowerCase().includes(wanted);
      order.push(known.tr);
    }
    const names = new Set(all.map((t) => t.name));
    for (const [name, { tr }] of rows)
      if (!names.has(name)) {
        tr.remove();
        rows.delete(name);
      }
    place(body, order);
    none.hidden = order.length === 0 || order.some((tr) => !tr.hidden);
    setText(counts, countText(all));
  }

  return {
    root,
    update(change) {
      if (state.series === undefined) return;
      const touched = change.all === true || change.cycle || change.rows.length > 0;
      if (touched) fill();
      const has = (part) => change.all === true || change.parts.includes(part);
      if (has("actions") || has("verified")) actions.replaceChildren(actionTable());
      if (has("last_cycle")) sources.replaceChildren(...sourceItems());
    },
  };
}

function fleetTable(body) {
  const head = ["State", "Target", "Now", "Expected", "Of its SLO", "Why"];
  return scroller(
    "Targets",
    h(
      "table.fleet",
      { role: "table" },
      h("caption.unseen", {}, "Targets, the most urgent first, each with its most telling signal"),
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          head.map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
        ),
      ),
      body,
    ),
  );
}

function makeRow(name) {
  const cell = (kind) => h(`td.${kind}`, { role: "cell" });
  const line = spark();
  const share = h("span.share");
  const cells = {
    state: cell("state"),
    target: h("td.target", { role: "cell" }, targetLink(name)),
    now: cell("now"),
    next: cell("next"),
    spark: h("td.of", { role: "cell" }, line, share),
    why: cell("why"),
  };
  const metric = h("span.soft");
  cells.target.append(" ", metric);
  return {
    tr: h("tr", { role: "row" }, Object.values(cells)),
    cells,
    line,
    share,
    metric,
    kind: "",
    told: "",
  };
}

function fillRow(known, { name, top }) {
  const { cells } = known;
  if (known.kind !== top.kind) {
    cells.state.replaceChildren(badge(top.kind));
    known.tr.className = `k-${top.kind}`;
    known.kind = top.kind;
  }
  setText(known.metric, signalTitle(top.metric));
  setText(cells.now, shown(top.metric, top.current));
  setText(cells.next, shown(top.metric, top.forecast));
  const told = `${top.reason} ${top.detail} ${top.until}`;
  if (known.told !== told) {
    cells.why.replaceChildren(
      ...(top.detail === null ? [calm(top.reason), end(top)] : why(top.detail, top.until))
        .flat()
        .filter(Boolean),
    );
    known.told = told;
  }
  const shares = state.sparks[name] ?? [];
  drawSpark(known.line, shares);
  const last = shares.at(-1);
  setText(known.share, last === null || last === undefined ? "unknown" : `${last} %`);
}

function end({ until }) {
  return until === null ? "" : [" ", countdown(until)];
}

/** Puts rows in order, moving as few as possible, and keeps the focus where it is. */
function place(body, order) {
  const focused = body.contains(document.activeElement) ? document.activeElement : undefined;
  let moved = false;
  order.forEach((tr, i) => {
    if (body.children[i] === tr) return;
    body.insertBefore(tr, body.children[i] ?? null);
    moved = true;
  });
  if (moved && focused !== undefined && document.activeElement !== focused)
    focused.focus({ preventScroll: true });
}

function countText(all) {
  const counts = new Map();
  for (const { top } of all) counts.set(top.kind, (counts.get(top.kind) ?? 0) + 1);
  const parts = state.kinds.flatMap((kind) => {
    const count = counts.get(kind);
    return count === undefined ? [] : [`${count} ${KINDS[kind].word}`];
  });
  return `${all.length} ${all.length === 1 ? "target" : "targets"}: ${parts.join(", ")}`;
}

const SHOWN = 8;

function actionTable() {
  const { actions = [], verified = [] } = state.parts;
  const verdicts = new Map(verified.map((v) => [v.intent, v]));
  return table({
    caption: "The newest actions",
    hidden: true,
    head: [["When"], ["Target"], ["Because of"], ["Action"], ["Outcome"], ["What it did"]],
    rows: actions
      .slice(0, SHOWN)
      .map((a) =>
        row(
          when(a.at),
          subject(a.target, a.metric),
          plain(a.trigger),
          a.action,
          [a.outcome_detail ? `${a.outcome}: ${a.outcome_detail}` : a.outcome, "long"],
          verdict(verdicts.get(a.id)),
        ),
      ),
    empty: "nothing yet",
  });
}

function sourceItems() {
  return (state.parts.last_cycle?.sources ?? []).map((s) => {
    const bad = ["missing", "stale", "invalid", "unreachable"]
      .filter((k) => s[k] > 0)
      .map((k) => `${s[k]} ${k}`);
    const detail = s.detail ? ` — ${s.detail}` : "";
    return h(
      "li",
      {},
      h("strong", {}, s.name),
      `: ${s.ok} usable${bad.length > 0 ? `, ${bad.join(", ")}` : ""}${detail}`,
    );
  });
}
