import { NO_SETTINGS } from "../../../common/settings/fields.ts";
import type { Guard } from "../guard.ts";

/** Holds a target while nobody knows what an earlier action did to it. */
export const unresolved: Guard = {
  kind: "intent_unresolved",
  looksAt: ["asker", "callee"],
  asked: "run",
  docs: { summary: "the outcome of the last action is not known yet" },
  settings: NO_SETTINGS,
  metrics: [],
  check: ({ name }, _, { memory }) =>
    memory(name).unresolved ? { detail: "the outcome of an earlier action is not known yet" } : undefined,
};
