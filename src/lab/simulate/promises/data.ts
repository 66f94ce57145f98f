import { askerOf, concerned, isUndo } from "../../../monitor/kernel/action.ts";
import type { Decision } from "../../../monitor/kernel/decision.ts";
import { seriesKey } from "../../../monitor/kernel/target.ts";
import type { Checker, CycleFact, IntentFact, SiteView, ToldFact } from "../world/facts.ts";
import { PerSeries } from "../world/per-series.ts";
import { begins, clockText, SLACK_MS, seconds, Watcher } from "./kit.ts";

/** The client's limit on a sample's age, plus what its clock may be off and its own wait. */
const AGE_SLACK_MS = 45_000;

/** A person's wish is for the next cycle, which may be under way or take long, milliseconds. */
const REQUEST_MS = 7 * 60_000;

/** 2: no action on stale, missing, partial or nonsensical data, nor on an alert or a wish that nobody genuine told of. */
export class DataChecker extends Watcher implements Checker {
  readonly promise = 2;
  readonly title = "no action on stale, missing, partial or nonsensical data";
  /** When each series last had a value, since the newest start. */
  readonly #seenOf = new Map<string, PerSeries<number>>();
  /** Wishes of people that nothing has been done for so far. */
  readonly #wishes = new Set<ToldFact & { readonly atMs: number }>();

  told(fact: ToldFact): void {
    if (fact.what === "request") this.#wishes.add({ ...fact, atMs: this.sight.world.time.now });
  }

  start(site: SiteView): void {
    this.#seenOf.delete(site.name);
  }

  cycle(fact: CycleFact): void {
    this.#truthful(fact);
    this.#asked(fact);
    this.#partial(fact);
  }

