import type { CapSettings } from "../../../monitor/guards/rate-cap/budget.ts";
import { concerned, isUndo } from "../../../monitor/kernel/action.ts";
import type { Checker, EffectFact, IntentFact } from "../world/facts.ts";
import { clockText, cooldownOf, runOf, type Sight, SLACK_MS, seconds } from "./kit.ts";

/** The places of a run in the budgets, taken with its first intent. */
interface Places {
  readonly atMs: number;
  readonly parties: Set<string>;
  readonly callees: Set<string>;
}

/** 1: at most one action of a target per cooldown, whether it asked or was called; never more than the budgets; and the fence. */
export function cooldownChecker({ world }: Sight): Checker {
  const calls = new Map<string, { run: string; atMs: number }>();
  const newestOn = new Map<string, IntentFact>();
  const places = new Map<string, Map<string, Places>>();
  return {
    promise: 1,
    title: "at most one action of a target per cooldown, never more than the budgets",
    call({ intent, site, atMs }) {
      if (isUndo(intent)) return;
      const run = runOf(intent);
      for (const party of concerned(intent)) {
        const key = `${site.name} ${party}`;
        const last = calls.get(key);
        const cooldownMs = cooldownOf(site, party);
        const apartMs = last === undefined ? Number.POSITIVE_INFINITY : atMs - last.atMs;
        if (last !== undefined && last.run !== run && apartMs < cooldownMs - SLACK_MS)
          world.violate(
            1,
            `${site.name} called ${intent.target} in run ${run}, ${seconds(apartMs)} after run ${last.run} had acted on ${party}, whose cooldown is ${seconds(cooldownMs)}`,
          );
        calls.set(key, { run, atMs });
      }
    },
    intent(fact) {
      const { intent, site, ofRun } = fact;
      if (isUndo(intent)) return;
      const runs = places.get(site.name) ?? new Map<string, Places>();
      places.set(site.name, runs);
      const fresh = {
        atMs: ofRun[0]?.atMs ?? fact.atMs,
        parties: new Set<string>(),
        callees: new Set<string>(),
      };
      const own = runs.get(runOf(intent)) ?? fresh;
      runs.set(runOf(intent), own);
      for (const party of concerned(intent)) own.parties.add(party);
      own.callees.add(intent.target);
      const { fleetCap, targetCap } = site.settings.guards;
      for (const party of own.parties)
        overdrawn(fact, runs, {
          cap: targetCap,
          of: `for or on ${party}`,
          count: (p) => Number(p.parties.has(party)),
        });
      overdrawn(fact, runs, { cap: fleetCap, of: "over all targets", count: (p) => p.callees.size });
    },
    effect(effect) {
      const { instance, epoch, highest, key, atMs } = effect;
      if (epoch === undefined) return;
      fenced(effect);
      if (highest !== undefined && epoch < highest)
        world.violate(
          1,
          `${instance} carried out ${key} of epoch ${epoch} at ${clockText(atMs)} although it had seen epoch ${highest}`,
        );
    },
  };

  /** Whatever a call claims: once a newer run has acted on an instance, that of an older epoch has no effect on it. */
  function fenced({ instance, key, atMs }: EffectFact): void {
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
    runs: ReadonlyMap<string, Places>,
    budget: { cap: CapSettings; of: string; count: (places: Places) => number },
  ): void {
    const { cap, of, count } = budget;
    let within = 0;
    for (const one of runs.values()) if (atMs - one.atMs < cap.windowMs - SLACK_MS) within += count(one);
    if (within > cap.actions)
      world.violate(
        1,
        `${site.name} acted ${within} times ${of} within ${seconds(cap.windowMs)}, ${cap.actions} are allowed`,
      );
  }
}
