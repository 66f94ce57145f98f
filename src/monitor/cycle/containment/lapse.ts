import { type Run, stepId, untouched } from "../../playbooks/run.ts";
import type { ActContext } from "../act.ts";
import { releaseBudget } from "../guards/keeper.ts";

const LAPSED = "not carried out in the cycle that started it; what is known now counts";

/**
 * A run counts in the cycle that started it. One that a crash or a full disk kept from its first step lapses, and gives
 * its places in the budgets back: its playbook is decided on anew, by the alerts, guards and regions of now. Call it
 * before anything is decided. One whose journal cannot be read may have called, and stays.
 */
export function expireUnstartedRuns({ state, ports }: Pick<ActContext, "state" | "ports">): void {
  const { containment } = state;
  for (const run of containment.runs.values()) {
    if (!hasNoIntent(run, ports)) continue;
    releaseBudget(state, run.playbook, [...new Set(run.steps.map(({ on }) => on.name))]);
    const steps = run.steps.map((step) =>
      step.status === "pending" ? { ...step, status: "skipped" as const, detail: LAPSED } : step,
    );
    containment.runs.set(run.playbook, { ...run, status: "ended", steps });
    containment.unsaved.add(run.playbook);
  }
}

/** It is under way, and the journal knows of no step of it. */
export function hasNoIntent(run: Run, { store }: ActContext["ports"]): boolean {
  if (run.status !== "running" || !untouched(run)) return false;
  if (run.mode === "shadow") return true;
  try {
    return run.steps.every((_, index) => store.entry(stepId(run, index)) === undefined);
  } catch {
    return false;
  }
}
