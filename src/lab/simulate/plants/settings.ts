import type { LoopSettings } from "../../../monitor/cycle/types.ts";
import type { Plant } from "./types.ts";

const ENDLESS = 1e12;

const settings = (
  name: string,
  about: string,
  breaks: readonly number[],
  change: (settings: LoopSettings) => LoopSettings,
): Plant => ({ name, about, breaks, settings: change });

const guards = (s: LoopSettings, by: Partial<LoopSettings["guards"]>): LoopSettings => ({
  ...s,
  guards: { ...s.guards, ...by },
});

/** Rules that are as good as switched off, or turned too far, whatever the file says. */
export const SETTINGS_PLANTS: readonly Plant[] = [
  settings("cooldown_ignored", "there is no cooldown", [1], (s) => ({
    ...s,
    targets: s.targets.map((t) => ({ ...t, cooldownMs: 0 })),
  })),
  settings("fleet_budget_ignored", "the budget of the fleet has no end", [1], (s) =>
    guards(s, { fleetCap: { actions: 1_000_000, windowMs: s.guards.fleetCap.windowMs } }),
  ),
  settings("target_budget_ignored", "the budget of a target has no end", [1], (s) =>
    guards(s, { targetCap: { actions: 1_000_000, windowMs: s.guards.targetCap.windowMs } }),
  ),
  settings("storm_ignored", "it goes on acting when everything is sick", [5], (s) =>
    guards(s, { storm: { ...s.guards.storm, minTargets: 1_000_000 } }),
  ),
  settings("crash_loop_ignored", "it acts at once after a crash loop", [5], (s) =>
    guards(s, { startup: { ...s.guards.startup, starts: 1_000_000 } }),
  ),
  settings("partial_accepted", "it acts on any part of the picture", [2], (s) =>
    guards(s, { completeness: { ...s.guards.completeness, targetShare: 0, fleetShare: 0 } }),
  ),
  settings("backoff_endless", "after an action that did not help it never acts again", [4, 7], (s) =>
    guards(s, { backoff: { factor: 10, maxMs: ENDLESS } }),
  ),
  settings("never_escalates", "however little helps, it goes on", [6], (s) => ({
    ...s,
    verification: { ...s.verification, maxIneffective: 1_000_000 },
  })),
  settings("no_samples_needed", "it judges on no samples at all", [6], (s) => ({
    ...s,
    verification: { ...s.verification, minSamples: 0, windowMs: 1000 },
  })),
  settings("never_verified", "no verdict is ever given", [6], (s) => ({
    ...s,
    verification: { ...s.verification, windowMs: ENDLESS },
  })),
  settings("kill_switch_ignored", "AUTO_HEAL=0 and shadow targets change nothing", [5], (s) => ({
    ...s,
    autoHeal: true,
    targets: s.targets.map((t) => ({ ...t, autoHeal: true })),
  })),
  settings("maintenance_ignored", "maintenance windows change nothing", [5], (s) =>
    guards(s, { maintenance: [] }),
  ),
  settings("intent_never_expires", "an intent is carried out however old it is", [3], (s) => ({
    ...s,
    intentTtlMs: ENDLESS,
  })),
  settings("alert_never_stale", "an alert is believed however long ago it was heard of", [2], (s) => ({
    ...s,
    alertStaleMs: ENDLESS,
  })),
];
