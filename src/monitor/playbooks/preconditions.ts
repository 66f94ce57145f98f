import type { Precondition, Step } from "../kernel/containment.ts";

/** What a step's preconditions are held against. */
export interface Surroundings {
  readonly region: string | undefined;
  readonly regionWhy: string | undefined;
  /** Newest usable value of a watched series, in the signal's unit; undefined when there is none. */
  readonly value: (target: string, signal: string) => number | undefined;
}

/** Why a step is not carried out now; undefined when it may be. */
export function unmet(step: Step, around: Surroundings): string | undefined {
  for (const condition of step.preconditions) {
    const why = unmetCondition(condition, around);
    if (why !== undefined) return why;
  }
  return undefined;
}

function unmetCondition(condition: Precondition, around: Surroundings): string | undefined {
  switch (condition.kind) {
    case "region_known":
      return around.region === undefined
        ? `no region stands out: ${around.regionWhy ?? "not known"}`
        : undefined;
    case "region_unknown":
      return around.region === undefined ? undefined : `region ${around.region} stands out`;
    case "signal_above": {
      const { target, signal, above } = condition;
      const value = around.value(target, signal);
      if (value === undefined) return `${signal} of ${target} is not known`;
      return value > above ? undefined : `${signal} of ${target} is ${value}, not above ${above}`;
    }
  }
}
