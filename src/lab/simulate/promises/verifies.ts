import { measuredAs } from "../../../monitor/guards/guard.ts";
import type { Checker, CycleFact, IntentFact, SiteView, ToldFact } from "../world/facts.ts";
import { PerSeries } from "../world/per-series.ts";
import { clockText, isUndo, PerTarget, SLACK_MS, seconds, Watcher } from "./kit.ts";

/** A verdict may come so many cycles after its window is over. */
const LATE_CYCLES = 5;
/** People are told of an escalation within so many cycles, where they can be reached. */
const PAGE_CYCLES = 5;

interface Past {
  /** Unhelpful attempts by intent, with the world time of the intent. */
  readonly unhelpful: Map<string, number>;
  healthySinceMs: number | undefined;
  escalatedMs: number | undefined;
  cyclesUntold: number;
}

/** 6: it verifies what it did; after K that did not help it stops and calls people; no samples, no verdict. */
export class VerifiesChecker extends Watcher implements Checker {
  readonly promise = 6;
  readonly title = "it verifies what it did, and stops and calls people when that does not help";
  readonly #pasts = new PerTarget<Past>(() => ({
    unhelpful: new Map(),
    healthySinceMs: undefined,
    escalatedMs: undefined,
    cyclesUntold: 0,
  }));
  readonly #samples = new Map<string, PerSeries<number[]>>();
  /** Actions whose verdict is due, by intent. */
  readonly #due = new Map<string, { fact: IntentFact; byMs: number }>();
  /** Attempts that a call came to, in a cycle that is not over: a crash in it may lose them. */
  readonly #came = new Map<SiteView, { target: string; id: string; atMs: number }[]>();

  start(site: SiteView): void {
    this.#came.delete(site);
    for (const [id, { fact }] of this.#due) if (fact.site === site) this.#due.delete(id);
    const before = site.starts.at(-2) ?? 0;
    if (site.diskFailedMs >= before || site.lostMs >= before) this.#pasts.forget(site);
  }

  told({ what, site, target }: ToldFact): void {
    if (what === "go_on" && target !== undefined) this.#pasts.forget(site, target);
  }

  notice(site: SiteView, event: string, fields: Readonly<Record<string, string | number | boolean>>): void {
    const target = String(fields.target ?? "");
    if (event === "target escalated") this.#pasts.of(site, target).escalatedMs = this.sight.world.time.now;
    if (event === "escalation ended") this.#pasts.forget(site, target);
  }

  intent(fact: IntentFact): void {
    const { intent } = fact;
    if (isUndo(intent) || (intent.origin?.step ?? 0) > 0) return;
    this.#stopped(fact);
  }

  outcome(fact: IntentFact): void {
    const { intent, site, outcomes } = fact;
    const status = outcomes[0]?.outcome.status;
    if (intent.origin?.playbook !== undefined || status === undefined) return;
    if (status === "failed" || status === "refused")
      this.#came.set(site, [
        ...(this.#came.get(site) ?? []),
        { target: intent.target, id: intent.id, atMs: fact.atMs },
      ]);
    if (status === "applied" || status === "partial" || status === "unknown")
      this.#due.set(intent.id, { fact, byMs: this.#windowEnd(fact) });
  }

  cycle(fact: CycleFact): void {
    this.#noteSamples(fact);
    this.#verdicts(fact);
    const { site } = fact;
    for (const { target, id, atMs } of this.#came.get(site) ?? [])
      this.#pasts.of(site, target).unhelpful.set(id, atMs);
    this.#came.delete(site);
    this.#health(fact);
    this.#paged(fact);
  }

  #windowEnd({ intent, site }: IntentFact): number {
    const { verification, cycleMs, rateWindowMs, maxSampleAgeMs } = site.settings;
    const cooldownMs = site.settings.targets.find((t) => t.name === intent.target)?.cooldownMs ?? 0;
    const least = (verification.minSamples + 1) * cycleMs + rateWindowMs;
    return (
      this.sight.world.time.now +
      Math.max(verification.windowMs ?? cooldownMs, least) +
      maxSampleAgeMs +
      LATE_CYCLES * cycleMs
    );
  }

  #noteSamples({ site, report, seen }: CycleFact): void {
    const own = this.#samples.get(site.name) ?? new PerSeries<number[]>();
    this.#samples.set(site.name, own);
    for (const [i, d] of report.decisions.entries()) {
      const was = seen[i];
      if (report.observations[i]?.status !== "ok" || was === undefined || was.flaw !== undefined) continue;
      const known = own.get(d.target, d.signal) ?? [];
      if (known.length === 0) own.set(d.target, d.signal, known);
      if (known.at(-1) !== was.scrapedMs) known.push(was.scrapedMs);
      if (known.length > 400) known.splice(0, 200);
    }
  }

  #verdicts({ site, report, atMs }: CycleFact): void {
    const { minSamples } = site.settings.verification;
    for (const v of report.verified) {
      this.#due.delete(v.intentId);
      const fact = this.sight.world.intents.get(`${site.name} ${v.intentId}`);
      const unhelpful = v.outcome === "ineffective" || v.outcome === "worse";
      if (unhelpful && fact !== undefined)
        this.#pasts.of(site, v.target).unhelpful.set(v.intentId, fact.atMs);
      const effectMs = fact?.calls.at(-1)?.atMs;
      const known = this.#samples.get(site.name)?.get(v.target, v.signal);
      if (v.outcome === "inconclusive" || effectMs === undefined || known === undefined) continue;
      const after = known.filter((ms) => ms > effectMs - SLACK_MS).length;
      if (after < minSamples)
        this.broken(
          `${site.name} judged ${v.intentId} ${v.outcome} on ${after} samples from after ${clockText(effectMs)}, ${minSamples} are needed`,
        );
    }
    for (const [id, { fact, byMs }] of this.#due) {
      if (fact.site !== site || atMs <= byMs) continue;
      this.#due.delete(id);
      if (site.diskFailedMs >= fact.atMs || site.wentOnMs >= fact.atMs || site.settingsSinceMs >= fact.atMs)
        continue;
      if (site.bootedMs >= fact.atMs || fact.lost) continue;
      this.broken(`${site.name} gave no verdict on ${id}, carried out at ${clockText(fact.atMs)}`);
    }
  }

  /** No further action on a target on which too little helped. */
  #stopped({ intent, site, atMs }: IntentFact): void {
    const { maxIneffective, ineffectiveWindowMs } = site.settings.verification;
    const past = this.#pasts.of(site, intent.target);
    const recent = [...past.unhelpful.values()].filter(
      (ms) => atMs - ms < ineffectiveWindowMs - 2 * SLACK_MS,
    );
    if (past.escalatedMs !== undefined && atMs > past.escalatedMs)
      this.broken(
        `${site.name} wrote intent ${intent.id} on ${intent.target}, which was escalated at ${clockText(past.escalatedMs)}`,
      );
    else if (recent.length >= maxIneffective)
      this.broken(
        `${site.name} wrote intent ${intent.id} on ${intent.target} although ${recent.length} actions within ${seconds(ineffectiveWindowMs)} did not help, ${maxIneffective} are allowed`,
      );
  }

  /** Health long enough forgives; here a little earlier than there. */
  #health({ site, report, atMs }: CycleFact): void {
    const sick = new Set<string>();
    const targets = new Set<string>();
    for (const d of report.decisions) {
      targets.add(d.target);
      const ill = d.inRisk || d.trigger !== undefined || d.reason.startsWith("data_");
      if (ill && d.reason !== "data_missing") sick.add(d.target);
    }
    // What a reload takes out of the file is forgotten with its past.
    for (const { name } of this.sight.world.scenario.targets)
      if (!targets.has(name)) this.#pasts.forget(site, name);
    for (const target of targets) {
      const past = this.#pasts.of(site, target);
      if (sick.has(target)) past.healthySinceMs = undefined;
      else past.healthySinceMs ??= atMs;
      const wellMs = atMs - (past.healthySinceMs ?? atMs);
      if (wellMs >= site.settings.verification.healthyMs - 3 * site.settings.cycleMs) past.unhelpful.clear();
    }
  }

  #paged({ site, report, atMs, beganMs }: CycleFact): void {
    const cycleMs = site.settings.cycleMs;
    for (const [target, escalated] of measuredAs(report.guards, "predict_escalated")) {
      const past = this.#pasts.of(site, target);
      const reachable = this.sight.world.faults.find("pager_down") === undefined && site.wentOnMs < beganMs;
      const page = this.sight.world.pages.get(target);
      const told = page !== undefined && page.atMs >= atMs - 3 * cycleMs;
      past.cyclesUntold = escalated === 1 && reachable && !told ? past.cyclesUntold + 1 : 0;
      if (past.cyclesUntold > PAGE_CYCLES)
        this.broken(
          `${site.name} has escalated ${target} and has told nobody for ${past.cyclesUntold} cycles`,
        );
    }
  }
}
