import { z } from "zod";
import { described, name, number, seconds, setting, share, text } from "../../common/settings/fields.ts";
import type { MaintenanceWindow, Silence } from "../kernel/guards.ts";

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

/** Longest silence in a file: one that is forgotten must not last for ever, milliseconds. */
const MAX_SILENCE_MS = 90 * 86_400_000;

type Context = { addIssue(issue: { code: "custom"; path: PropertyKey[]; message: string }): void };

function complain(context: Context, path: PropertyKey[], message: string): void {
  context.addIssue({ code: "custom", path, message });
}

/** The names in a list, each once. */
function unique<K extends string>(key: K) {
  return (list: readonly Readonly<Record<K, string>>[], context: Context) => {
    const names = list.map((entry) => entry[key]);
    names.forEach((name, i) => {
      if (names.indexOf(name) < i) complain(context, [i, key], `"${name}" is taken; each must be unique`);
    });
  };
}

const silence = z
  .strictObject({
    id: described(name(), "unique"),
    ...matcher,
    author: described(text("who gives the silence"), "who gives it"),
    reason: described(text("why"), "why"),
    starts_at: described(moment(), "from when"),
    ends_at: described(moment(), "until when; at most 90 days later"),
  })
  .superRefine(({ starts_at, ends_at }, context) => {
    if (ends_at <= starts_at) complain(context, ["ends_at"], "must be after starts_at");
    else if (ends_at - starts_at > MAX_SILENCE_MS)
      complain(
        context,
        ["ends_at"],
        "must be at most 90 days after starts_at; renew it if it is still wanted",
      );
  })
  .transform(
    ({ starts_at: startsAtMs, ends_at: endsAtMs, ...rest }): Silence => ({ ...rest, startsAtMs, endsAtMs }),
  );

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

export const guardsSchema = z
  .strictObject({
    target_cap: z
      .strictObject({
        actions: setting(
          count(1, 1000, "actions").default(4),
          "most actions on one target within the window",
        ),
        window_seconds: setting(window().default(3600), "window of guards.target_cap.actions"),
      })
      .prefault({}),
    fleet_cap: z
      .strictObject({
        actions: setting(
          count(1, 10_000, "actions").default(10),
          "most actions over all targets within the window",
        ),
        window_seconds: setting(window().default(600), "window of guards.fleet_cap.actions"),
      })
      .prefault({}),
    storm: z
      .strictObject({
        share: setting(
          share().default(0.3),
          "more than this share of the targets turning at risk within the window is a storm",
        ),
        min_targets: setting(count(2, 10_000, "targets").default(3), "fewer targets at risk are no storm"),
        window_seconds: setting(window().default(300), "window within which targets turn at risk in a storm"),
        exit_share: setting(
          share().optional(),
          "a storm ends when at most this share of the targets is unwell",
          { shownDefault: "half of guards.storm.share" },
        ),
        calm_seconds: setting(window().default(300), "for so long it must be calm before a storm ends"),
      })
      .refine(({ share, exit_share: exit = 0 }) => exit <= share, {
        path: ["exit_share"],
        error: ({ input }) => {
          const { share, exit_share } = input as { share: number; exit_share: number };
          return `must not be above guards.storm.share: exit_share ${exit_share}, share ${share}`;
        },
      })
      .prefault({}),
    startup: z
      .strictObject({
        starts: setting(
          count(2, 100, "starts").default(3),
          "so many starts within the window are a crash loop",
        ),
        window_seconds: setting(window().default(600), "window of guards.startup.starts"),
        quiet_seconds: setting(window().default(300), "a crash loop is over so long after the last start"),
      })
      .prefault({}),
    completeness: z
      .strictObject({
        target_share: setting(share().default(0.5), "least share of a target's signals that must be usable"),
        fleet_share: setting(
          share().default(0.5),
          "least share of the series seen of late that must have a value",
        ),
        min_series: setting(
          count(1, 100_000, "series").default(8),
          "below so many series guards.completeness.fleet_share says nothing",
        ),
        memory_seconds: setting(
          window().default(900),
          "how long a series is expected after it was last seen",
        ),
      })
      .prefault({}),
    backoff: z
      .strictObject({
        factor: setting(
          number({ min: 1, max: 10, unit: "a factor" }).default(2),
          "the cooldown is multiplied by this for each action that did not help",
        ),
        max_seconds: setting(
          seconds(0, 86_400).default(3600),
          "longest pause after actions that did not help",
        ),
      })
      .prefault({}),
    maintenance: z
      .array(maintenance)
      .max(100, "must list at most 100 windows")
      .superRefine(unique("name"))
      .default([]),
    silences: z
      .array(silence)
      .max(500, "must list at most 500 silences")
      .superRefine(unique("id"))
      .default([]),
  })
  .prefault({});

/** How actions are verified, and when people are called. */
export const verificationSchema = z
  .strictObject({
    window_seconds: setting(window().optional(), "from an action to the verdict on it", {
      shownDefault: "the cooldown",
    }),
    min_samples: setting(
      count(3, 100, "samples").default(3),
      "with fewer samples from after an action the verdict is inconclusive",
    ),
    min_change: setting(
      number({ min: 0, max: 1, unit: "a share", above: true }).default(0.25),
      "share of the excess that must go for the verdict improved",
    ),
    max_ineffective: setting(
      count(1, 40, "actions").default(3),
      "so many actions that did not help, within the window or in a row, are escalated",
    ),
    // Tries are kept for a day: a longer window would count what is no longer known.
    ineffective_window_seconds: setting(window().default(3600), "window of verification.max_ineffective"),
    healthy_seconds: setting(window().default(1800), "health for so long ends an escalation"),
  })
  .prefault({});