  /** What counts as usable is what the world knows to be so. */
  #truthful({ site, report, seen, beganMs, intents }: CycleFact): void {
    for (const [i, d] of report.decisions.entries()) {
      const observed = report.observations[i];
      const was = seen[i];
      const series = seriesKey(d.target, d.signal);
      if (observed?.status !== "ok") {
        if (d.act)
          this.broken(`${site.name} acts on ${series}, whose data is ${observed?.status ?? "absent"}`);
        continue;
      }
      if (was === undefined || was.atMs < beganMs || was.flaw !== undefined) {
        const flaw = was === undefined || was.atMs < beganMs ? "it was not asked for" : was.flaw;
        this.broken(`${site.name} takes ${series} = ${observed.value} for usable: ${flaw}`);
      } else if (Math.abs(was.value - observed.value) > 1e-6 * Math.max(1, Math.abs(was.value)))
        this.broken(`${site.name} reads ${series} as ${observed.value}, it was served ${was.value}`);
      const limitMs = site.settings.cycleMs * 3 + AGE_SLACK_MS;
      const oldMs = (was?.atMs ?? 0) - (was?.scrapedMs ?? 0);
      if (oldMs > limitMs) this.broken(`${site.name} takes ${series} for usable, ${seconds(oldMs)} old`);
      if (!d.act) continue;
      const first = intents.find((f) => askerOf(f.intent) === d.target && !isUndo(f.intent));
      const thenMs = (first?.atMs ?? 0) - (was?.scrapedMs ?? 0);
      if (first !== undefined && thenMs > limitMs)
        this.broken(
          `${site.name} acts on ${series} = ${observed.value}, which was ${seconds(thenMs)} old by then`,
        );
    }
  }

  /** Every run stands on a decision of its own cycle, on an alert that was heard of lately, or on a wish; and says whose it is. */
  #asked(cycle: CycleFact): void {
    for (const fact of cycle.intents) {
      // One that was reported as failed is not acted on: its decision says so.
      if (!begins(fact) || fact.unsure) continue;
      const { trigger } = fact.intent;
      if (trigger === "alert") this.#heardOf(fact, cycle);
      else if (trigger === "person") this.#wished(fact);
      else this.#decided(fact, cycle);
    }
  }

  #decided({ intent, site }: IntentFact, { report, beganMs }: CycleFact): void {
    const asker = askerOf(intent);
    const d = report.decisions.find((x) => x.signal === intent.signal && x.target === asker);
    const { playbook: name } = intent.origin ?? {};
    if (d?.act !== true && (name === undefined || d?.trigger === undefined))
      this.broken(`${site.name} wrote intent ${intent.id} on ${intent.target} without a decision to act`);
    const playbook = site.settings.playbooks.find((p) => p.name === name);
    const whose = name === undefined ? intent.target : playbook?.forecast?.target;
    if (whose !== asker && site.settingsSinceMs < beganMs)
      this.broken(
        `${site.name} says of ${intent.id} that ${asker} asks for it, it is a forecast of ${whose}`,
      );
  }

  #heardOf({ intent, site, atMs }: IntentFact, { beganMs }: CycleFact): void {
    const fingerprint = intent.origin?.alert;
    const heard = this.sight.alertmanager.heard
      .get(`${site.name} ${fingerprint}`)
      ?.filter((h) => h.status === "firing");
    const last = heard?.at(-1);
    if (last === undefined) {
      this.broken(`${site.name} acts on alert ${fingerprint}, of which no genuine webhook told it`);
      return;
    }
    if (atMs - last.atMs > site.settings.alertStaleMs + SLACK_MS)
      this.broken(
        `${site.name} acts on alert ${fingerprint}, last heard of at ${clockText(last.atMs)}, ${seconds(atMs - last.atMs)} ago`,
      );
    const { targets, playbooks } = site.settings;
    const job = targets.find((t) => t.name === last.job)?.name;
    const playbook = playbooks.find((p) => p.name === intent.origin?.playbook);
    const whose = job ?? playbook?.steps[0]?.on.name;
    if (whose !== askerOf(intent) && site.settingsSinceMs < beganMs)
      this.broken(
        `${site.name} says of ${intent.id} that ${askerOf(intent)} asks for it, the alert is of ${whose}`,
      );
  }

  /** Each wish counts once. */
  #wished({ intent, site, atMs }: IntentFact): void {
    const asker = askerOf(intent);
    for (const wish of this.#wishes) {
      if (wish.site !== site || wish.target !== asker || wish.playbook !== intent.origin?.playbook) continue;
      this.#wishes.delete(wish);
      if (atMs - Math.max(wish.atMs, site.wentOnMs) <= REQUEST_MS) return;
    }
    this.broken(`${site.name} acts on ${intent.target} on the word of a person who did not ask for it`);
  }

  /** The picture as a whole: too small a part of a target, or of the fleet. */
  #partial({ site, report, intents, atMs, beganMs }: CycleFact): void {
    const { completeness } = site.settings.guards;
    const seen = this.#seenOf.get(site.name) ?? new PerSeries<number>();
    this.#seenOf.set(site.name, seen);
    const usable = new Map<string, { ok: number; of: number }>();
    let fresh = 0;
    for (const [i, d] of report.decisions.entries()) {
      const status = report.observations[i]?.status;
      const count = usable.get(d.target) ?? { ok: 0, of: 0 };
      usable.set(d.target, count);
      if (status === "ok") {
        seen.set(d.target, d.signal, beganMs);
        fresh += 1;
        count.ok += 1;
      }
      if (status !== "missing") count.of += 1;
    }
    const acting = intents.filter((f) => !isUndo(f.intent));
    if (acting.length === 0) return;
    const memoryMs = 0.9 * completeness.memoryMs - 2 * site.settings.cycleMs;
    const seenMs = (d: Decision) => seen.get(d.target, d.signal) ?? Number.NEGATIVE_INFINITY;
    const expected = report.decisions.filter((d) => atMs - seenMs(d) < memoryMs).length;
    if (expected >= completeness.minSeries && fresh / expected < completeness.fleetShare)
      this.broken(`${site.name} acts although only ${fresh} of ${expected} series have a value`);
    for (const { intent } of acting)
      for (const party of concerned(intent)) {
        const { ok, of } = usable.get(party) ?? { ok: 0, of: 0 };
        if (of > 0 && ok / of < completeness.targetShare)
          this.broken(`${site.name} acts for or on ${party}: only ${ok} of ${of} of its signals are usable`);
      }
  }
}
