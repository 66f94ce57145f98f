import type { Overview, State, Verification } from "../../report/wire.ts";
import { type Child, h, setText, svg } from "./dom.ts";
import { clockTime, STATES, signalTitle, untilText, utcTime, withoutUntil } from "./format.ts";

/** A moment in the viewer's zone, in UTC on hover. @param at ISO or milliseconds */
export function when(at: string | number): HTMLElement {
  const ms = typeof at === "number" ? at : Date.parse(at);
  return h("time", { datetime: new Date(ms).toISOString(), title: utcTime(ms) }, clockTime(ms));
}

/** The end of something, counted down by `tickCountdowns`. @param untilS Unix time, seconds; null: none */
function countdown(untilS: number | null): Child {
  if (untilS === null) return null;
  return h("span.until", { "data-until": untilS, title: utcTime(1000 * untilS) }, untilText(untilS));
}

/** The same of an ISO time. */
export function countdownTo(at: string | null): Child {
  return countdown(at === null ? null : Date.parse(at) / 1000);
}

/** Once a second: every countdown on the page. */
export function tickCountdowns(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-until]"))
    setText(element, untilText(Number(element.dataset.until)));
}

/** A state: shape and word. */
export function badge(state: State): HTMLElement {
  const { shape, word, title } = STATES[state];
  return h(`span.badge.s-${state}`, { title }, h("span", { "aria-hidden": "true" }, shape), ` ${word}`);
}

/** A link to a target's page. */
export function targetLink(name: string): HTMLElement {
  return h("a", { href: `#/target/${encodeURIComponent(name)}` }, name);
}

/** Why, and until when. */
export function why(detail: string, untilS: number | null): Child {
  return [withoutUntil(detail), untilS === null ? null : [" — ", countdown(untilS)]];
}

const OUTCOMES: Readonly<Record<Verification["outcome"], string>> = {
  recovered: "✓",
  improved: "↗",
  ineffective: "✗",
  worse: "✗",
  inconclusive: "?",
  pending: "…",
  failed: "✗",
  refused: "✗",
};

type Verified = Pick<Verification, "outcome" | "detail"> | null | undefined;

/** What an action turned out to have done. */
export function verdict(verified: Verified): Child {
  if (verified === null || verified === undefined) return "not verified";
  const { outcome, detail } = verified;
  return h(
    `span.o-${outcome}`,
    { title: detail },
    h("span", { "aria-hidden": "true" }, `${OUTCOMES[outcome]} `),
    outcome,
  );
}

export function outcomeShape(verified: Verified): string {
  return verified === null || verified === undefined ? "" : OUTCOMES[verified.outcome];
}

/** Target and signal, in one cell. */
export function subject({ target, metric }: { readonly target: string; readonly metric: string }): Child {
  return [
    target === "" ? "–" : targetLink(target),
    metric === "" ? null : h("span.soft", ` ${signalTitle(metric)}`),
  ];
}

/** What was wrong with the series of a source, each with their number. */
export function troubles(source: Source): string[] {
  return BAD.filter((status) => source[status] > 0).map((status) => `${source[status]} ${status}`);
}

/** Names and values in one line. */
export function pairs(fields: Readonly<Record<string, unknown>>, between: string): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}${between}${value}`)
    .join(", ");
}

/** What came of a call, with its detail. */
export function outcome(a: { readonly outcome: string; readonly outcome_detail: string | null }): string {
  return a.outcome_detail === null ? a.outcome : `${a.outcome}: ${a.outcome_detail}`;
}

const BAD = ["missing", "stale", "invalid", "unreachable"] as const;
type Source = NonNullable<Overview["last_cycle"]>["sources"][number];

const [WIDTH, HEIGHT] = [120, 24];

/**
 * A small line of the worst share of the SLO over the last cycles, percent, and what draws it. The SLO stays at the same
 * height, two thirds up, until something is half as much again above it. Decoration: the numbers beside it say the same.
 */
export function spark(points = 40): { readonly root: Node; draw(shares: readonly (number | null)[]): void } {
  const slo = svg("path", { stroke: "var(--risk)", "stroke-dasharray": "3 3" });
  const line = svg("path", { class: "line", fill: "none", stroke: "var(--link)", "stroke-width": 1.5 });
  const now = svg("circle", { fill: "var(--link)" });
  const box = {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    width: WIDTH,
    height: HEIGHT,
    preserveAspectRatio: "none",
  };
  return {
    root: svg("svg", { class: "spark", "aria-hidden": "true", ...box }, slo, line, now),
    draw(shares) {
      const top = Math.max(150, ...shares.map((v) => v ?? 0));
      const y = (v: number) => (HEIGHT - 2 - ((HEIGHT - 4) * v) / top).toFixed(1);
      const x = (i: number) => (2 + ((WIDTH - 5) * (points - shares.length + i)) / (points - 1)).toFixed(1);
      const path = shares.map((v, i) => {
        const pen = i === 0 || shares[i - 1] === null ? "M" : "L";
        return v === null ? "" : `${pen}${x(i)} ${y(v)}`;
      });
      const last = shares.at(-1) ?? null;
      slo.setAttribute("d", `M0 ${y(100)}H${WIDTH}`);
      line.setAttribute("d", path.join(""));
      now.setAttribute("r", last === null ? "0" : "2");
      now.setAttribute("cx", x(shares.length - 1));
      now.setAttribute("cy", y(last ?? 0));
    },
  };
}
