import { z } from "zod";
import { described, name, text } from "../../../common/settings/fields.ts";
import type { Silence } from "../../kernel/guards.ts";
import { calendarHold } from "../calendar/calendar.ts";
import { complain, matcher, moment, unique } from "../calendar/fields.ts";
import type { Guard } from "../guard.ts";

/** Longest silence in a file: one that is forgotten must not last for ever, milliseconds. */
const MAX_SILENCE_MS = 90 * 86_400_000;

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

const settings = z
  .array(silence)
  .max(500, "must list at most 500 silences")
  .superRefine(unique("id"))
  .default([]);

/** "Leave this alone until then", said by a person, of the target that asks or of the one that is called. */
export const silenced = {
  kind: "silenced",
  docs: { summary: "a silence covers it" },
  section: "silences",
  settings,
  metrics: [],
  looksAt: ["asker", "callee"],
  asked: "step",
  check: ({ name }, { signal, action }, { state, now }) =>
    calendarHold(state.calendar, "silence", { target: name, signal, action }, now),
} as const satisfies Guard<readonly Silence[]>;
