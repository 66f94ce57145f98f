import type { Facts, Guard, GuardState, Question } from "../guard.ts";
import { fairShare, rateCap } from "./budget.ts";

const asked = ({ shadow, run }: Question, { state, now }: Facts) => ({ state, shadow, run, now });

/** What was done counts as done just now on another boot, so that no budget is ever more than it should be. */
const resume: Guard["resume"] = (state: GuardState, { now }) => ({
  ...state,
  actions: state.actions.map((a) => ({ ...a, monoMs: now.monoMs })),
  ...(state.lostMonoMs === undefined ? {} : { lostMonoMs: now.monoMs }),
});

/** The budget of the target that asks, and of each that is called. */
export const targetCap: Guard = {
  name: "rate_cap_target",
  looksAt: ["asker", "callee"],
  asked: "run",
  docs: "the target has used up its rate cap",
  check: ({ name }, question, facts) =>
    rateCap({ ...asked(question, facts), cap: facts.settings.targetCap, scope: name }),
  resume,
};

/** The budget of the whole fleet, of which the last places are shared. */
export const fleetCap: Guard = {
  name: "rate_cap_fleet",
  looksAt: ["fleet"],
  asked: "run",
  docs: "the fleet has used up its rate cap",
  check(_, question, facts) {
    const budget = { ...asked(question, facts), cap: facts.settings.fleetCap, scope: undefined };
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
};

/** When a target was last acted on; -Infinity: never. An imagined action looks at imagined ones too. */
export function lastActionMonoMs({ memory }: Pick<Facts, "memory">, target: string, shadow: boolean): number {
  const never = Number.NEGATIVE_INFINITY;
  const { lastActionMonoMs: real = never, lastShadowMonoMs: imagined = never } = memory(target);
  return shadow ? Math.max(real, imagined) : real;
}
