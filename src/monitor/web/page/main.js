import { brake, notices } from "./controls.js";
import { h, setText } from "./dom.js";
import { duration, KINDS } from "./format.js";
import { onChange, readRow, start, state } from "./live.js";
import { overview } from "./overview.js";
import { tickCountdowns } from "./parts.js";

/** Where each address leads. All but the first page are fetched when they are wanted. */
const ROUTES = [
  [/^$/, "Fleet", async () => overview()],
  [/^target\/(.+)$/, "", async (name) => (await import("./target.js")).target(decodeURIComponent(name))],
  [/^decisions(?:\?(.*))?$/, "Decisions", async (query) => (await import("./decisions.js")).decisions(query)],
  [/^guards$/, "Guards", async () => (await import("./guards.js")).guards()],
  [/^quality$/, "Quality", async () => (await import("./quality.js")).quality()],
  [/^replay$/, "Replay", async () => (await import("./replay.js")).replay()],
];

const byId = (id) => document.getElementById(id);
let view;
let visits = 0;

async function go() {
  const asked = location.hash.replace(/^#\/?/, "");
  // The link that skips the navigation leads to a part of the page, and is no page of its own.
  if (asked === "view" && view !== undefined) return;
  const address = asked === "view" ? "" : asked;
  const [path] = address.split("?");
  if (view?.stays?.(address) === true) return;
  const visit = ++visits;
  const next = await open(address).catch((error) => failed(error));
  if (visit !== visits) return;
  view?.leave?.();
  view = next;
  byId("view").replaceChildren(view.root);
  document.title = `${view.title ?? "Fleet"} – Helius Self-Heal`;
  mark(path);
  view.update?.({ all: true });
  if (visit > 1) byId("view").querySelector("h1")?.focus();
}

async function open(address) {
  for (const [pattern, title, make] of ROUTES) {
    const found = pattern.exec(address);
    if (found !== null) return { title, ...(await make(found[1] ?? "")) };
  }
  return {
    root: h(
      "div",
      {},
      h("h1", { tabindex: "-1" }, "Nothing here"),
      h("p", {}, h("a", { href: "#/" }, "To the fleet")),
    ),
    title: "Nothing here",
  };
}

function failed(error) {
  return {
    root: h(
      "div",
      {},
      h("h1", { tabindex: "-1" }, "This page could not be opened"),
      h("p", {}, String(error)),
    ),
    title: "Error",
  };
}

function mark(path) {
  for (const link of document.querySelectorAll("nav a")) {
    const own = link.getAttribute("href").replace(/^#\/?/, "");
    const here = own === path || (own === "" && path.startsWith("target/"));
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** One line that says whether what is shown is fresh, and in which mode the monitor is. */
function pulse() {
  const { mode, cycle_seconds: cycle, horizon_seconds: horizon, last_cycle: last } = state.parts;
  const element = byId("pulse");
  if (state.link === "lost") {
    setText(element, "✗ the monitor does not answer; what is shown may be old");
    element.className = "pulse bad";
    return;
  }
  if (mode === undefined) return;
  const ageS = last ? (Date.now() - Date.parse(last.at)) / 1000 : undefined;
  const late = ageS !== undefined && ageS > 3 * cycle + 10;
  const age = ageS === undefined ? "no cycle yet" : late ? `✗ no cycle for ${duration(ageS)}` : "live";
  const polled = state.link === "polling" ? ", asked now and then: too many follow" : "";
  const how = mode === "auto" ? "acting" : "shadow mode: decides, never calls";
  setText(element, `${age}${polled} · ${how} · every ${duration(cycle)}, ${duration(horizon)} ahead`);
  element.className = late ? "pulse bad" : "pulse";
}

const heard = new Map();

/** Tells screen readers what became more or less urgent, a few words at a time. */
function announce(change) {
  if (state.series === undefined) return;
  const said = [];
  for (const series of state.series) {
    const { target, metric, kind } = readRow(series);
    const key = `${target} ${metric}`;
    const before = heard.get(key);
    heard.set(key, kind);
    if (
      change.all !== true &&
      before !== undefined &&
      before !== kind &&
      (kind === "acted" || kind === "held")
    )
      said.push(`${target}: ${KINDS[kind].word}`);
  }
  const more = said.length > 3 ? ` and ${said.length - 3} more` : "";
  if (said.length > 0) setText(byId("said"), said.slice(0, 3).join(", ") + more);
}

onChange((change) => {
  pulse();
  announce(change);
  brake(byId("brake"));
  notices(byId("notice"));
  view?.update?.(change);
});
addEventListener("hashchange", () => void go());
setInterval(() => {
  tickCountdowns();
  pulse();
}, 1000);
void go();
void start();
