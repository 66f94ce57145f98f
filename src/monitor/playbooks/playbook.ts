import type { ActionTarget, Playbook } from "../kernel/containment.ts";
import type { Instance, Target } from "../kernel/target.ts";

/** What is carried out: a playbook of the configuration, or the mitigation of a target, which is one of a single step. */
export type Plan = Omit<Playbook, "name"> & { readonly name?: string };

/**
 * Heals a target by what its configuration states: the answer to a forecast that no playbook answers.
 * @param signal whose forecast asks for it, and whose return below its SLO shows that it helped; absent: a person asks.
 * @returns undefined: nothing is stated, or a playbook by its name.
 */
export function mitigationOf(target: Target, signal?: string): Plan | undefined {
  const { name, mitigation } = target;
  if (mitigation === undefined || "playbook" in mitigation) return undefined;
  return {
    ...(signal === undefined ? {} : { forecast: { target: name, signal } }),
    steps: [
      { kind: mitigation.action, on: calleeOf(target, mitigation.on), parameters: {}, preconditions: [] },
    ],
    undoOnResolved: false,
  };
}

function calleeOf(target: Target, on: Instance | undefined): ActionTarget {
  const { cooldownMs, autoHeal } = target;
  return on === undefined ? target : { name: on.name, instances: [on], cooldownMs, autoHeal };
}

/** Under which its newest run is kept: a playbook's own name, or the target of a mitigation. */
export function planKey(plan: { readonly name?: string; readonly playbook?: string }, asker: string): string {
  return plan.name ?? plan.playbook ?? `mitigate ${asker}`;
}
