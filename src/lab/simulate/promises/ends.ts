import type { TickReport } from "../../../monitor/cycle/types.ts";
import { measuredAs } from "../../../monitor/guards/guard.ts";
import { askerOf } from "../../../monitor/kernel/action.ts";
import type { SignalName } from "../scenario.ts";
import type { Checker, SiteView } from "../world/facts.ts";
import { clockText, type Sight } from "./kit.ts";

/**
 * Within so long after the last fault every lasting degradation is acted on or escalated, milliseconds: the longest
 * brake (an hour of back-off, of a full budget, or of one that is not known) and some cycles to see and to confirm.
 */
const BOUND_MS = 100 * 60_000;
/** A level this far above the SLO, all the time, is a degradation that lasts. */
const CLEARLY = 1.3;

/** What the playbook that answers a target's forecast calls. */
function calleesFor(site: SiteView, target: string, signal: string): string[] {
  return site.settings.playbooks
    .filter(({ forecast }) => forecast?.target === target && forecast.signal === signal)
    .flatMap(({ steps }) => steps.map(({ on }) => on.name));
}

/** 7: once faults stop, every lasting degradation is acted on or escalated within a bounded number of cycles. */
export function endsChecker({ world, main }: Sight): Checker {
  const lastCall = new Map<string, number>();
  let stormMs = Number.NEGATIVE_INFINITY;
  let escalated = new Set<string>();
  let newest: TickReport | undefined;
  return {
    promise: 7,
    title: "once faults stop, every lasting degradation is acted on or escalated within 100 minutes",
    call: ({ intent, atMs }) => void lastCall.set(askerOf(intent), atMs),
    cycle({ site, report, atMs }) {
      if (site !== main()) return;
      if (measuredAs(report.guards, "predict_storm").get("") === 1) stormMs = atMs;
      newest = report;
      escalated = new Set(
        [...measuredAs(report.guards, "predict_escalated")].flatMap(([target, is]) =>
          is === 1 ? [target] : [],
        ),
      );
    },
    end() {
      const site = main();
      const endMs = world.time.now;
      const fromMs = endMs - BOUND_MS;
      if (fromMs < world.scenario.quietMs) return;
      if (site.loop === undefined) return world.violate(7, `${site.name} does not run at the end`);
      if (stormMs >= fromMs) return;
      for (const target of site.settings.targets) {
        const index = world.scenario.targets.findIndex((t) => t.name === target.name);
        const sick = target.signals.find((signal) =>
          lasts(index, signal.name as SignalName, signal.thresholds, fromMs, endMs),
        );
        const acted = (lastCall.get(target.name) ?? Number.NEGATIVE_INFINITY) >= fromMs;
        if (sick === undefined || acted || escalated.has(target.name)) continue;
        if (waitsForPeople(site, target.name, sick.name)) continue;
        const last = lastCall.get(target.name);
        world.violate(
          7,
          `${target.name} has been sick by ${sick.name} since ${clockText(fromMs)} at least; the last action on it was ${last === undefined ? "never" : clockText(last)}, and it is not escalated; newest decisions: ${reasons(target.name)}`,
        );
      }
    },
  };

  /** It is held, and says so, since something that its playbook calls is escalated: somebody is told of that. */
  function waitsForPeople(site: SiteView, target: string, signal: string): boolean {
    const held = newest?.decisions.some(
      (d) => d.target === target && d.signal === signal && d.reason === "escalated",
    );
    return held === true && calleesFor(site, target, signal).some((name) => escalated.has(name));
  }

  /** What the monitor says itself. */
  function reasons(target: string): string {
    const forecasts = newest?.decisions.filter((d) => d.target === target) ?? [];
    const playbooks = newest?.playbooks ?? [];
    return [
      ...forecasts.map((d) => `${d.signal} ${d.reason}${d.detail === undefined ? "" : ` (${d.detail})`}`),
      ...playbooks.map((d) => `playbook ${d.playbook} ${d.reason} (${d.detail})`),
    ].join("; ");
  }

  function lasts(
    target: number,
    signal: SignalName,
    levels: { slo: number; limit: number },
    fromMs: number,
    toMs: number,
  ): boolean {
    for (let ms = fromMs; ms <= toMs; ms += 60_000)
      if (world.truth.value({ target, signal, index: 0, levels }, ms) < CLEARLY * levels.slo) return false;
    return true;
  }
}
