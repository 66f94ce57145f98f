import type { Verified } from "../../../monitor/cycle/types.ts";
import { measuredAs } from "../../../monitor/guards/guard.ts";
import { askerOf, concerned, isUndo } from "../../../monitor/kernel/action.ts";
import type { Playbook } from "../../../monitor/kernel/containment.ts";
import type { Attempt } from "../../../monitor/kernel/verification.ts";
import type { Run } from "../../../monitor/playbooks/run.ts";
import type { Checker, CycleFact, IntentFact, SiteView, ToldFact } from "../world/facts.ts";
import { PerSeries } from "../world/per-series.ts";
import type { Site } from "../world/site.ts";
import { clockText, cooldownOf, PerTarget, runOf, SLACK_MS, seconds, Watcher } from "./kit.ts";

/** A verdict may come so many cycles after its window is over. */
const LATE_CYCLES = 5;
/** People are told of an escalation within so many cycles, where they can be reached. */
const PAGE_CYCLES = 5;

interface Sample {
  /** World time of its scrape. */
  readonly atMs: number;
  readonly value: number;
}

/** The newest run of each playbook and of each mitigation, as the monitor has it. */
function newestRuns(site: SiteView): readonly Run[] {
  return [...((site as Site).running?.loop.containment.runs.values() ?? [])];
}

/** The series that shows whether a playbook helped; undefined: the end of its alert does. */
function seriesOf(playbook: Playbook | undefined): Playbook["forecast"] {
  return playbook?.verify ?? playbook?.forecast;
}

/** Whether what a run did is to be judged: by a series that is watched, or by the alert that asked for it. */
function isJudged({ settings }: SiteView, { verify, cause }: Run): boolean {
  if (verify === undefined) return cause === "alert";
  const target = settings.targets.find((t) => t.name === verify.target);
  return target?.signals.some((s) => s.name === verify.signal) === true;
}

interface Past {
  /** Unhelpful actions by run, with the world time of its first intent. */
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
  readonly #samples = new Map<string, PerSeries<Sample[]>>();
  /** The first intents of runs that called something, until the run is over: a crash before may lose what came of it. */
  readonly #open = new Set<IntentFact>();
  /** The same of runs whose verdict is due. */
  readonly #due = new Map<IntentFact, number>();
  /** Attempts that were looked at already. */
  readonly #counted = new Set<Attempt>();

  start(site: SiteView): void {
    for (const first of this.#open) if (first.site === site) this.#open.delete(first);
    for (const first of this.#due.keys()) if (first.site === site) this.#due.delete(first);
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
    if (isUndo(fact.intent)) return;
    for (const party of concerned(fact.intent)) this.#stopped(fact, party);
  }

  outcome({ intent, ofRun }: IntentFact): void {
    const [first] = ofRun;
    if (!isUndo(intent) && first !== undefined) this.#open.add(first);
  }

  cycle(fact: CycleFact): void {
    this.#noteSamples(fact);
    this.#verdicts(fact);
    this.#settled(fact);
    this.#attempts(fact.site);
    this.#health(fact);
    this.#paged(fact);
  }

  /** Runs that are over: their verdict is due, or they were an attempt that did nothing. */
  #settled({ site }: CycleFact): void {
    for (const first of this.#open) {
      if (first.site !== site) continue;
      const run = newestRuns(site).find(({ id }) => id === runOf(first.intent));
      if (run?.status === "running") continue;
      this.#open.delete(first);
      const came = first.ofRun.map(({ outcomes }) => outcomes[0]?.outcome.status);
      if (came.some((status) => status === "applied" || status === "partial" || status === "unknown")) {
        if (run !== undefined && isJudged(site, run)) this.#due.set(first, this.#windowEnd(first));
      } else if (came.some((status) => status === "failed" || status === "refused"))
        this.#pasts.of(site, askerOf(first.intent)).unhelpful.set(runOf(first.intent), first.atMs);
    }
  }

  #windowEnd({ intent, site }: IntentFact): number {
    const { verification, cycleMs, rateWindowMs, maxSampleAgeMs } = site.settings;
    const least = (verification.minSamples + 1) * cycleMs + rateWindowMs;
    const windowMs = verification.windowMs ?? cooldownOf(site, askerOf(intent));
    return this.sight.world.time.now + Math.max(windowMs, least) + maxSampleAgeMs + LATE_CYCLES * cycleMs;
  }

