import { exitShareOf } from "../../../monitor/guards/storm/index.ts";
import { concerned, isUndo } from "../../../monitor/kernel/action.ts";
import type { Run } from "../../../monitor/playbooks/run.ts";
import type { CallFact, Checker, CycleFact, SiteView, ToldFact } from "../world/facts.ts";
import type { Site } from "../world/site.ts";
import { isOn, partyOf, SLACK_MS, seconds, Watcher } from "./kit.ts";

/** Cycles within which a run that is to be taken back is taken back, where nothing is in the way. */
const UNDO_CYCLES = 3;

/** A cycle looks at its series up to so long after it began, milliseconds. */
const LOOK_MS = 15_000;

/** What is to be left alone, on the word of a person. */
interface Silenced {
  readonly target: string;
  readonly action: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Weather {
  active: boolean;
  calmSinceMs: number | undefined;
  readonly atRisk: Map<string, boolean>;
  readonly turned: Map<string, number>;
}

/** 5: when too much is sick it holds; so it does on a person's word and after a crash loop; undo is never gated. */
export class HoldsChecker extends Watcher implements Checker {
  readonly promise = 5;
  readonly title =
    "it holds when too much is sick, after a crash loop and on a person's word; undo is never gated";
  readonly #weathers = new Map<string, Weather>();
  readonly #paused = new Map<string, { sinceMs: number; untilMs: number }>();
  readonly #silenced = new Map<string, Silenced[]>();
  readonly #undoing = new Map<string, number>();
  readonly #fresh = (): Weather => ({
    active: false,
    calmSinceMs: undefined,
    atRisk: new Map(),
    turned: new Map(),
  });

  start(site: SiteView): void {
    // Who was at risk is known over a restart; when each turned so need not be.
    const lost = site.lostMs > (site.starts.at(-2) ?? 0);
    const before = lost ? undefined : this.#weathers.get(site.name);
    this.#weathers.set(site.name, { ...this.#fresh(), atRisk: before?.atRisk ?? new Map() });
    if (!lost) return;
    this.#paused.delete(site.name);
    this.#silenced.delete(site.name);
  }

  told({ what, site, target = "", action = "*", untilMs }: ToldFact): void {
    const fromMs = this.sight.world.time.now;
    if (what === "pause") this.#paused.set(site.name, { sinceMs: fromMs, untilMs: untilMs ?? Infinity });
    if (what === "resume") this.#paused.delete(site.name);
    if (what !== "silence") return;
    const known = this.#silenced.get(site.name) ?? [];
    this.#silenced.set(site.name, known);
    known.push({ target, action, fromMs, untilMs: untilMs ?? 0 });
  }

  /** Whoever asked and whatever is called: both must be free to be acted on. */
  call({ intent, site, atMs }: CallFact): void {
    const offMs = atMs - site.settingsSinceMs;
    const off = site.settings.autoHeal ? concerned(intent).find((name) => !isOn(site, name)) : "everything";
    if (off !== undefined && offMs > site.settings.cycleMs + SLACK_MS)
      this.broken(
        `${site.name} calls ${intent.id} although acting on ${off} was switched off ${seconds(offMs)} ago`,
      );
    if (isUndo(intent) || site.wentOnMs >= atMs - SLACK_MS) return;
    const { sinceMs = Infinity, untilMs = 0 } = this.#paused.get(site.name) ?? {};
    // Said is in force, but for a call that was let through already.
    if (atMs > sinceMs && atMs < untilMs - SLACK_MS)
      this.broken(`${site.name} calls ${intent.id} although it was paused ${seconds(atMs - sinceMs)} ago`);
    for (const s of this.#silenced.get(site.name) ?? []) {
      const covers = s.action === "*" || s.action === intent.kind;
      const whom = concerned(intent).find((name) => s.target === "*" || s.target === name);
      if (covers && whom !== undefined && atMs > s.fromMs && atMs < s.untilMs - SLACK_MS)
        this.broken(
          `${site.name} calls ${intent.target} for ${intent.id} although ${s.target === "*" ? "everything" : whom} is to be left alone`,
        );
    }
  }

  cycle(fact: CycleFact): void {
    const storm = this.#weather(fact);
    const first = fact.intents.find((f) => !isUndo(f.intent));
    const why = storm ?? this.#crashLoop(fact.site, fact.atMs);
    if (first !== undefined && why !== undefined)
      this.broken(
        `${fact.site.name} wrote intent ${first.intent.id} on ${first.intent.target} although ${why}`,
      );
    this.#takenBack(fact);
  }

  /**
   * The rule of the storm, told anew from what the cycle saw when it began, however long it then took: why it must hold;
   * undefined: it need not.
   */
  #weather({ site, report, beganMs: atMs }: CycleFact): string | undefined {
    const { share, minTargets, windowMs, calmMs } = site.settings.guards.storm;
    const exitShare = exitShareOf(site.settings.guards.storm);
    const w = this.#weathers.get(site.name) ?? this.#fresh();
    this.#weathers.set(site.name, w);
    const now = new Map<string, boolean | undefined>();
    for (const d of report.decisions) {
      const known = d.reason === "data_partial" || !d.reason.startsWith("data_");
      const risk = known ? d.inRisk || d.trigger !== undefined : undefined;
      const before = now.get(d.target);
      now.set(d.target, before === undefined ? risk : before || risk === true);
    }
    for (const [target, risk] of now) {
      if (risk === undefined) continue;
      if (risk && w.atRisk.get(target) !== true) w.turned.set(target, atMs);
      w.atRisk.set(target, risk);
    }
    const turned = [...w.turned].filter(([t, ms]) => now.has(t) && atMs - ms < windowMs - LOOK_MS);
    const total = now.size;
    let unwell = 0;
    for (const t of now.keys())
      if (w.atRisk.get(t) === true || turned.some(([name]) => name === t)) unwell += 1;
    if (!w.active) {
      w.active = turned.length >= minTargets && turned.length / total > share;
      w.calmSinceMs = undefined;
    } else if (unwell / total > exitShare) w.calmSinceMs = undefined;
    else {
      w.calmSinceMs ??= atMs;
      if (atMs - w.calmSinceMs >= calmMs - site.settings.cycleMs - SLACK_MS) w.active = false;
    }
    return w.active
      ? `it storms: ${turned.length} of ${total} targets turned at risk within ${seconds(windowMs)}, ${unwell} are unwell`
      : undefined;
  }

  #crashLoop(site: SiteView, atMs: number): string | undefined {
    const { starts, windowMs, quietMs } = site.settings.guards.startup;
    const newest = site.countedStarts.at(-1);
    if (newest === undefined || atMs - newest >= quietMs - SLACK_MS) return undefined;
    const within = site.countedStarts.filter((ms) => newest - ms < windowMs - SLACK_MS).length;
    return within >= starts
      ? `it started ${within} times within ${seconds(windowMs)}, the last time ${seconds(atMs - newest)} ago`
      : undefined;
  }

  /** Every alert that a run answers has been told to be over, and something of it can still be taken back. */
  #endHeard(site: SiteView, run: Run): boolean {
    if (!run.undoOnResolved || run.mode !== "auto" || run.episodes.length === 0) return false;
    if (run.status !== "done" && run.status !== "running") return false;
    if (!run.steps.some((s) => s.status === "done" && s.undo !== undefined)) return false;
    return run.episodes.every(({ fingerprint, startsAtMs }) => {
      const heard = this.sight.alertmanager.heard.get(`${site.name} ${fingerprint}`) ?? [];
      const newest = heard.findLast((h) => h.taken);
      return newest?.status === "resolved" && newest.startsAtMs >= startsAtMs;
    });
  }

  /** A run whose alerts have ended is taken back, whatever the guards say. */
  #takenBack({ site, report, intents, beganMs }: CycleFact): void {
    const loop = (site as Site).running?.loop;
    for (const run of loop?.containment.runs.values() ?? []) {
      const key = `${site.name} ${run.id}`;
      if (run.status !== "undoing" && !this.#endHeard(site, run)) {
        this.#undoing.delete(key);
        continue;
      }
      if (intents.some((f) => f.intent.origin?.run === run.id && isUndo(f.intent))) this.#undoing.set(key, 0);
      const open = [...this.sight.world.intents.values()].some(
        (f) => f.site === site && f.intent.origin?.run === run.id && f.outcomes.length === 0,
      );
      const inTheWay =
        open ||
        site.diskFailedMs >= beganMs ||
        site.settingsSinceMs >= beganMs ||
        report.mode === "shadow" ||
        [run.asker, ...run.steps.map((s) => s.on.name)].some(
          (name) => partyOf(site, name)?.autoHeal !== true,
        );
      if (inTheWay) continue;
      const cycles = (this.#undoing.get(key) ?? 0) + 1;
      this.#undoing.set(key, cycles);
      if (cycles > UNDO_CYCLES)
        this.broken(`${site.name} has not taken back run ${run.id} of ${run.playbook} for ${cycles} cycles`);
    }
  }
}
