import { z } from "zod";
import { count, number, setting, window } from "../../common/settings/fields.ts";

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
    // Attempts are kept for a day: a longer window would count what is no longer known.
    ineffective_window_seconds: setting(window().default(3600), "window of verification.max_ineffective"),
    healthy_seconds: setting(window().default(1800), "health for so long ends an escalation"),
  })
  .prefault({});
