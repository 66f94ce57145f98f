import { z } from "zod";
import { count, setting, window } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import { formatDuration } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Finding, Guard, StartMark } from "../guard.ts";

const settings = z
  .strictObject({
    starts: setting(count(2, 100, "starts").default(3), "so many starts within the window are a crash loop"),
    window_seconds: setting(window().default(600), "window of guards.startup.starts"),
    quiet_seconds: setting(window().default(300), "a crash loop is over so long after the last start"),
  })
  .prefault({});

type StartupSettings = Internal<typeof settings>;

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
 * @internal for its tests
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
function resumeStarts(starts: readonly StartMark[], keepMs: number, now: Instant): StartMark[] {
  return starts
    .filter((s) => now.wallMs - s.wallMs < keepMs)
    .map((s) => ({ wallMs: s.wallMs, monoMs: now.monoMs }));
}

export const startup = {
  kind: "startup_hold",
  looksAt: ["fleet"],
  asked: "step",
  docs: { summary: "the monitor has restarted too often" },
  section: "startup",
  settings,
  metrics: [],
  check: (_, __, { state, now }, settings) => startupFinding(state.starts, settings, now),
  resume: (state, now, { windowMs }) => ({ ...state, starts: resumeStarts(state.starts, windowMs, now) }),
} as const satisfies Guard<StartupSettings>;
