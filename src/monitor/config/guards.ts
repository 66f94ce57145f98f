import { z } from "zod";
import { baseUrl, described, name, number, seconds, share, text } from "../../common/settings/fields.ts";

const count = (min: number, max: number, unit: string) => number({ min, max, unit, integer: true });
const window = (max = 86_400) => number({ min: 1, max, unit: "seconds" });

const pattern = () =>
  z
    .string({ error: "must be a name, * for any run of characters" })
    .regex(/^[a-zA-Z0-9_.:/*-]{1,200}$/, {
      error:
        "must be 1 to 200 letters, digits, dots, dashes, slashes, colons, underscores, and * for any run of characters",
    })
    .default("*");

const matcher = {
  target: described(pattern(), "targets that it is about"),
  signal: described(pattern(), "signals that it is about"),
  action: described(pattern(), "kinds of action that it is about"),
};

/** A moment as text; without a zone it would mean something else on every machine. */
const moment = () =>
  z
    .string({ error: MOMENT })
    .refine(
      (v) =>
        /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/.test(v) &&
        !Number.isNaN(Date.parse(v)),
      { error: MOMENT },
    )
    .transform((v) => Date.parse(v));
const MOMENT = "must be a time with its zone, e.g. 2026-11-21T14:00:00Z or 2026-11-21T11:00:00-03:00";

/** Minutes after midnight. */
const clock = (last: RegExp, example: string) =>
  z
    .string({ error: `must be a time of day in quotes, e.g. "${example}"` })
    .regex(last, { error: `must be a time of day, e.g. "${example}"` })
    .transform((v) => Number(v.slice(0, 2)) * 60 + Number(v.slice(3)));

/** In the order of the domain's numbers: 0 is Sunday. */
export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

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

const silence = z.strictObject({
  id: described(name(), "unique"),
  ...matcher,
  author: described(text("who gives the silence"), "who gives it"),
  reason: described(text("why"), "why"),
  starts_at: described(moment(), "from when"),
  ends_at: described(moment(), "until when; at most 90 days later"),
});

const maintenance = z
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
    if ((weekly && !ofOnce) || (once && !ofWeek)) return;
    const message =
      "must have either from and to (with days and timezone, if wanted), or starts_at and ends_at";
    context.addIssue({ code: "custom", message });
  });

/** The brakes. */
export const guardsSchema = z
  .strictObject({
    target_cap: z
      .strictObject({
        actions: count(1, 1000, "actions").default(4),
        window_seconds: window().default(3600),
      })
      .prefault({}),
    fleet_cap: z
      .strictObject({
        actions: count(1, 10_000, "actions").default(10),
        window_seconds: window().default(600),
      })
      .prefault({}),
    storm: z
      .strictObject({
        share: share().default(0.3),
        min_targets: count(2, 10_000, "targets").default(3),
        window_seconds: window().default(300),
        exit_share: share().optional(),
        calm_seconds: window().default(300),
      })
      .prefault({}),
    startup: z
      .strictObject({
        starts: count(2, 100, "starts").default(3),
        window_seconds: window().default(600),
        quiet_seconds: window().default(300),
      })
      .prefault({}),
    completeness: z
      .strictObject({
        target_share: share().default(0.5),
        fleet_share: share().default(0.5),
        min_series: count(1, 100_000, "series").default(8),
        memory_seconds: window().default(900),
      })
      .prefault({}),
    backoff: z
      .strictObject({
        factor: number({ min: 1, max: 10, unit: "a factor" }).default(2),
        max_seconds: seconds(0, 86_400).default(3600),
      })
      .prefault({}),
    maintenance: z.array(maintenance).max(100, "must list at most 100 windows").default([]),
    silences: z.array(silence).max(500, "must list at most 500 silences").default([]),
  })
  .prefault({});

/** How actions are verified, and when people are called. */
export const verificationSchema = z
  .strictObject({
    window_seconds: window().optional(),
    min_samples: count(3, 100, "samples").default(3),
    min_change: number({ min: 0, max: 1, unit: "a share", above: true }).default(0.25),
    max_ineffective: count(1, 40, "actions").default(3),
    // Tries are kept for a day: a longer window would count what is no longer known.
    ineffective_window_seconds: window().default(3600),
    healthy_seconds: window().default(1800),
  })
  .prefault({});

/** Where people are called. */
export const alertmanagerSchema = z
  .strictObject({
    url: baseUrl().optional(),
    resend_seconds: seconds(5, 3600).default(60),
    timeout_seconds: seconds(0.1, 60).default(5),
  })
  .prefault({});

export type GuardsConfig = z.output<typeof guardsSchema>;
export type VerificationConfig = z.output<typeof verificationSchema>;
export type AlertmanagerConfig = z.output<typeof alertmanagerSchema>;