  /** An attempt counts for the target that asked, and only where something was called. */
  #attempts(site: SiteView): void {
    const { targets = {} } = (site as Site).running?.loop.controls.verification ?? {};
    for (const [target, { attempts }] of Object.entries(targets))
      for (const made of attempts) {
        if (this.#counted.has(made)) continue;
        this.#counted.add(made);
        const fact = this.sight.world.intents.get(`${site.name} ${made.intentId}`);
        if (fact === undefined) continue;
        if (askerOf(fact.intent) !== target)
          this.broken(
            `${site.name} counts ${made.intentId} as an attempt on ${target}, ${askerOf(fact.intent)} asked for it`,
          );
        const came = fact.outcomes[0]?.outcome.status;
        if (made.outcome === "failed" && (came === "expired" || came === "dropped"))
          this.broken(`${site.name} counts ${made.intentId} as an attempt that failed, and it was ${came}`);
      }
  }

  #noteSamples({ site, report, seen }: CycleFact): void {
    const own = this.#samples.get(site.name) ?? new PerSeries<Sample[]>();
    this.#samples.set(site.name, own);
    for (const [i, d] of report.decisions.entries()) {
      const was = seen[i];
      if (report.observations[i]?.status !== "ok" || was === undefined || was.flaw !== undefined) continue;
      const known = own.get(d.target, d.signal) ?? [];
      if (known.length === 0) own.set(d.target, d.signal, known);
      if (known.at(-1)?.atMs !== was.scrapedMs) known.push({ atMs: was.scrapedMs, value: was.value });
      if (known.length > 400) known.splice(0, 200);
    }
  }

  #verdicts({ site, report, atMs }: CycleFact): void {
    for (const v of report.verified) {
      const fact = this.sight.world.intents.get(`${site.name} ${v.intentId}`);
      const first = fact?.ofRun[0];
      if (fact === undefined || first === undefined) continue;
      this.#open.delete(first);
      this.#due.delete(first);
      const asker = askerOf(fact.intent);
      if (v.target !== asker)
        this.broken(`${site.name} judged ${v.intentId} as an action for ${v.target}, ${asker} asked for it`);
      if (v.outcome === "ineffective" || v.outcome === "worse")
        this.#pasts.of(site, asker).unhelpful.set(runOf(fact.intent), first.atMs);
      if (v.outcome !== "inconclusive") this.#founded(fact, v);
    }
    for (const [first, byMs] of this.#due) {
      if (first.site !== site || atMs <= byMs) continue;
      this.#due.delete(first);
      const sinceMs = first.atMs;
      if (site.diskFailedMs >= sinceMs || site.wentOnMs >= sinceMs || site.settingsSinceMs >= sinceMs)
        continue;
      if (site.bootedMs >= sinceMs || first.lost) continue;
      this.broken(
        `${site.name} gave no verdict on ${runOf(first.intent)}, which began at ${clockText(sinceMs)}`,
      );
    }
  }

  /** A verdict stands on what was seen after the call; that something is mended is not said against all of it. */
  #founded({ intent, site, calls }: IntentFact, { intentId, outcome }: Verified): void {
    const { settings } = site;
    const { minSamples } = settings.verification;
    const { playbook: name } = intent.origin ?? {};
    const playbook = settings.playbooks.find((p) => p.name === name);
    const series = name === undefined ? { target: intent.target, signal: intent.signal } : seriesOf(playbook);
    const effectMs = calls.at(-1)?.atMs;
    const known = series && this.#samples.get(site.name)?.get(series.target, series.signal);
    if (series === undefined || effectMs === undefined || known === undefined) return;
    const after = known.filter((s) => s.atMs > effectMs - SLACK_MS);
    if (after.length < minSamples)
      this.broken(
        `${site.name} judged ${intentId} ${outcome} on ${after.length} samples from after ${clockText(effectMs)}, ${minSamples} are needed`,
      );
    const signal = settings.targets
      .find((t) => t.name === series.target)
      ?.signals.find((s) => s.name === series.signal);
    const slo = signal?.thresholds.slo ?? Number.POSITIVE_INFINITY;
    if (outcome === "recovered" && after.every(({ value }) => value > slo))
      this.broken(`${site.name} judged ${intentId} recovered, and every sample since is above the SLO`);
  }

  /** No further action on a target on which too little helped. */
  #stopped({ intent, site, atMs }: IntentFact, party: string): void {
    const { maxIneffective, ineffectiveWindowMs } = site.settings.verification;
    const past = this.#pasts.of(site, party);
    const recent = [...past.unhelpful.values()].filter(
      (ms) => atMs - ms < ineffectiveWindowMs - 2 * SLACK_MS,
    );
    if (past.escalatedMs !== undefined && atMs > past.escalatedMs)
      this.broken(
        `${site.name} wrote intent ${intent.id} on ${intent.target}, and ${party} was escalated at ${clockText(past.escalatedMs)}`,
      );
    else if (recent.length >= maxIneffective)
      this.broken(
        `${site.name} wrote intent ${intent.id} on ${intent.target} although ${recent.length} actions for ${party} within ${seconds(ineffectiveWindowMs)} did not help, ${maxIneffective} are allowed`,
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
