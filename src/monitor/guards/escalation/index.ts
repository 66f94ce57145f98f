import { NO_SETTINGS } from "../../../common/settings/fields.ts";
import { isoUtc, oneLine } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Escalation } from "../../kernel/verification.ts";
import type { Finding, Guard } from "../guard.ts";

/** Holds a target that is waiting for a person, acknowledged or not. Time alone does not end it. @internal for its tests */
export function escalationFinding(escalation: Escalation | undefined, now: Instant): Finding | undefined {
  if (escalation === undefined) return undefined;
  const { cause, since, attempts, acknowledged: ack } = escalation;
  const why =
    cause === "refused"
      ? "the target refuses the action"
      : `${attempts.length === 1 ? "an action" : `${attempts.length} actions`} did not help, the last one ${oneLine(attempts.at(-1)?.detail ?? "")}`;
  const seen = ack !== undefined && !(ack.untilMonoMs !== undefined && now.monoMs >= ack.untilMonoMs);
  const who = seen ? `seen by ${oneLine(ack.by, 80)}: ${oneLine(ack.reason)}` : "nobody has answered yet";
  return { detail: `since ${isoUtc(since.wallMs)}, ${why}; ${who}` };
}

const WAITING = "predict_escalated";

export const escalated: Guard = {
  kind: "escalated",
  looksAt: ["asker", "callee"],
  asked: "step",
  docs: { summary: "the target waits for a person" },
  settings: NO_SETTINGS,
  metrics: [
    { name: WAITING, type: "gauge", labels: ["target"], help: "1 while the target waits for a person." },
  ],
  check: ({ name }, _, { past, now }) => escalationFinding(past(name)?.escalation, now),
  measure: (targets, { past }) =>
    targets.map(({ name }) => ({
      name: WAITING,
      labels: { target: name },
      value: past(name)?.escalation === undefined ? 0 : 1,
    })),
};
