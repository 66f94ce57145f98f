import { GUARD_NAMES } from "../../../monitor/guards/index.ts";
import { concerned, isUndo } from "../../../monitor/kernel/action.ts";
import type { Decision } from "../../../monitor/kernel/decision.ts";
import { TRIGGERS } from "../../../monitor/kernel/decision.ts";
import { seriesKey } from "../../../monitor/kernel/target.ts";
import type { Checker, CycleFact, IntentFact, SiteView } from "../world/facts.ts";
import { begins, cooldownOf, isOn, PerTarget, SLACK_MS, seconds, Watcher } from "./kit.ts";

/** No cycle may take longer, milliseconds: all deadlines one after the other, for some open intents. */
const LONGEST_CYCLE_MS = 5 * 60_000;
/** No hold may be told to last longer than the longest of them, milliseconds. */
const LONGEST_HOLD_MS = 4 * 3_600_000;

/** Why a predictor does not speak: it lasts until the series changes. */
const QUIET: ReadonlySet<string> = new Set([
  "predictor_off",
  "insufficient_samples",
  "r2_below_min",
  "below_slo",
  "weak_probability",
  "no_excess_expected",
  "explained_by_traffic",
  "awaiting_cycles",
  "awaiting_confirmation",
]);
const REASONS: ReadonlySet<string> = new Set([
  ...TRIGGERS,
  ...GUARD_NAMES,
  ...QUIET,
  "data_missing",
  "data_stale",
  "data_invalid",
  "data_unreachable",
  "settling",
  "cooldown_active",
  "covered_by_other_signal",
  "covered_by_playbook",
  "already_contained",
  "undo_under_way",
  "intent_unresolved",
  "journal_unavailable",
  "stopping",
]);
const HOLDS: ReadonlySet<string> = new Set(GUARD_NAMES);

/** 4: every cycle explains itself: every series, which gate, by which rule, until when; and what it says is so. */
export class ExplainsChecker extends Watcher implements Checker {
  readonly promise = 4;
  readonly title = "every cycle explains itself, and what it says is so";
  readonly #lastCycle = new Map<SiteView, number>();
  readonly #lastPlan = new PerTarget<{ intent: IntentFact | undefined }>(() => ({ intent: undefined }));

  intent(fact: IntentFact): void {
    if (isUndo(fact.intent)) return;
    for (const party of concerned(fact.intent)) this.#lastPlan.of(fact.site, party).intent = fact;
  }

  cycle(fact: CycleFact): void {
    this.#lastCycle.set(fact.site, fact.atMs);
    this.#whole(fact);
    for (const [i, d] of fact.report.decisions.entries())
      this.#one(fact, d, fact.report.observations[i]?.status);
    this.#told(fact);
  }

  end(): void {
    const silentMs = this.sight.world.time.now - (this.#lastCycle.get(this.sight.main()) ?? 0);
    if (silentMs > 2 * LONGEST_CYCLE_MS)
      this.broken(`${this.sight.main().name} has not ended a cycle for ${seconds(silentMs)}`);
  }

  /** A decision for every series of the settings in force, and no cycle without end. */
  #whole({ site, report, beganMs, atMs }: CycleFact): void {
    const { decisions, observations } = report;
    const tookMs = atMs - beganMs;
    if (tookMs > LONGEST_CYCLE_MS && site.wentOnMs < beganMs)
      this.broken(`a cycle of ${site.name} took ${seconds(tookMs)}`);
    if (site.settingsSinceMs >= beganMs || this.#inOrder(site, decisions, observations.length)) return;
    const wanted = site.settings.targets.flatMap((t) => t.signals.map((s) => seriesKey(t.name, s.name)));
    const got = new Set(decisions.map((d) => seriesKey(d.target, d.signal)));
    const missing = wanted.filter((key) => !got.has(key));
    if (missing.length > 0 || decisions.length !== wanted.length || observations.length !== wanted.length)
      this.broken(
        `${site.name} gave ${decisions.length} decisions on ${wanted.length} series${missing.length === 0 ? "" : `, none on ${missing.join(", ")}`}`,
      );
  }

  /** As it nearly always is: the series of the settings, each once, in their order. */
  #inOrder(site: SiteView, decisions: readonly Decision[], observations: number): boolean {
    let i = 0;
    for (const { name, signals } of site.settings.targets)
      for (const signal of signals) {
        const d = decisions[i];
        if (d?.target !== name || d.signal !== signal.name) return false;
        i += 1;
      }
    return decisions.length === i && observations === i;
  }

