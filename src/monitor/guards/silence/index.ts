import { calendarHold } from "../calendar/calendar.ts";
import type { Guard } from "../guard.ts";

/** "Leave this alone until then", said by a person, of the target that asks or of the one that is called. */
export const silenced: Guard = {
  name: "silenced",
  looksAt: ["asker", "callee"],
  asked: "step",
  docs: "a silence covers it",
  check: ({ name }, { signal, action }, { state, now }) =>
    calendarHold(state.calendar, "silence", { target: name, signal, action }, now),
};
