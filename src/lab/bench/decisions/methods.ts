import { COMPARATORS } from "./comparators.ts";
import type { Method } from "./decider.ts";
import { ROUND1 } from "./round1.ts";
import { TREND_METHODS } from "./trend.ts";

/** Every row of the table. To judge another decider (the daemon's own pipeline), add it here. */
export const METHODS: readonly Method[] = [...COMPARATORS, ROUND1, ...TREND_METHODS];

/** The methods with these names, in the table's order; throws on a name that is not there. */
export function methodsNamed(names: readonly string[]): Method[] {
  for (const name of names) {
    if (!METHODS.some((m) => m.name === name)) {
      throw new Error(`no method ${name}; there are ${METHODS.map((m) => m.name).join(", ")}`);
    }
  }
  return METHODS.filter((m) => names.includes(m.name));
}
