import type { Checker, IntentFact } from "../world/facts.ts";
import { clockText, cooldownOf, isUndo, planOf, type Sight, SLACK_MS, seconds } from "./kit.ts";

/** 1: at most one mitigation of a target per cooldown, never more than the budgets; and the fence holds. */
export function cooldownChecker({ world }: Sight): Checker {
  const calls = new Map<string, { plan: string; atMs: number }>();
  const newestOn = new Map<string, IntentFact>();
  const marks = new Map<string, { plan: string; target: string; atMs: number }[]>();
  return {
    promise: 1,
    title: "at most one mitigation of a target per cooldown, never more than the budgets",
    call({ intent, site, atMs }) {
      if (isUndo(intent)) return;
      const key = `${site.name} ${intent.target}`;
      const last = calls.get(key);
      const plan = planOf(intent);
      const cooldownMs = cooldownOf(site, intent.target);
      const apartMs = last === undefined ? Number.POSITIVE_INFINITY : atMs - last.atMs;
      if (last !== undefined && last.plan !== plan && apartMs < cooldownMs - SLACK_MS)
        world.violate(
          1,
          `${site.name} called ${plan} on ${intent.target} ${seconds(apartMs)} after ${last.plan}, the cooldown is ${seconds(cooldownMs)}`,
        );
      calls.set(key, { plan, atMs });
    },
    intent(fact) {
      if (isUndo(fact.intent)) return;
      const known = marks.get(fact.site.name) ?? [];
      marks.set(fact.site.name, known);
      const { target } = fact.intent;
      const plan = planOf(fact.intent);
      if (known.some((m) => m.plan === plan && m.target === target)) return;
      known.push({ plan, target, atMs: fact.atMs });
      const { fleetCap, targetCap } = fact.site.settings.guards;
      overdrawn(fact, known, fleetCap);
      overdrawn(
        fact,
        known.filter((m) => m.target === target),
        targetCap,
        target,
      );
    },
    effect({ instance, epoch, highest, key, atMs }) {
      fenced(instance, key, atMs);
      if (highest !== undefined && epoch < highest)
        world.violate(
          1,
          `${instance} carried out ${key} of epoch ${epoch} at ${clockText(atMs)} although it had seen epoch ${highest}`,
        );
    },
  };

  /** Whatever a call claims: once a newer run has acted on an instance, that of an older epoch has no effect on it. */
  function fenced(instance: string, key: string, atMs: number): void {
    const fact = [...world.intents.values()].find((f) => f.intent.id === key);
    if (fact === undefined) return;
    const newest = newestOn.get(instance);
    // The journal tells the epoch that a call should have claimed. An intent of before a restart keeps its own.
    const other = newest !== undefined && newest.site !== fact.site;
    if (other && fact.intent.epoch < newest.intent.epoch)
      world.violate(
        1,
        `${instance} carried out ${key} of ${fact.site.name} at ${clockText(atMs)}, after the newer ${newest.site.name} had acted on it`,
      );
    else newestOn.set(instance, fact);
  }

  function overdrawn(
    { site, atMs }: IntentFact,
    of: readonly { atMs: number }[],
    cap: { actions: number; windowMs: number },
    target?: string,
  ): void {
    const within = of.filter((m) => atMs - m.atMs < cap.windowMs - SLACK_MS).length;
    if (within > cap.actions)
      world.violate(
        1,
        `${site.name} wrote ${within} intents ${target === undefined ? "over all targets" : `on ${target}`} within ${seconds(cap.windowMs)}, ${cap.actions} are allowed`,
      );
  }
}
