import { NO_SETTINGS } from "../../../common/settings/fields.ts";
import type { Pause } from "../../kernel/guards.ts";
import { isoUtc, oneLine } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Finding, Guard } from "../guard.ts";

/**
 * The monitor's kill switch for everything new it might do, on the word of a person.
 * @param forMs how long; undefined: until somebody lifts it.
 */
export function createPause(
  given: { by: string; reason: string; forMs?: number | undefined },
  now: Instant,
): Pause {
  const { by, reason, forMs } = given;
  const end = forMs === undefined ? {} : { untilMs: now.wallMs + forMs, untilMonoMs: now.monoMs + forMs };
  return { by, reason, since: now, ...end };
}

/** Holds every action while it is paused. Its end is judged on the monotonic clock. @internal for its tests */
export function pauseFinding(pause: Pause | undefined, now: Instant): Finding | undefined {
  if (pause === undefined || isOver(pause, now)) return undefined;
  const leftMs = pause.untilMonoMs === undefined ? undefined : pause.untilMonoMs - now.monoMs;
  return {
    ...(leftMs === undefined ? {} : { untilMs: now.wallMs + leftMs }),
    detail: `by ${oneLine(pause.by, 80)} since ${isoUtc(pause.since.wallMs)}: ${oneLine(pause.reason)}`,
  };
}

export function isOver(pause: Pause, now: Instant): boolean {
  return pause.untilMonoMs !== undefined && now.monoMs >= pause.untilMonoMs;
}

/**
 * Carried over to another boot. What is left is asked of the wall clock, and never more than the whole: a clock that
 * was set back during the reboot makes it last its full length again, not longer.
 */
function resumePause(pause: Pause | undefined, now: Instant): Pause | undefined {
  if (pause?.untilMs === undefined) return pause;
  const lengthMs = pause.untilMs - pause.since.wallMs;
  const leftMs = Math.min(lengthMs, pause.untilMs - now.wallMs);
  return leftMs <= 0 ? undefined : { ...pause, untilMonoMs: now.monoMs + leftMs };
}

const PAUSED = "predict_paused";

/** Holds every action while a person has paused the monitor. */
export const paused: Guard = {
  kind: "paused",
  looksAt: ["fleet"],
  asked: "step",
  docs: { summary: "acting is paused" },
  settings: NO_SETTINGS,
  metrics: [{ name: PAUSED, type: "gauge", labels: [], help: "1 while a person has paused all acting." }],
  check: (_, __, { state, now }) => pauseFinding(state.pause, now),
  resume(state, now) {
    const { pause: before, ...rest } = state;
    const pause = resumePause(before, now);
    return pause === undefined ? rest : { ...rest, pause };
  },
  measure: (_, { state, now }) => [
    { name: PAUSED, labels: {}, value: pauseFinding(state.pause, now) === undefined ? 0 : 1 },
  ],
};
