import type { Reporter, TickReport } from "../cycle/types.ts";
import { type Decision, namedVerdict } from "../kernel/decision.ts";
import { formatNumber } from "../kernel/text.ts";
import { explain } from "../rules/explain.ts";
import { rank } from "./log.ts";

/** A cycle with nothing new is written only this often, milliseconds. */
const UNCHANGED_MS = 20_000;

/**
 * The monitor's story for a person at a terminal: one short line when the most urgent series changes its reason,
 * every action at once, and a sign of life now and then.
 * @param write takes one line, without its end; `colour` whether the terminal shows colours.
 */
export function createNarrator(options: {
  write: (line: string) => void;
  colour: boolean;
  now: () => number;
}): Reporter {
  const paint = (code: number, text: string) => (options.colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const say = (mark: string, text: string) => options.write(`${clockTime(options.now())}  ${mark}  ${text}`);
  let shown = "";
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    cycle(report) {
      const top = mostUrgent(report);
      if (top === undefined) return;
      const key = `${top.target} ${top.signal} ${top.reason}`;
      if (key === shown && options.now() - shownAt < UNCHANGED_MS) return;
      shown = key;
      shownAt = options.now();
      const alert = top.inRisk || top.trigger !== undefined;
      say(alert ? paint(33, "watch") : paint(32, "calm "), `${numbers(top)}  ${explain(top)}`);
    },
    action({ mode, intent, decision, detail, outcome }) {
      const came = mode === "shadow" ? "shadow mode, not called" : (outcome?.status ?? "outcome unknown");
      say(paint(36, "HEAL "), decision === undefined ? detail : `${numbers(decision)}  ${detail}`);
      say(
        paint(36, "HEAL "),
        `${intent.kind} ${intent.target}: ${came}${outcome === undefined ? "" : ` (${outcome.detail})`}`,
      );
    },
    reconciled: (intent, outcome) =>
      say(paint(35, "note "), `mitigation of ${intent.target} turned out: ${outcome.status}`),
    notice: (event, fields) =>
      say(
        paint(35, "note "),
        `${event}: ${Object.entries(fields)
          .map(([k, v]) => `${k}=${v}`)
          .join(" ")}`,
      ),
  };
}

function mostUrgent(report: TickReport): Decision | undefined {
  let top: Decision | undefined;
  for (const d of report.decisions) if (top === undefined || rank(d) > rank(top)) top = d;
  return top;
}

function numbers(d: Decision): string {
  const forecast = namedVerdict(d)?.forecast?.value;
  const show = (v: number | undefined) => (v === undefined ? "?" : formatNumber(v));
  return `${d.target} ${d.signal} ${d.atLeast ? "at least " : ""}${show(d.current)} now, ${show(forecast)} forecast;`;
}

function clockTime(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB");
}
