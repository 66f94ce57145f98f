export type Child = Node | string | number | null | undefined | false | readonly Child[];
type Listener = (event: Event) => unknown;
/** `on…` are listeners, the rest attributes; false, null and undefined are left out. */
export interface Props {
  readonly [name: string]: string | number | boolean | null | undefined | Listener;
}
type Element<Tag extends string> = Tag extends `${infer Name}.${string}`
  ? Element<Name>
  : Tag extends keyof HTMLElementTagNameMap
    ? HTMLElementTagNameMap[Tag]
    : HTMLElement;

/**
 * Makes an element. Text is always text: nothing of what the monitor says is ever read as HTML.
 * @param tag with its classes, e.g. `td.n`
 * @param given attributes first, where there are some, then children
 */
export function h<Tag extends string>(tag: Tag, ...given: readonly (Props | Child)[]): Element<Tag> {
  const [name = "", ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(" ");
  const [first] = given;
  const own = first !== null && typeof first === "object" && !(first instanceof Node) && !isList(first);
  if (own) for (const [key, value] of Object.entries(first as Props)) set(element, key, value);
  element.append(...nodes((own ? given.slice(1) : given) as Child[]));
  return element as Element<Tag>;
}

const isList = (given: unknown): given is readonly Child[] => Array.isArray(given);

function set(element: HTMLElement, key: string, value: Props[string]): void {
  if (value === undefined || value === null || value === false) return;
  if (typeof value === "function") element.addEventListener(key.slice(2), value);
  else if (key === "value") (element as HTMLInputElement).value = String(value);
  else element.setAttribute(key, value === true ? "" : String(value));
}

function nodes(children: readonly Child[]): (Node | string)[] {
  return children.flatMap((child) =>
    isList(child)
      ? nodes(child)
      : child === null || child === undefined || child === false
        ? []
        : child instanceof Node
          ? child
          : String(child),
  );
}

/** Puts new content in place of the old. */
export function fill(element: Node & ParentNode, ...children: readonly Child[]): void {
  element.replaceChildren(...nodes(children));
}

const keys = new WeakMap<Node, string>();

/** The same, but only where `key` differs from the last one: what did not change keeps the focus and is not read again. */
export function renew(element: Node & ParentNode, key: string, make: () => Child): void {
  if (keys.get(element) === key) return;
  keys.set(element, key);
  fill(element, make());
}

/** Writes a text only where it differs: what did not change is neither laid out nor read out again. */
export function setText(element: Node, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function button(text: string, onclick: () => void, more: Props = {}): HTMLButtonElement {
  return h("button", { type: "button", onclick, ...more }, text);
}

/** The heading of a page, which takes the focus, and what is below it. */
export function page(title: string, ...children: readonly Child[]): HTMLElement {
  return h("div", h("h1", { tabindex: "-1" }, title), children);
}

/** A section with a heading. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
  const id = `s-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), children);
}

/** Name, content of a cell, and its class: `n` for numbers, `long` and `why` for text that wraps. */
export type Column<T> = readonly [head: string, cell: (item: T) => Child, kind?: "n" | "long" | "why"];

/**
 * A table, scrolled by itself where it is too wide; on a phone each row is a block with its labels, unless it is `narrow`
 * or `wide`. The caption is for screen readers unless it is `shown`.
 */
export function table<T>(given: {
  readonly caption: string;
  readonly shown?: boolean;
  readonly columns: readonly Column<T>[];
  readonly of: readonly T[];
  readonly empty?: string;
  readonly layout?: "stack" | "narrow" | "wide";
}): HTMLElement {
  const { caption, shown = false, columns, of, empty = "none", layout = "stack" } = given;
  if (of.length === 0) return h("p.soft", empty);
  const rows = of.map((item) =>
    h(
      "tr",
      { role: "row" },
      columns.map(([label, cell, kind]) =>
        h("td", { role: "cell", class: kind, "data-label": label }, cell(item)),
      ),
    ),
  );
  return frame({ caption, shown, layout, heads: columns.map(([head, , kind]) => [head, kind]) }, rows);
}

/** The table around some rows. Roles are spelt out, because laying a table out otherwise would take them away. */
export function frame(
  given: {
    readonly caption: string;
    readonly shown?: boolean;
    readonly layout: string;
    readonly heads: readonly (readonly [text: string, kind?: string | undefined])[];
  },
  rows: Child,
): HTMLElement {
  const { caption, shown, layout, heads } = given;
  const columns = heads.map(([text, kind]) =>
    h("th", { scope: "col", role: "columnheader", class: kind }, text),
  );
  return scroller(
    caption,
    h(
      `table.${layout}`,
      { role: "table" },
      h(shown === true ? "caption" : "caption.unseen", caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns)),
      h("tbody", { role: "rowgroup" }, rows),
    ),
  );
}

let watcher: ResizeObserver | undefined;

/** What is scrolled by itself can be reached by keyboard, while there is something to scroll. */
function scroller(label: string, child: Child): HTMLElement {
  watcher ??= new ResizeObserver((entries) => {
    for (const { target } of entries)
      if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
      else target.removeAttribute("tabindex");
  });
  const element = h("div.scroll", { role: "group", "aria-label": label }, child);
  watcher.observe(element);
  return element;
}

/** An element of SVG. */
export function svg(name: string, attributes: Props = {}, ...children: readonly Node[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}
