import type { ActionTarget, Playbook } from "../kernel/containment.ts";

/** What is carried out: a playbook of the configuration, or the mitigation of a target, which is one of a single step. */
export type Plan = Omit<Playbook, "name"> & { readonly name?: string };

/**
 * Heals a target by its own admin plane: the answer to a forecast that no playbook answers.
 * @param signal whose forecast asks for it, and whose return below its SLO shows that it helped; absent: a person asks.
 */
export function mitigationOf(target: ActionTarget, signal?: string): Plan {
  return {
    ...(signal === undefined ? {} : { forecast: { target: target.name, signal } }),
    steps: [{ kind: "mitigate", on: target, parameters: {}, preconditions: [] }],
    undoOnResolved: false,
  };
}

/** Under which its newest run is kept: a playbook's own name, or the target of a mitigation. */
export function planKey(plan: { readonly name?: string; readonly playbook?: string }, asker: string): string {
  return plan.name ?? plan.playbook ?? `mitigate ${asker}`;
}
