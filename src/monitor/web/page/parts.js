import { h, svg } from "./dom.js";
import { clockTime, KINDS, signalTitle, untilText, utcTime, withoutUntil } from "./format.js";

/** A moment in the viewer's zone, in UTC on hover. @param {string|number} at ISO or milliseconds */
export function when(at) {
  const ms = typeof at === "number" ? at : Date.parse(at);
  return h("time", { datetime: new Date(ms).toISOString(), title: utcTime(ms) }, clockTime(ms));
}

/** The end of something, counted down by `tickCountdowns`. @param {number|null} untilS Unix seconds */
export function countdown(untilS) {
  if (untilS === null || untilS === undefined) return null;
  return h(
    "span.until",
    { data: { until: String(untilS) }, title: utcTime(1000 * untilS) },
    untilText(untilS),
  );
}

/** Once a second: every countdown on the page. */
export function tickCountdowns() {
  for (const element of document.querySelectorAll("[data-until]")) {
    const text = untilText(Number(element.dataset.until));
    if (element.textContent !== text) element.textContent = text;
  }
}

/** A state: shape and word. */
export function badge(kind) {
  const { shape, word, title } = KINDS[kind] ?? { shape: "?", word: kind, title: "" };
  return h(
    "span.badge",
    { class: `badge k-${kind}`, title },
    h("span", { "aria-hidden": "true" }, shape),
    ` ${word}`,
  );
}

/** A link to a target's page. */
export function targetLink(name) {
  return h("a", { href: `#/target/${encodeURIComponent(name)}` }, name);
}

/** Why, and until when. */
export function why(detail, untilS) {
  const end = countdown(untilS);
  return [withoutUntil(detail), end === null ? null : [" — ", end]];
}

const OUTCOMES = {
  recovered: "✓",
  improved: "↗",
  ineffective: "✗",
  worse: "✗",
  inconclusive: "?",
  pending: "…",
  failed: "✗",
  refused: "✗",
};

/** What an action turned out to have done. */
export function verdict(verified) {
  if (verified === null || verified === undefined) return "not verified";
  return h(
    "span",
    { class: `o-${verified.outcome}`, title: verified.detail },
    h("span", { "aria-hidden": "true" }, `${OUTCOMES[verified.outcome] ?? ""} `),
    verified.outcome,
  );
}

export function outcomeShape(outcome) {
  return OUTCOMES[outcome] ?? "";
}

/** Target and signal, in one cell. */
export function subject(target, metric) {
  return [
    target === "" ? "–" : targetLink(target),
    metric ? h("span.soft", {}, ` ${signalTitle(metric)}`) : null,
  ];
}

const [WIDTH, HEIGHT] = [120, 24];

/** An empty small line; `drawSpark` fills it. Decoration: the numbers beside it say the same. */
export function spark() {
  return svg(
    "svg",
    {
      class: "spark",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      width: WIDTH,
      height: HEIGHT,
      "aria-hidden": "true",
      preserveAspectRatio: "none",
    },
    svg("line", { class: "slo", x1: 0, x2: WIDTH, y1: 0, y2: 0 }),
    svg("path", { class: "line" }),
    svg("circle", { class: "now", r: 2 }),
  );
}

/**
 * Draws the worst share of the SLO over the last cycles. The SLO stays at the same height, two thirds up, until
 * something is half as much again above it.
 * @param {(number|null)[]} shares percent
 */
export function drawSpark(element, shares, points = 40) {
  const known = shares.filter((v) => v !== null);
  const top = Math.max(150, ...known);
  const y = (v) => (HEIGHT - 2 - ((HEIGHT - 4) * v) / top).toFixed(1);
  const x = (i) => (2 + ((WIDTH - 5) * (points - shares.length + i)) / (points - 1)).toFixed(1);
  let path = "";
  let pen = "M";
  shares.forEach((v, i) => {
    if (v === null) {
      pen = "M";
      return;
    }
    path += `${pen}${x(i)} ${y(v)}`;
    pen = "L";
  });
  const [slo, line, now] = element.children;
  slo.setAttribute("y1", y(100));
  slo.setAttribute("y2", y(100));
  line.setAttribute("d", path);
  const last = shares.at(-1);
  now.setAttribute("visibility", last === null || last === undefined ? "hidden" : "visible");
  if (typeof last === "number") {
    now.setAttribute("cx", x(shares.length - 1));
    now.setAttribute("cy", y(last));
  }
}
