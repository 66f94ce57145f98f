import { z } from "zod";
import { count, setting, window } from "../../../common/settings/fields.ts";
import type { Facts, Guard, Measurement, Question } from "../guard.ts";
import { budgetLeft, type CapSettings, fairShare, rateCap } from "./budget.ts";

const capOf = (section: string, given: { most: number; actions: number; seconds: number; on: string }) =>
  z
    .strictObject({
      actions: setting(
        count(1, given.most, "actions").default(given.actions),
        `most actions ${given.on} within the window`,
      ),
      window_seconds: setting(window().default(given.seconds), `window of guards.${section}.actions`),
    })
    .prefault({});

const targetSettings = capOf("target_cap", { most: 1000, actions: 4, seconds: 3600, on: "on one target" });
const fleetSettings = capOf("fleet_cap", { most: 10_000, actions: 10, seconds: 600, on: "over all targets" });

export const BUDGET_LEFT = "predict_budget_left";

const LEFT = {
  name: BUDGET_LEFT,
  type: "gauge",
  labels: ["scope"],
  help: "Actions that a rate cap still allows; `scope`: `fleet` or `target:NAME`.",
} as const;

const asked = ({ shadow, run }: Question, { state, now }: Facts) => ({ state, shadow, run, now });

function left(
  scope: string | undefined,
  { state, shadow, now }: Facts & { readonly shadow: boolean },
  cap: CapSettings,
): Measurement {
  const labels = { scope: scope === undefined ? "fleet" : `target:${scope}` };
  return { name: BUDGET_LEFT, labels, value: budgetLeft({ state, cap, scope, shadow, now }) };
}

/** The budget of the target that asks, and of each that is called. */
export const targetCap = {
  kind: "rate_cap_target",
  docs: { summary: "the target has used up its rate cap" },
  section: "target_cap",
  settings: targetSettings,
  metrics: [LEFT],
  looksAt: ["asker", "callee"],
  asked: "run",
  check: ({ name }, question, facts, cap) => rateCap({ ...asked(question, facts), cap, scope: name }),
  // What was done counts as done just now on another boot, so that no budget is ever more than it should be.
  resume: (state, now) => ({
    ...state,
    actions: state.actions.map((a) => ({ ...a, monoMs: now.monoMs })),
    ...(state.lostMonoMs === undefined ? {} : { lostMonoMs: now.monoMs }),
  }),
  measure: (targets, facts, cap) => targets.map(({ name }) => left(name, facts, cap)),
} as const satisfies Guard<CapSettings>;

/** The budget of the whole fleet, of which the last places are shared. */
export const fleetCap = {
  kind: "rate_cap_fleet",
  docs: { summary: "the fleet has used up its rate cap" },
  section: "fleet_cap",
  settings: fleetSettings,
  metrics: [LEFT],
  looksAt: ["fleet"],
  asked: "run",
  check(_, question, facts, cap) {
    const budget = { ...asked(question, facts), cap, scope: undefined };
    const on = [...new Set(question.callees.map(({ name }) => name))];
    return (
      rateCap(budget, on.length) ??
      fairShare(budget, {
        on,
        waiting: question.waiting,
        lastMonoMs: (target) => lastActionMonoMs(facts, target, question.shadow),
      })
    );
  },
  measure: (_, facts, cap) => [left(undefined, facts, cap)],
} as const satisfies Guard<CapSettings>;

/** When a target was last acted on; -Infinity: never. An imagined action looks at imagined ones too. */
export function lastActionMonoMs({ memory }: Pick<Facts, "memory">, target: string, shadow: boolean): number {
  const never = Number.NEGATIVE_INFINITY;
  const { lastActionMonoMs: real = never, lastShadowMonoMs: imagined = never } = memory(target);
  return shadow ? Math.max(real, imagined) : real;
}
