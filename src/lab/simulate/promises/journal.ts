import { concerned, isUndo } from "../../../monitor/kernel/action.ts";
import type { CallFact, Checker, EffectFact, IntentFact, SiteView } from "../world/facts.ts";
import { clockText, partyOf, SLACK_MS, seconds, Watcher } from "./kit.ts";

/** An intent without a terminal record for so long before the end is left behind, milliseconds. */
const LEFT_BEHIND_MS = 20 * 60_000;

/** 3: intent on disk before the call, one terminal record, no blind repeat. */
export class JournalChecker extends Watcher implements Checker {
  readonly promise = 3;
  readonly title = "intent on disk before the call, one terminal record, no blind repeat";
  readonly #effects = new Map<string, EffectFact>();
  readonly #open = new Map<string, Set<IntentFact>>();

  #openOn(site: SiteView, party: string): Set<IntentFact> {
    const key = `${site.name} ${party}`;
    const known = this.#open.get(key) ?? new Set<IntentFact>();
    this.#open.set(key, known);
    return known;
  }

  /** Nothing further is begun on a target, nor for it, while nobody knows what came of an earlier action on it or for it. */
  intent(fact: IntentFact): void {
    const { intent, site } = fact;
    for (const party of concerned(intent)) {
      const others = this.#openOn(site, party);
      if (!isUndo(intent)) for (const other of others) this.#meanwhile(fact, other, party);
      others.add(fact);
    }
  }

  #meanwhile({ intent, site }: IntentFact, other: IntentFact, party: string): void {
    if (other.lost || isUndo(other.intent)) return;
    // The monitor was told that it was never written, and has not called it.
    if (other.unsure && other.calls.length === 0) return;
    this.broken(
      `${site.name} wrote intent ${intent.id} on ${intent.target} while ${other.intent.id} of ${clockText(other.atMs)} on ${other.intent.target} has no outcome, both of ${party}`,
    );
  }

  call({ intent, site, atMs, fact }: CallFact): void {
    if (fact === undefined) {
      this.broken(`${site.name} called ${intent.id}, of which no intent is on its disk`);
      return;
    }
    if (fact.outcomes.length > 0)
      this.broken(`${site.name} called ${intent.id}, whose terminal record is on disk already`);
    const ageMs = atMs - fact.atMs;
    // One that stood still between its last look and the call cannot know; the fence is for that.
    const stoodStill = site.wentOnMs >= atMs - SLACK_MS;
    if (ageMs > site.settings.intentTtlMs + 16_000 && !stoodStill)
      this.broken(
        `${site.name} called ${intent.id} ${seconds(ageMs)} after it was written, ${seconds(site.settings.intentTtlMs)} are allowed`,
      );
  }

  outcome(fact: IntentFact): void {
    const { intent, site, outcomes } = fact;
    for (const party of concerned(intent)) this.#openOn(site, party).delete(fact);
    const claimed = (instance: string) => this.sight.world.outside?.claimed(intent.id, instance) === true;
    if (outcomes.length > 1) this.broken(`${intent.id} has ${outcomes.length} terminal records`);
    const { status, instances } = outcomes[0]?.outcome ?? { status: "dropped", instances: [] };
    for (const { instance, status: came } of instances) {
      const did = this.#effects.has(`${intent.id} ${instance}`) || claimed(instance);
      if ((came === "applied" || came === "already_applied") && !did)
        this.broken(`${site.name} recorded ${intent.id} as ${came} by ${instance}, which did nothing`);
      if (status === "dropped" && fact.calls.length > 0)
        this.broken(`${site.name} recorded ${intent.id} as dropped, and had called it`);
    }
    if (status === "applied")
      for (const { name } of partyOf(site, intent.target)?.instances ?? [])
        if (!this.#effects.has(`${intent.id} ${name}`) && !claimed(name))
          this.broken(`${site.name} recorded ${intent.id} as applied, and ${name} did nothing`);
  }

  effect(effect: EffectFact): void {
    const { key, instance, atMs } = effect;
    const id = `${key} ${instance}`;
    const before = this.#effects.get(id);
    this.#effects.set(id, effect);
    if (before === undefined) return;
    this.broken(
      `${instance} carried out ${key} twice: at ${clockText(before.atMs)} and at ${clockText(atMs)}`,
    );
  }

  end(): void {
    const site = this.sight.main();
    for (const fact of this.sight.world.intents.values()) {
      if (fact.site !== site || fact.lost || fact.outcomes.length > 0) continue;
      if (fact.unsure && fact.calls.length === 0) continue;
      if (this.sight.world.time.now - fact.atMs < LEFT_BEHIND_MS) continue;
      this.broken(
        `intent ${fact.intent.id} of ${clockText(fact.atMs)} on ${fact.intent.target} never came to an end`,
      );
    }
    this.#certainlyNothing(this.sight.world.intents.values());
  }

  /** `failed` and `refused` say that nothing was done. */
  #certainlyNothing(facts: Iterable<IntentFact>): void {
    for (const { intent, outcomes, site } of facts)
      for (const { instance, status } of outcomes[0]?.outcome.instances ?? []) {
        const final = outcomes[0]?.outcome.status;
        if (final === "expired" || (status !== "failed" && status !== "refused")) continue;
        const effect = this.#effects.get(`${intent.id} ${instance}`);
        if (effect !== undefined)
          this.broken(
            `${site.name} recorded ${intent.id} as ${status} by ${instance}, which carried it out at ${clockText(effect.atMs)}`,
          );
      }
  }
}
