import { z } from "zod";
import { described, name, text } from "../../../common/settings/fields.ts";
import type { MaintenanceWindow } from "../../kernel/guards.ts";
import { calendarHold, resumeCalendar } from "../calendar/calendar.ts";
import { complain, matcher, moment, unique } from "../calendar/fields.ts";
import type { Guard } from "../guard.ts";

/** Minutes after midnight. */
const clock = (last: RegExp, example: string) =>
  z
    .string({ error: `must be a time of day in quotes, e.g. "${example}"` })
    .regex(last, { error: `must be a time of day, e.g. "${example}"` })
    .transform((v) => Number(v.slice(0, 2)) * 60 + Number(v.slice(3)));

/** In the order of the domain's numbers: 0 is Sunday. */
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

const timeZone = () =>
  z
    .string({ error: "must be the IANA name of a time zone" })
    .refine(isTimeZone, { error: "must be the IANA name of a time zone, e.g. Europe/Lisbon" });

function isTimeZone(value: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: value });
    return true;
  } catch {
    return false;
  }
}

const window = z
  .strictObject({
    name: described(name(), "unique"),
    ...matcher,
    reason: described(text("why"), "why"),
    days: described(
      z
        .array(z.enum(WEEKDAYS, { error: `must be ${WEEKDAYS.join(", ")}` }))
        .min(1, "must list at least one day")
        .refine((days) => new Set(days).size === days.length, { error: "must not list a day twice" })
        .optional(),
      "days on which a weekly window begins",
      "all",
    ),
    from: described(
      clock(/^([01]\d|2[0-3]):[0-5]\d$/, "22:00").optional(),
      "when a weekly window begins, in quotes",
    ),
    to: described(
      clock(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, "02:00").optional(),
      "when it ends, in quotes; what is not after `from` is on the next day",
    ),
    timezone: described(timeZone().optional(), "zone of a weekly window", "`UTC`"),
    starts_at: described(moment().optional(), "instead, for a single window: from when"),
    ends_at: described(moment().optional(), "until when"),
  })
  .superRefine((w, context) => {
    const weekly = w.from !== undefined && w.to !== undefined;
    const once = w.starts_at !== undefined && w.ends_at !== undefined;
    const ofWeek = [w.days, w.from, w.to, w.timezone].some((v) => v !== undefined);
    const ofOnce = w.starts_at !== undefined || w.ends_at !== undefined;
    if (!((weekly && !ofOnce) || (once && !ofWeek)))
      complain(
        context,
        [],
        "must have either from and to (with days and timezone, if wanted), or starts_at and ends_at",
      );
    else if (once && Number(w.ends_at) <= Number(w.starts_at))
      complain(context, ["ends_at"], "must be after starts_at");
    else if (weekly && w.from === w.to)
      complain(context, ["to"], 'must differ from `from`; for a whole day: from "00:00" to "24:00"');
  })
  .transform((w): MaintenanceWindow => {
    const { name, target, signal, action, reason } = w;
    const common = { name, target, signal, action, reason };
    if (w.starts_at !== undefined && w.ends_at !== undefined)
      return { ...common, when: { kind: "once", startsAtMs: w.starts_at, endsAtMs: w.ends_at } };
    const days = (w.days ?? WEEKDAYS).map((day) => WEEKDAYS.indexOf(day));
    const [fromMinute, toMinute] = [w.from ?? 0, w.to ?? 0];
    return {
      ...common,
      when: { kind: "weekly", days, fromMinute, toMinute, timeZone: w.timezone ?? "UTC" },
    };
  });

const settings = z
  .array(window)
  .max(100, "must list at most 100 windows")
  .superRefine(unique("name"))
  .default([]);

/** A planned time in which nothing is acted on, of the target that asks or of the one that is called. */
export const maintenance = {
  kind: "maintenance_window",
  docs: { summary: "it is in a maintenance window" },
  section: "maintenance",
  settings,
  metrics: [],
  looksAt: ["asker", "callee"],
  asked: "step",
  check: ({ name }, { signal, action }, { state, now }) =>
    calendarHold(state.calendar, "maintenance", { target: name, signal, action }, now),
  // Also that of silences: both live on one calendar.
  resume: (state, now) => resumeCalendar(state, now),
} as const satisfies Guard<readonly MaintenanceWindow[]>;
