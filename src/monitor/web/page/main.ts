import { announce, showNotices, showPauseButton } from "./controls.ts";
import { fill, h, page, setText } from "./dom.ts";
import { duration, STATES } from "./format.ts";
import { type Has, linesOf, onChange, start, state, update, type View } from "./live.ts";
import { overview } from "./overview.ts";
import { tickCountdowns } from "./parts.ts";

/** Where each address leads. All but the first page are fetched when they are wanted. */
const ROUTES: readonly (readonly [RegExp, (part: string) => View | Promise<View>])[] = [
  [/^$/, overview],
  [/^target\/(.+)$/, async (name) => (await import("./target.ts")).target(decodeURIComponent(name))],
  [/^decisions(?:\?(.*))?$/, async (query) => (await import("./decisions.ts")).decisions(query)],
  [/^guards$/, async () => (await import("./guards.ts")).guards()],
  [/^quality$/, async () => (await import("./quality.ts")).quality()],
  [/^replay$/, async () => (await import("./replay.ts")).replay()],
];

const byId = (id: string) => document.getElementById(id) as HTMLElement;
let view: View | undefined;
let visits = 0;

async function go(): Promise<void> {
  const asked = location.hash.replace(/^#\/?/, "");
  // The link that skips the navigation leads to a part of the page, and is no page of its own.
  if (asked === "view" && view !== undefined) return;
  const address = asked === "view" ? "" : asked;
  if (view?.stays?.(address) === true) return;
  const visit = ++visits;
  const next = await open(address).catch(
    (error): View => ({ title: "Error", root: page("This page could not be opened", h("p", String(error))) }),
  );
  if (visit !== visits) return;
  view?.leave?.();
  view = next;
  fill(byId("view"), view.root);
  document.title = `${view.title} – Helius Self-Heal`;
  mark(address.split("?")[0] ?? "");
  if (state.fleet !== undefined) update(view, state.fleet, () => true);
  if (visit > 1) byId("view").querySelector("h1")?.focus();
}

async function open(address: string): Promise<View> {
  for (const [pattern, make] of ROUTES) {
    const found = pattern.exec(address);
    if (found !== null) return make(found[1] ?? "");
  }
  return {
    title: "Nothing here",
    root: page("Nothing here", h("p", h("a", { href: "#/" }, "To the fleet"))),
  };
}

/** Marks the link to the page that is shown. */
function mark(path: string): void {
  for (const link of document.querySelectorAll("nav a")) {
    const own = link.getAttribute("href")?.replace(/^#\/?/, "");
    if (own === path || (own === "" && path.startsWith("target/"))) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** One line that says whether what is shown is fresh, and in which mode the monitor is. */
function pulse(): void {
  const [text, good] = pulseText();
  setText(byId("pulse"), text);
  byId("pulse").className = good ? "pulse" : "pulse bad";
}

function pulseText(): readonly [text: string, good: boolean] {
  if (state.link === "lost") return ["✗ the monitor does not answer; what is shown may be old", false];
  if (state.fleet === undefined) return ["", true];
  const { mode, cycle_seconds: cycle, horizon_seconds: horizon, last_cycle: last } = state.fleet.parts;
  const ageS = last === null ? undefined : (Date.now() - Date.parse(last.at)) / 1000;
  const late = ageS !== undefined && ageS > 3 * cycle + 10;
  const age = ageS === undefined ? "no cycle yet" : late ? `✗ no cycle for ${duration(ageS)}` : "live";
  const polled = state.link === "polling" ? ", polling: too many readers follow the events" : "";
  const how = mode === "auto" ? "acting" : "shadow mode: decides, never calls";
  return [`${age}${polled} · ${how} · every ${duration(cycle)}, ${duration(horizon)} ahead`, !late];
}

const known = new Map<string, string>();

/** Tells screen readers what became urgent, a few words at a time. */
function announceStates(has: Has): void {
  if (state.fleet === undefined || !(has("rows") || has("cycle"))) return;
  const said: string[] = [];
  for (const { target, metric, state: is } of linesOf(state.fleet)) {
    const key = `${target} ${metric}`;
    const before = known.get(key) ?? is;
    known.set(key, is);
    if (before !== is && (is === "acting" || is === "blocked")) said.push(`${target}: ${STATES[is].word}`);
  }
  const more = said.length > 3 ? ` and ${said.length - 3} more` : "";
  if (said.length > 0) announce(said.slice(0, 3).join(", ") + more);
}

onChange((has) => {
  pulse();
  if (state.fleet === undefined) return;
  announceStates(has);
  showPauseButton(byId("pause"), state.fleet);
  showNotices(byId("notice"), state.fleet);
  if (view !== undefined) update(view, state.fleet, has);
});
addEventListener("hashchange", () => void go());
setInterval(() => {
  tickCountdowns();
  pulse();
}, 1000);
void go();
void start();
