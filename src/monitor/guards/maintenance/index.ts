import { calendarHold, resumeCalendar } from "../calendar/calendar.ts";
import type { Guard } from "../guard.ts";

/** A planned time in which nothing is acted on, of the target that asks or of the one that is called. */
export const maintenance: Guard = {
  name: "maintenance_window",
  looksAt: ["asker", "callee"],
  asked: "step",
  docs: "it is in a maintenance window",
  check: ({ name }, { signal, action }, { state, now }) =>
    calendarHold(state.calendar, "maintenance", { target: name, signal, action }, now),
  // Also that of silences: both live on one calendar.
  resume: (state, { now }) => resumeCalendar(state, now),
};
