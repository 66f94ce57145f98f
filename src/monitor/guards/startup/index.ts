import type { StartupSettings } from "../../kernel/guards.ts";
import { formatDuration } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Finding, Guard, StartMark } from "../guard.ts";

/** Starts kept: more than any crash loop needs. */
const MAX_STARTS = 100;

/** Counts a start: call it once a run, before anything acts. */
export function recordStart(starts: readonly StartMark[], now: Instant): StartMark[] {
  return [...starts.slice(1 - MAX_STARTS), { wallMs: now.wallMs, monoMs: now.monoMs }];
}

/**
 * After a crash loop the monitor watches for a while before it acts: what brought it down may be of its own doing, and
 * each start forgets a little. It holds until `quietMs` after the newest start when that was one of at least `starts`
 * within `windowMs`.
 */
export function startupFinding(
  starts: readonly StartMark[],
  settings: StartupSettings,
  now: Instant,
): Finding | undefined {
  const newest = starts.at(-1);
  if (newest === undefined) return undefined;
  const count = starts.filter((s) => newest.monoMs - s.monoMs < settings.windowMs).length;
  const leftMs = newest.monoMs + settings.quietMs - now.monoMs;
  if (count < settings.starts || leftMs <= 0) return undefined;
  return {
    untilMs: now.wallMs + leftMs,
    detail: `${count} starts within ${formatDuration(settings.windowMs)}: it acts again after ${formatDuration(settings.quietMs)} without another`,
  };
}

/**
 * Carried over to another boot. There only the wall clock can tell how long ago a start was: one it puts within `keepMs`,
 * or in the future, counts as just made; older ones are dropped.
 */
export function resumeStarts(starts: readonly StartMark[], keepMs: number, now: Instant): StartMark[] {
  return starts
    .filter((s) => now.wallMs - s.wallMs < keepMs)
    .map((s) => ({ wallMs: s.wallMs, monoMs: now.monoMs }));
}

export const startup: Guard = {
  name: "startup_hold",
  looksAt: ["fleet"],
  asked: "step",
  docs: "the monitor has restarted too often",
  check: (_, __, { state, settings, now }) => startupFinding(state.starts, settings.startup, now),
  resume: (state, { settings, now }) => ({
    ...state,
    starts: resumeStarts(state.starts, settings.startup.windowMs, now),
  }),
};
