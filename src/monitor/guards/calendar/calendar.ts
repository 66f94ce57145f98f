import type { MaintenanceWindow, Matcher, Silence } from "../../kernel/guards.ts";
import { isoUtc, oneLine } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { CalendarHold, Finding, GuardState } from "../guard.ts";
import { sameParts } from "../same.ts";
import { advanceLatch, type Latch, latchedUntil, resumeLatch } from "./latch.ts";
import { maintenanceAt } from "./maintenance.ts";
import { describeMatcher, matchesSubject } from "./matcher.ts";
import type { Occurrence } from "./weekly.ts";

/** Silences kept beside those of the configuration. */
const MAX_SILENCES = 500;

type Found = Omit<CalendarHold, "untilMonoMs">;

/** Calendar holds and their latches after a look at the clocks; the same object of latches where none has changed. */
export function advanceCalendar(input: {
  silences: readonly Silence[];
  windows: readonly MaintenanceWindow[];
  latches: Readonly<Record<string, Latch>>;
  now: Instant;
}): { latches: Readonly<Record<string, Latch>>; calendar: CalendarHold[] } {
  const { silences, windows, now } = input;
  const latches: Record<string, Latch> = {};
  const calendar: CalendarHold[] = [];
  const look = (key: string, occurrence: Occurrence | undefined, hold: () => Found) => {
    const latch = advanceLatch(input.latches[key], occurrence, now);
    if (latch === undefined) return;
    latches[key] = latch;
    const untilMonoMs = latchedUntil(latch, occurrence, now);
    if (untilMonoMs !== undefined) calendar.push({ ...hold(), untilMonoMs });
  };
  for (const s of silences) {
    const inside = s.startsAtMs <= now.wallMs && now.wallMs < s.endsAtMs;
    const occurrence = inside ? { startMs: s.startsAtMs, endMs: s.endsAtMs } : undefined;
    look(`silence/${s.id}`, occurrence, () => silenced(s));
  }
  for (const w of windows)
    look(`maintenance/${w.name}`, maintenanceAt(w, now.wallMs), () => underMaintenance(w));
  return { latches: sameParts(input.latches, latches) ? input.latches : latches, calendar };
}

function silenced(s: Silence): Found {
  const { target, signal, action } = s;
  const who = `${describeMatcher(s)} by ${oneLine(s.author, 80)} until ${isoUtc(s.endsAtMs)}`;
  return { kind: "silence", target, signal, action, detail: `${who}: ${oneLine(s.reason)}` };
}

function underMaintenance(w: MaintenanceWindow): Found {
  const { target, signal, action } = w;
  const detail = `${w.name} (${describeMatcher(w)}): ${oneLine(w.reason)}`;
  return { kind: "maintenance", target, signal, action, detail };
}

/** The calendar hold of one kind on a subject; of several the one that lasts longest. */
export function calendarHold(
  calendar: readonly CalendarHold[],
  kind: CalendarHold["kind"],
  subject: Matcher,
  now: Instant,
): Finding | undefined {
  let longest: CalendarHold | undefined;
  for (const c of calendar)
    if (
      c.kind === kind &&
      c.untilMonoMs > now.monoMs &&
      matchesSubject(c, subject) &&
      (longest === undefined || c.untilMonoMs > longest.untilMonoMs)
    )
      longest = c;
  if (longest === undefined) return undefined;
  return {
    untilMs: now.wallMs + (longest.untilMonoMs - now.monoMs),
    detail: longest.detail,
  };
}

/**
 * Adds a silence that a person gave, replacing one of the same id. Those over for longest make room; when all are still
 * to come or in force there is none, and undefined is returned: nothing is dropped unseen.
 */
export function addSilence(
  silences: readonly Silence[],
  added: Silence,
  now: Instant,
): readonly Silence[] | undefined {
  const others = silences.filter((s) => s.id !== added.id);
  if (others.length < MAX_SILENCES) return [...others, added];
  const over = others.filter((s) => s.endsAtMs <= now.wallMs).sort((a, b) => a.endsAtMs - b.endsAtMs)[0];
  return over === undefined ? undefined : [...others.filter((s) => s !== over), added];
}

/** Without the silence of this id: it ends at once. */
export function liftSilence(silences: readonly Silence[], id: string): readonly Silence[] {
  return silences.filter((s) => s.id !== id);
}

/** Carried over to another boot: what held is latched anew, the calendar is looked at in the next cycle. */
export function resumeCalendar(state: GuardState, now: Instant): GuardState {
  const latches = Object.entries(state.latches).flatMap(([key, latch]) => {
    const resumed = resumeLatch(latch, now);
    return resumed === undefined ? [] : [[key, resumed] as const];
  });
  return { ...state, latches: Object.fromEntries(latches), calendar: [] };
}
