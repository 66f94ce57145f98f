/**
 * Makes an element. Text is always text: nothing of what the monitor says is ever read as HTML.
 * @param {string} tag `name.class`, e.g. `td.n`
 * @param {Record<string, unknown>} [props] `on…` are listeners, `data` a data set, the rest attributes; false and undefined are left out
 * @param {...unknown} children nodes, texts, and lists of them; false, null and undefined are left out
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) set(element, key, value);
  element.append(...flat(children));
  return element;
}

function set(element, key, value) {
  if (value === undefined || value === null || value === false) return;
  if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else if (key === "data") Object.assign(element.dataset, value);
  else if (key === "value") element.value = value;
  else element.setAttribute(key, value === true ? "" : value);
}

function flat(children) {
  return children
    .flat(Number.POSITIVE_INFINITY)
    .filter((child) => child !== null && child !== undefined && child !== false);
}

/** Writes a text only where it differs: what did not change is neither laid out nor read out again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The same for an attribute; undefined removes it. */
export function setAttribute(element, name, value) {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * A table with a caption, scrolled by itself where it is too wide; on a phone each row is a block with its labels, unless
 * `stack` is false. Roles are spelt out, because laying a table out otherwise would take them away.
 * @param {{caption: string, hidden?: boolean, head: [string, string?][], rows: Node[], empty?: string, className?: string, stack?: boolean}} given
 *   `head`: the text of each column and a class, `n` for numbers; `hidden`: the caption is for screen readers
 */
export function table({
  caption,
  hidden = false,
  head,
  rows,
  empty = "nothing yet",
  className = "",
  stack = true,
}) {
  if (rows.length === 0) return h("p.soft", {}, empty);
  for (const tr of rows) {
    tr.setAttribute("role", "row");
    [...tr.children].forEach((cell, i) => {
      cell.setAttribute("role", "cell");
      cell.dataset.label = head[i]?.[0] ?? "";
    });
  }
  return scroller(
    caption,
    h(
      "table",
      { role: "table", class: [stack ? "stack" : "", className].join(" ").trim() || undefined },
      h("caption", { class: hidden ? "unseen" : undefined }, caption),
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          head.map(([text, kind]) => h("th", { scope: "col", role: "columnheader", class: kind }, text)),
        ),
      ),
      h("tbody", { role: "rowgroup" }, rows),
    ),
  );
}

let watcher;

/** What is scrolled by itself can be reached by keyboard, while there is something to scroll. */
export function scroller(label, child) {
  watcher ??= new ResizeObserver((entries) => {
    for (const { target } of entries)
      setAttribute(target, "tabindex", target.scrollWidth > target.clientWidth ? "0" : undefined);
  });
  const element = h("div.scroll", { role: "group", "aria-label": label }, child);
  watcher.observe(element);
  return element;
}

/** A row of a table: texts, nodes, or `[content, class]`. */
export function row(...cells) {
  return h(
    "tr",
    {},
    cells.map((cell) => (Array.isArray(cell) ? h("td", { class: cell[1] }, cell[0]) : h("td", {}, cell))),
  );
}

/** A section with a heading. */
export function section(title, ...children) {
  const id = `s-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), children);
}

const SVG = "http://www.w3.org/2000/svg";

/** An element of SVG. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}