  #one({ site, report, beganMs }: CycleFact, d: Decision, status: string | undefined): void {
    const wrong = (what: string) =>
      this.broken(`${site.name} on ${seriesKey(d.target, d.signal)}: reason "${d.reason}", ${what}`);
    if (!REASONS.has(d.reason)) wrong("which is none that is documented");
    if (d.act !== (d.trigger !== undefined && d.reason === d.trigger)) wrong(`act is ${d.act}`);
    if (d.reason.startsWith("data_") && (status === "ok" || (d.detail ?? "") === ""))
      if (d.reason !== "data_partial") wrong(`but the observation is ${status}, detail "${d.detail ?? ""}"`);
    if (HOLDS.has(d.reason) && (d.detail ?? "") === "") wrong("without the numbers");
    if (d.untilMs !== undefined && QUIET.has(d.reason)) wrong("which has no end to tell of");
    if (d.untilMs !== undefined) {
      const { untilMs } = d;
      // The clock may have been set while the cycle ran; less than a millisecond is lost in adding a short time to a long one.
      const left = [report.at.wallMs, site.wallMs].map((wallMs) => untilMs - wallMs);
      if (!left.some((ms) => ms > -1 && ms < LONGEST_HOLD_MS))
        wrong(`until ${Math.round(left[0] ?? 0)} ms from now`);
    }
    if (d.reason === "cooldown_active" && d.untilMs === undefined) wrong("without an end");
    if (d.reason !== "cooldown_active") return;
    // Of a playbook's cooldown that of what it would call may be the one; a reload may have ended it within the cycle.
    if (site.settingsSinceMs >= beganMs) return;
    const playbook = site.settings.playbooks.find(
      ({ forecast: f }) => f?.target === d.target && f.signal === d.signal,
    );
    const parties = [d.target, ...(playbook?.steps.map(({ on }) => on.name) ?? [])];
    // In shadow mode the cooldown of an action that was only imagined holds.
    if (report.mode === "shadow" || parties.some((name) => !isOn(site, name))) return;
    const calm = parties.map((name) => this.#calm(site, name, beganMs));
    if (calm.every((why) => why !== undefined)) wrong(`but ${calm.join("; ")}`);
  }

  /** A cooldown is told of only where there was an action, or where nobody can know. */
  #calm(site: SiteView, name: string, atMs: number): string | undefined {
    const cooldownMs = cooldownOf(site, name);
    const fact = this.#lastPlan.of(site, name).intent;
    // A call that took long may have taken effect at its very end.
    const calledMs = fact?.calls.map((c) => c.cameMs ?? c.atMs) ?? [];
    const lastMs = Math.max(fact?.atMs ?? -1e12, ...calledMs);
    const lostMs = site.lostMs > 0 ? (site.starts.at(-1) ?? 0) : -1e12;
    const bootMs = site.bootedMs > 0 ? (site.starts.at(-1) ?? 0) : -1e12;
    const since = Math.max(lastMs, site.bootedMs, site.lostMs, lostMs, bootMs);
    if (atMs - since <= cooldownMs + 2 * SLACK_MS) return undefined;
    return `the last action for or on ${name} was ${seconds(atMs - lastMs)} ago, and its cooldown is ${seconds(cooldownMs)}`;
  }

  /** What a guard is said to have blocked has left nothing behind. */
  #held({ site, intent }: IntentFact, { decisions, playbooks }: CycleFact["report"]): void {
    const { playbook } = intent.origin ?? {};
    const why =
      playbook === undefined
        ? decisions.find((d) => d.target === intent.target && d.signal === intent.signal)
        : playbooks.find((p) => p.playbook === playbook);
    if (why !== undefined && HOLDS.has(why.reason))
      this.broken(
        `${site.name} says that ${why.reason} blocked ${playbook ?? "the mitigation"} of ${intent.target}, and wrote intent ${intent.id}`,
      );
  }

  /** What was written down in a cycle is in its report, and the reverse. */
  #told({ site, report, intents }: CycleFact): void {
    for (const fact of intents) if (begins(fact) && !fact.unsure) this.#held(fact, report);
    const reported = new Set(report.actions.map((a) => a.intent.id));
    for (const { intent, unsure } of intents)
      if (!unsure && !reported.has(intent.id))
        this.broken(`${site.name} wrote intent ${intent.id} on ${intent.target} and does not report it`);
    const acting = report.decisions.filter((d) => d.act);
    for (const d of acting)
      if (acting.filter((x) => x.target === d.target).length > 1)
        this.broken(`${site.name} decides to act on ${d.target} more than once in a cycle`);
  }
}
