import type { Figures } from "./figures.ts";
import type { Heal } from "./pace.ts";
import type { Messages } from "./recording.ts";

/** One run, computed. */
export interface Result {
  readonly figures: Figures;
  readonly messages: Messages;
}

export type Results = ReadonlyMap<Heal, Result>;

/** What a drill is to show. */
export interface Goal {
  readonly text: string;
  /** What it came to, in one line. */
  readonly came: string;
  readonly reached: boolean;
}

/** The promise of every drill, for the runs there were. */
export function nothingLost(results: Results): Goal {
  const lost = [...results.values()].reduce((sum, { messages }) => sum + messages.lost, 0);
  const acked = [...results.values()].reduce((sum, { messages }) => sum + messages.acked, 0);
  return {
    text: "no acknowledged message lost",
    came: `${lost} of ${acked} acknowledged`,
    reached: lost === 0 && acked > 0,
  };
}

/** A goal about the healed run; there is none where it was not run. */
export function healedGoal(
  results: Results,
  text: string,
  judge: (healed: Result) => { readonly came: string; readonly reached: boolean },
): Goal[] {
  const healed = results.get("on");
  return healed === undefined ? [] : [{ text, ...judge(healed) }];
}

/** A goal about the healed run beside the one that was not. */
export function comparedGoal(
  results: Results,
  text: string,
  judge: (healed: Result, unhealed: Result) => { readonly came: string; readonly reached: boolean },
): Goal[] {
  const [healed, unhealed] = [results.get("on"), results.get("off")];
  return healed === undefined || unhealed === undefined ? [] : [{ text, ...judge(healed, unhealed) }];
}

/** A number of seconds for people; a dash for what did not happen. */
export function seconds(value: number | undefined): string {
  return value === undefined ? "–" : `${value.toFixed(1)} s`;
}

/** A share for people. */
export function percent(value: number | undefined): string {
  if (value === undefined) return "–";
  // What is not quite all is not to read as all, nor what is not quite nothing as nothing.
  const text = (100 * value).toFixed(1);
  if (text === "100.0" && value < 1) return "> 99.9 %";
  return text === "0.0" && value > 0 ? "< 0.1 %" : `${text.replace(/\.0$/, "")} %`;
}
