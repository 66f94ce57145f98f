import type { Intent } from "../kernel/action.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import type { Instant } from "../kernel/time.ts";

/** Why a plan is dropped after it was written down and before it is carried out. */
type DropReason =
  | "stopping"
  | "auto_heal_off"
  | "plan_too_old"
  | "target_gone"
  | "target_changed"
  | "superseded";

export interface Drop {
  readonly reason: DropReason;
  readonly detail: string;
}

/** What was true when the plan was made. */
export interface Plan {
  readonly intent: Intent;
  /** Names of the instances it was made for. */
  readonly instances: readonly string[];
}

/** What is true now. */
export interface Present {
  readonly stopping: boolean;
  /** Acting is allowed at all. */
  readonly autoHeal: boolean;
  /** What is to be acted on, as configured now; undefined: no longer. */
  readonly on: Pick<ActionTarget, "instances" | "autoHeal"> | undefined;
  /** Whose symptom asked for it; undefined: no longer configured. */
  readonly asker: Pick<ActionTarget, "autoHeal"> | undefined;
  /** Highest epoch known. */
  readonly epoch: number;
}

/**
 * The last look before the call, when the intent is on disk: writing it may have taken long. A plan that the world has
 * overtaken ends here with a typed reason. The guards were asked before.
 */
export function revalidate(input: {
  plan: Plan;
  present: Present;
  now: Instant;
  bootId: string;
  ttlMs: number;
}): Drop | undefined {
  const { plan, present, now, bootId, ttlMs } = input;
  const { intent } = plan;
  if (present.stopping) return { reason: "stopping", detail: "the monitor is stopping" };
  if (present.on === undefined)
    return { reason: "target_gone", detail: `${intent.target} is no longer configured` };
  if (!present.autoHeal || !present.on.autoHeal || present.asker?.autoHeal === false)
    return { reason: "auto_heal_off", detail: "acting was switched off" };
  if (present.epoch > intent.epoch)
    return { reason: "superseded", detail: `epoch ${present.epoch} has taken over from ${intent.epoch}` };
  const ageMs = intent.bootId === bootId ? now.monoMs - intent.at.monoMs : Number.POSITIVE_INFINITY;
  if (ageMs > ttlMs) {
    const age = Number.isFinite(ageMs) ? `${Math.round(ageMs / 1000)} s old` : "from another boot";
    return {
      reason: "plan_too_old",
      detail: `it is ${age}, at most ${Math.round(ttlMs / 1000)} s are allowed`,
    };
  }
  const names = present.on.instances.map((i) => i.name);
  if (names.toSorted().join("\n") !== plan.instances.toSorted().join("\n"))
    return { reason: "target_changed", detail: `planned for ${list(plan.instances)}, now ${list(names)}` };
  return undefined;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "no instance" : names.join(", ");
}
