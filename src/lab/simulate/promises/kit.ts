import type { Intent } from "../../../monitor/kernel/action.ts";
import type { ActionTarget } from "../../../monitor/kernel/containment.ts";
import { clockText } from "../engine/trace.ts";
import type { Alertmanager } from "../world/alertmanager.ts";
import type { IntentFact, SiteView } from "../world/facts.ts";
import type { Site } from "../world/site.ts";
import type { World } from "../world/world.ts";

/** What a checker sees: the world as it is, not as the monitors think it is. */
export interface Sight {
  readonly world: World;
  readonly alertmanager: Alertmanager;
  /** The monitor that the world relies on now. */
  readonly main: () => Site;
}

/** What the checkers have in common: what they see, and how they say that their promise is broken. */
export abstract class Watcher {
  abstract readonly promise: number;
  protected readonly sight: Sight;

  constructor(sight: Sight) {
    this.sight = sight;
  }

  protected broken(text: string): void {
    this.sight.world.violate(this.promise, text);
  }
}

/** Readings of two clocks in one step of the program may differ by so much, milliseconds. */
export const SLACK_MS = 1000;

/** What counts as one action: all steps of one run. */
export function runOf({ id, origin }: Intent): string {
  return origin?.run ?? id;
}

/** Whether a run begins with this intent. */
export function begins(fact: IntentFact): boolean {
  return fact.ofRun[0] === fact;
}

/** The cooldown of a target, or of whatever else a playbook calls, milliseconds. */
export function cooldownOf(site: SiteView, name: string): number {
  return partyOf(site, name)?.cooldownMs ?? 0;
}

/** Whether a target may be acted on; what else is called always may. */
export function isOn(site: SiteView, name: string): boolean {
  return partyOf(site, name)?.autoHeal ?? true;
}

/** A target, or whatever else a playbook calls, by the file. */
export function partyOf({ settings }: SiteView, name: string): ActionTarget | undefined {
  const target = settings.targets.find((t) => t.name === name);
  if (target !== undefined) return target;
  for (const { steps } of settings.playbooks) for (const { on } of steps) if (on.name === name) return on;
  return undefined;
}

export function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

export { clockText };

/** A value for each site and target. */
export class PerTarget<T> {
  readonly #sites = new Map<string, Map<string, T>>();
  readonly #fresh: () => T;

  constructor(fresh: () => T) {
    this.#fresh = fresh;
  }

  of(site: SiteView, target: string): T {
    let own = this.#sites.get(site.name);
    if (own === undefined) {
      own = new Map();
      this.#sites.set(site.name, own);
    }
    const known = own.get(target);
    if (known !== undefined) return known;
    const fresh = this.#fresh();
    own.set(target, fresh);
    return fresh;
  }

  forget(site: SiteView, target?: string): void {
    if (target === undefined) this.#sites.delete(site.name);
    else this.#sites.get(site.name)?.delete(target);
  }
}
