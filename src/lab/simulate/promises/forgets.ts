import { concerned, isUndo } from "../../../monitor/kernel/action.ts";
import type { Checker, CycleFact, IntentFact, SiteView } from "../world/facts.ts";
import { clockText, SLACK_MS, Watcher } from "./kit.ts";

/** Samples that a forecast may stand on beside one a cycle: history is read on another grid, and clocks slew. */
const SPARE_SAMPLES = 3;

/** A clock that is wrong while the past is read makes old samples new: nobody can tell then. */
const WRONG_CLOCKS = [
  "prom_ahead",
  "prom_behind",
  "wall_ahead",
  "wall_behind",
  "wall_all_ahead",
  "wall_slews",
];

/** 2: after an action the past of the target that asked, and of the one that was called, counts no more. */
export class ForgetsChecker extends Watcher implements Checker {
  readonly promise = 2;
  readonly title = "no forecast on samples from before the last action";
  /** World time of the last call that took effect, or may have, by site and target. */
  readonly #actedMs = new Map<string, Map<string, number>>();

  start(site: SiteView): void {
    if (WRONG_CLOCKS.some((kind) => this.sight.world.faults.find(kind) !== undefined))
      this.#actedMs.delete(site.name);
  }

  outcome({ intent, site, outcomes, calls }: IntentFact): void {
    const status = outcomes[0]?.outcome.status;
    const calledMs = calls.at(-1)?.atMs;
    const acted = status === "applied" || status === "partial" || status === "unknown";
    if (!acted || calledMs === undefined || isUndo(intent)) return;
    const own = this.#actedMs.get(site.name) ?? new Map<string, number>();
    this.#actedMs.set(site.name, own);
    for (const party of concerned(intent)) own.set(party, Math.max(calledMs, own.get(party) ?? 0));
  }

  cycle({ site, report, beganMs, atMs }: CycleFact): void {
    const own = this.#actedMs.get(site.name);
    if (own === undefined) return;
    const { cycleMs, rateWindowMs } = site.settings;
    for (const d of report.decisions) {
      const actedMs = own.get(d.target);
      // In the cycle that acted the forecasts came first.
      if (actedMs === undefined || actedMs >= beganMs) continue;
      const windowed = d.signal === "p95_latency" || d.signal === "error_rate";
      const usableMs = atMs - actedMs - (windowed ? rateWindowMs : 0) + SLACK_MS;
      const most = Math.max(0, Math.floor(usableMs / cycleMs)) + SPARE_SAMPLES;
      for (const { forecast } of d.verdicts)
        if (forecast !== undefined && forecast.sampleCount > most)
          this.broken(
            `${site.name} forecasts ${d.signal} of ${d.target} on ${forecast.sampleCount} samples, there are ${most} at most since it was acted on at ${clockText(actedMs)}`,
          );
    }
  }
}
