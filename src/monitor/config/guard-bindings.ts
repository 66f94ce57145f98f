/** Key, default and help of the scalar settings of guards, verification and escalation; all of them are numbers or URLs. */
export const guardBindings: readonly {
  readonly path: string;
  readonly kind: "number" | "string";
  readonly shownDefault: string;
  readonly help: string;
}[] = [
  number("guards.target_cap.actions", "4", "most actions on one target within the window"),
  number("guards.target_cap.window_seconds", "3600", "that window"),
  number("guards.fleet_cap.actions", "10", "most actions over all targets within the window"),
  number("guards.fleet_cap.window_seconds", "600", "that window"),
  number("guards.storm.share", "0.3", "more than this share of the targets turning at risk is a storm"),
  number("guards.storm.min_targets", "3", "and at least so many of them"),
  number("guards.storm.window_seconds", "300", "within so long"),
  number("guards.storm.exit_share", "half of that share", "a storm ends when at most this share is unwell"),
  number("guards.storm.calm_seconds", "300", "for so long"),
  number("guards.startup.starts", "3", "so many starts within the window are a crash loop"),
  number("guards.startup.window_seconds", "600", "that window"),
  number("guards.startup.quiet_seconds", "300", "a crash loop is over so long after the last start"),
  number("guards.completeness.target_share", "0.5", "least share of a target's signals that must be usable"),
  number(
    "guards.completeness.fleet_share",
    "0.5",
    "least share of the series seen of late that must have a value",
  ),
  number("guards.completeness.min_series", "8", "below so many series that share says nothing"),
  number("guards.completeness.memory_seconds", "900", "how long a series is expected after it was last seen"),
  number(
    "guards.backoff.factor",
    "2",
    "the cooldown is multiplied by this for each action that did not help",
  ),
  number("guards.backoff.max_seconds", "3600", "longest pause after actions that did not help"),
  number("verification.window_seconds", "the cooldown", "from an action to the verdict on it"),
  number("verification.min_samples", "3", "fewer samples from after an action are inconclusive"),
  number("verification.min_change", "0.25", "share of the excess that must go for improved"),
  number("verification.max_ineffective", "3", "so many actions that did not help are escalated"),
  number("verification.ineffective_window_seconds", "3600", "within so long, or in a row"),
  number("verification.healthy_seconds", "1800", "health for so long ends an escalation"),
  {
    path: "alertmanager.url",
    kind: "string",
    shownDefault: "",
    help: "Alertmanager that escalations are sent to; without it they are only logged and shown",
  },
  number("alertmanager.resend_seconds", "60", "an escalation that lasts is sent again after so long"),
  number("alertmanager.timeout_seconds", "5", "deadline of one call to it"),
];

function number(path: string, shownDefault: string, help: string) {
  return { path, kind: "number" as const, shownDefault, help };
}
