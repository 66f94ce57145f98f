import type { GuardSettings, MaintenanceWindow, Silence } from "../kernel/guards.ts";
import type { VerificationSettings } from "../kernel/verification.ts";
import { type AlertmanagerConfig, type GuardsConfig, type VerificationConfig, WEEKDAYS } from "./guards.ts";
import type { Complain } from "./resolve.ts";
import type { Config } from "./types.ts";

/** Longest silence in a file: one that is forgotten must not last for ever, milliseconds. */
const MAX_SILENCE_MS = 90 * 86_400_000;

/** The brakes of a file, in milliseconds. */
export function resolveGuards(file: GuardsConfig, complain: Complain): GuardSettings {
  const { storm, startup, completeness: c, backoff } = file;
  const exitShare = storm.exit_share ?? storm.share / 2;
  if (exitShare > storm.share)
    complain(
      ["guards", "storm", "exit_share"],
      `must not be above guards.storm.share: exit_share ${exitShare}, share ${storm.share}`,
    );
  return {
    targetCap: { actions: file.target_cap.actions, windowMs: 1000 * file.target_cap.window_seconds },
    fleetCap: { actions: file.fleet_cap.actions, windowMs: 1000 * file.fleet_cap.window_seconds },
    storm: {
      share: storm.share,
      minTargets: storm.min_targets,
      windowMs: 1000 * storm.window_seconds,
      exitShare,
      calmMs: 1000 * storm.calm_seconds,
    },
    startup: {
      starts: startup.starts,
      windowMs: 1000 * startup.window_seconds,
      quietMs: 1000 * startup.quiet_seconds,
    },
    completeness: {
      targetShare: c.target_share,
      fleetShare: c.fleet_share,
      minSeries: c.min_series,
      memoryMs: 1000 * c.memory_seconds,
    },
    backoff: { factor: backoff.factor, maxMs: 1000 * backoff.max_seconds },
    maintenance: resolveMaintenance(file, complain),
    silences: resolveSilences(file, complain),
  };
}

function resolveMaintenance(file: GuardsConfig, complain: Complain): MaintenanceWindow[] {
  const names = new Set<string>();
  return file.maintenance.map((w, i): MaintenanceWindow => {
    const at = ["guards", "maintenance", i];
    if (names.has(w.name)) complain([...at, "name"], `"${w.name}" is taken; each must be unique`);
    names.add(w.name);
    const common = { name: w.name, target: w.target, signal: w.signal, action: w.action, reason: w.reason };
    if (w.starts_at !== undefined && w.ends_at !== undefined) {
      if (w.ends_at <= w.starts_at) complain([...at, "ends_at"], "must be after starts_at");
      return { ...common, when: { kind: "once", startsAtMs: w.starts_at, endsAtMs: w.ends_at } };
    }
    const [fromMinute, toMinute] = [w.from ?? 0, w.to ?? 0];
    if (fromMinute === toMinute)
      complain([...at, "to"], 'must differ from `from`; for a whole day: from "00:00" to "24:00"');
    const days = (w.days ?? WEEKDAYS).map((day) => WEEKDAYS.indexOf(day));
    return {
      ...common,
      when: { kind: "weekly", days, fromMinute, toMinute, timeZone: w.timezone ?? "UTC" },
    };
  });
}

function resolveSilences(file: GuardsConfig, complain: Complain): Silence[] {
  const ids = new Set<string>();
  return file.silences.map((s, i): Silence => {
    const at = ["guards", "silences", i];
    if (ids.has(s.id)) complain([...at, "id"], `"${s.id}" is taken; each must be unique`);
    ids.add(s.id);
    if (s.ends_at <= s.starts_at) complain([...at, "ends_at"], "must be after starts_at");
    else if (s.ends_at - s.starts_at > MAX_SILENCE_MS)
      complain([...at, "ends_at"], "must be at most 90 days after starts_at; renew it if it is still wanted");
    const { id, target, signal, action, author, reason } = s;
    return { id, target, signal, action, author, reason, startsAtMs: s.starts_at, endsAtMs: s.ends_at };
  });
}

/** How actions are verified, in milliseconds. */
export function resolveVerification(v: VerificationConfig): VerificationSettings {
  return {
    ...(v.window_seconds === undefined ? {} : { windowMs: 1000 * v.window_seconds }),
    minSamples: v.min_samples,
    minChange: v.min_change,
    maxIneffective: v.max_ineffective,
    ineffectiveWindowMs: 1000 * v.ineffective_window_seconds,
    healthyMs: 1000 * v.healthy_seconds,
  };
}

/** Where and how often people are called. */
export function resolveEscalation(a: AlertmanagerConfig): Config["escalation"] {
  return {
    alertmanagerUrl: a.url,
    resendMs: 1000 * a.resend_seconds,
    timeoutMs: 1000 * a.timeout_seconds,
  };
}
