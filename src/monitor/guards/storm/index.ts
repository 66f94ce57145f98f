import { z } from "zod";
import { count, setting, share, window } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import { formatDuration, percent } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Finding, Guard, ObservedTarget, StormState } from "../guard.ts";
import { sameList, sameParts } from "../same.ts";

const settings = z
  .strictObject({
    share: setting(
      share().default(0.3),
      "more than this share of the targets turning at risk within the window is a storm",
    ),
    min_targets: setting(count(2, 10_000, "targets").default(3), "fewer targets at risk are no storm"),
    window_seconds: setting(window().default(300), "window within which targets turn at risk in a storm"),
    exit_share: setting(share().optional(), "a storm ends when at most this share of the targets is unwell", {
      shownDefault: "half of guards.storm.share",
    }),
    calm_seconds: setting(window().default(300), "for so long it must be calm before a storm ends"),
  })
  .refine(({ share, exit_share: exit = 0 }) => exit <= share, {
    path: ["exit_share"],
    error: ({ input }) => {
      const { share, exit_share } = input as { share: number; exit_share: number };
      return `must not be above guards.storm.share: exit_share ${exit_share}, share ${share}`;
    },
  })
  .prefault({});

type StormSettings = Internal<typeof settings>;

/** A storm ends when at most this share is unwell. */
export const exitShareOf = ({ share, exitShare = share / 2 }: Pick<StormSettings, "share" | "exitShare">) =>
  exitShare;

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
 * @internal for its tests
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
  if (share(unwellCount) > exitShareOf(settings)) return { active: true, sinceMs, sinceMonoMs, ...counted };
  const calmSinceMonoMs = state.calmSinceMonoMs ?? now.monoMs;
  if (now.monoMs - calmSinceMonoMs >= settings.calmMs) return { active: false, ...counted };
  return { active: true, sinceMs, sinceMonoMs, calmSinceMonoMs, ...counted };
}

/** Holds every target while it storms. @internal for its tests */
export function stormFinding(state: StormState, settings: StormSettings, now: Instant): Finding | undefined {
  if (!state.active) return undefined;
  const calmSince = state.calmSinceMonoMs;
  const counts = `${state.unwellCount} of ${state.total} targets are unwell, it ends when at most ${percent(exitShareOf(settings))} are for ${formatDuration(settings.calmMs)}`;
  return {
    ...(calmSince === undefined ? {} : { untilMs: now.wallMs + (calmSince + settings.calmMs - now.monoMs) }),
    detail:
      calmSince === undefined ? counts : `${counts}; calm for ${formatDuration(now.monoMs - calmSince)}`,
  };
}

/** Carried over to another boot: what turned counts as turned just now, and calm begins anew. @internal for its tests */
export function resumeStorm(state: StormState, now: Instant): StormState {
  const { calmSinceMonoMs: _forgotten, ...rest } = state;
  return {
    ...rest,
    ...(state.sinceMonoMs === undefined ? {} : { sinceMonoMs: now.monoMs }),
    turned: Object.fromEntries(Object.keys(state.turned).map((target) => [target, now.monoMs])),
  };
}

const STORM = "predict_storm";

export const storm = {
  kind: "storm_hold",
  looksAt: ["fleet"],
  asked: "step",
  docs: { summary: "too many targets are at risk at once" },
  section: "storm",
  settings,
  metrics: [
    { name: STORM, type: "gauge", labels: [], help: "1 while too many targets turned at risk at once." },
  ],
  check: (_, __, { state, now }, settings) => stormFinding(state.storm, settings, now),
  advance: (state, { targets, now }, settings) => ({
    ...state,
    storm: advanceStorm({ state: state.storm, targets, settings, now }),
  }),
  measure: (_, { state }) => [{ name: STORM, labels: {}, value: state.storm.active ? 1 : 0 }],
  resume: (state, now) => ({ ...state, storm: resumeStorm(state.storm, now) }),
} as const satisfies Guard<StormSettings>;
