import type { StormSettings } from "../../kernel/guards.ts";
import { formatDuration, percent } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Finding, Guard, ObservedTarget, StormState } from "../guard.ts";
import { sameList, sameParts } from "../same.ts";

export const CALM: StormState = {
  active: false,
  turned: {},
  atRisk: [],
  turnedCount: 0,
  unwellCount: 0,
  total: 0,
};

/**
 * One cycle of the storm hold. It begins when more than `share` of the targets, and at least `minTargets`, turned at
 * risk within the window: then the cause is most likely a common one that no mitigation of a target mends. It ends only
 * when at most `exitShare` of them has been unwell (at risk, or turned so within the window) for the whole calm period.
 * A target that is unknown now counts as it was when last known. Fewer than `minTargets` targets never make a storm.
 * `turned` and `atRisk` stay the same objects while nothing in them changes.
 */
export function advanceStorm(input: {
  state: StormState;
  targets: readonly Pick<ObservedTarget, "target" | "atRisk">[];
  settings: StormSettings;
  now: Instant;
}): StormState {
  const { state, targets, settings, now } = input;
  const before = new Set(state.atRisk);
  const atRisk: string[] = [];
  const turned: Record<string, number> = {};
  for (const t of targets) {
    const sick = t.atRisk ?? before.has(t.target);
    if (sick) atRisk.push(t.target);
    const at = sick && !before.has(t.target) ? now.monoMs : state.turned[t.target];
    if (at !== undefined && now.monoMs - at < settings.windowMs) turned[t.target] = at;
  }
  const turnedNames = Object.keys(turned);
  const turnedCount = turnedNames.length;
  const unwellCount = turnedCount === 0 ? atRisk.length : new Set([...atRisk, ...turnedNames]).size;
  const counted = {
    turned: sameParts(state.turned, turned) ? state.turned : turned,
    atRisk: sameList(state.atRisk, atRisk) ? state.atRisk : atRisk,
    turnedCount,
    unwellCount,
    total: targets.length,
  };
  const share = (count: number) => (targets.length === 0 ? 0 : count / targets.length);
  if (!state.active) {
    const storm = turnedCount >= settings.minTargets && share(turnedCount) > settings.share;
    return storm
      ? { active: true, sinceMs: now.wallMs, sinceMonoMs: now.monoMs, ...counted }
      : { active: false, ...counted };
  }
  const { sinceMs, sinceMonoMs } = state;
  if (share(unwellCount) > settings.exitShare) return { active: true, sinceMs, sinceMonoMs, ...counted };
  const calmSinceMonoMs = state.calmSinceMonoMs ?? now.monoMs;
  if (now.monoMs - calmSinceMonoMs >= settings.calmMs) return { active: false, ...counted };
  return { active: true, sinceMs, sinceMonoMs, calmSinceMonoMs, ...counted };
}

/** Holds every target while it storms. */
export function stormFinding(state: StormState, settings: StormSettings, now: Instant): Finding | undefined {
  if (!state.active) return undefined;
  const calmSince = state.calmSinceMonoMs;
  const counts = `${state.unwellCount} of ${state.total} targets are unwell, it ends when at most ${percent(settings.exitShare)} are for ${formatDuration(settings.calmMs)}`;
  return {
    ...(calmSince === undefined ? {} : { untilMs: now.wallMs + (calmSince + settings.calmMs - now.monoMs) }),
    detail:
      calmSince === undefined ? counts : `${counts}; calm for ${formatDuration(now.monoMs - calmSince)}`,
  };
}

/** Carried over to another boot: what turned counts as turned just now, and calm begins anew. */
export function resumeStorm(state: StormState, now: Instant): StormState {
  const { calmSinceMonoMs: _forgotten, ...rest } = state;
  return {
    ...rest,
    ...(state.sinceMonoMs === undefined ? {} : { sinceMonoMs: now.monoMs }),
    turned: Object.fromEntries(Object.keys(state.turned).map((target) => [target, now.monoMs])),
  };
}

export const storm: Guard = {
  name: "storm_hold",
  looksAt: ["fleet"],
  asked: "step",
  docs: "too many targets are at risk at once",
  check: (_, __, { state, settings, now }) => stormFinding(state.storm, settings.storm, now),
  advance: (state, { targets, settings, now }) => ({
    ...state,
    storm: advanceStorm({ state: state.storm, targets, settings: settings.storm, now }),
  }),
  resume: (state, { now }) => ({ ...state, storm: resumeStorm(state.storm, now) }),
};
