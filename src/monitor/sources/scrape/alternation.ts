import type { Samples } from "./calculate.ts";

/** Start times that differ by less are one that is rounded, seconds. */
const SAME_START_S = 5;
/** A counter that comes back to where it was rises at least by this share of its fall in one step: no process counts so fast. */
const JUMP_SHARE = 0.5;

/** When the process that answers began, on a page. */
export const START_METRIC = "process_start_time_seconds";

/** Whether the start of a process went back: it cannot, so that another process has answered. */
export function wentBack({ values }: Pick<Samples, "values">): boolean {
  let newest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as number;
    if (value < newest - SAME_START_S) return true;
    newest = Math.max(newest, value);
  }
  return false;
}

/** Whether a counter fell and then returned, in one step, to where it had been: a restart begins at zero and climbs. */
export function fellAndReturned({ values }: Pick<Samples, "values">): boolean {
  let before = Number.NaN;
  let low = Number.NaN;
  for (let at = 1; at < values.length; at++) {
    const [previous, value] = [values[at - 1] as number, values[at] as number];
    if (value < previous && !(before >= previous)) [before, low] = [previous, value];
    else if (value >= before && value - previous >= JUMP_SHARE * (before - low)) return true;
  }
  return false;
}
