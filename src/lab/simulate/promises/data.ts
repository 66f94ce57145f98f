import { askerOf } from "../../../monitor/kernel/action.ts";
import type { Decision } from "../../../monitor/kernel/decision.ts";
import { seriesKey } from "../../../monitor/kernel/target.ts";
import type { Checker, CycleFact, IntentFact, SiteView } from "../world/facts.ts";
import { PerSeries } from "../world/per-series.ts";
import { clockText, isUndo, SLACK_MS, seconds, Watcher } from "./kit.ts";

/** The client's limit on a sample's age, plus what its clock may be off and its own wait. */
const AGE_SLACK_MS = 45_000;

/** 2: no action on stale, missing, partial or nonsensical data, nor on an alert that nobody genuine told of. */
export class DataChecker extends Watcher implements Checker {
  readonly promise = 2;
  readonly title = "no action on stale, missing, partial or nonsensical data";
  /** When each series last had a value, since the newest start. */
  readonly #seenOf = new Map<string, PerSeries<number>>();

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
      const first = intents.find((f) => f.intent.target === d.target && !isUndo(f.intent));
      const thenMs = (first?.atMs ?? 0) - (was?.scrapedMs ?? 0);
      if (first !== undefined && thenMs > limitMs)
        this.broken(
          `${site.name} acts on ${series} = ${observed.value}, which was ${seconds(thenMs)} old by then`,
        );
    }
  }

  /** Every intent stands on a decision of its own cycle, or on an alert that was heard of lately. */
  #asked({ site, report, intents }: CycleFact): void {
    for (const { intent, atMs, unsure } of intents) {
      // One that was reported as failed is not acted on: its decision says so.
      if (isUndo(intent) || unsure) continue;
      if (intent.trigger === "alert") {
        this.#heardOf({ intent, atMs }, site.name, site.settings.alertStaleMs);
        continue;
      }
      const d = report.decisions.find((x) => x.signal === intent.signal && x.target === askerOf(intent));
      const standsOn = d?.act === true || (intent.origin?.playbook !== undefined && d?.trigger !== undefined);
      const later = (intent.origin?.step ?? 0) > 0;
      if (!standsOn && !later)
        this.broken(`${site.name} wrote intent ${intent.id} on ${intent.target} without a decision to act`);
    }
  }

  #heardOf({ intent, atMs }: Pick<IntentFact, "intent" | "atMs">, site: string, staleMs: number): void {
    if ((intent.origin?.step ?? 0) > 0) return;
    const fingerprint = intent.origin?.alert;
    const heard = this.sight.alertmanager.heard
      .get(`${site} ${fingerprint}`)
      ?.filter((h) => h.status === "firing");
    const last = heard?.at(-1);
    if (last === undefined)
      this.broken(`${site} acts on alert ${fingerprint}, of which no genuine webhook told it`);
    else if (atMs - last.atMs > staleMs + SLACK_MS)
      this.broken(
        `${site} acts on alert ${fingerprint}, last heard of at ${clockText(last.atMs)}, ${seconds(atMs - last.atMs)} ago`,
      );
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
    const acting = intents.filter((f) => !isUndo(f.intent) && (f.intent.origin?.step ?? 0) === 0);
    if (acting.length === 0) return;
    const memoryMs = 0.9 * completeness.memoryMs - 2 * site.settings.cycleMs;
    const seenMs = (d: Decision) => seen.get(d.target, d.signal) ?? Number.NEGATIVE_INFINITY;
    const expected = report.decisions.filter((d) => atMs - seenMs(d) < memoryMs).length;
    if (expected >= completeness.minSeries && fresh / expected < completeness.fleetShare)
      this.broken(`${site.name} acts although only ${fresh} of ${expected} series have a value`);
    for (const { intent } of acting) {
      const { ok, of } = usable.get(intent.target) ?? { ok: 0, of: 0 };
      if (of > 0 && ok / of < completeness.targetShare)
        this.broken(`${site.name} acts on ${intent.target}: only ${ok} of ${of} of its signals are usable`);
    }
  }
}
