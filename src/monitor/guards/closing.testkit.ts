import type { Fleet, Said, World } from "../cycle/cycle.testkit.ts";
import { observed } from "../cycle/cycle.testkit.ts";
import type { LoopSettings } from "../cycle/types.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import type { MetricSource } from "../kernel/observation.ts";
import type { Series } from "../kernel/target.ts";
import type { GuardSettings } from "./index.ts";

/** A world on ports in memory, as `worldOf` makes it, and the sources that its loop was made with. */
export interface ClosingWorld extends World {
  readonly sources: readonly MetricSource[];
}

/**
 * Closes one guard for a target of a live loop, by what can really happen to one: every guard before it stays open. Call
 * it while nothing asks for an action; cycles may pass, and whatever the fleet is called for until it returns is its own.
 * @param who a target under watch, or what a step of a playbook is carried out on.
 */
export type Closing = (world: ClosingWorld, who: string) => void | Promise<void>;

/** Longer than any test lasts. */
export const LONG_MS = 86_400_000;

export const SAID = { by: "ana", reason: "closes a guard" } as const;

export function reconfigureGuards({ loop }: ClosingWorld, over: Partial<GuardSettings>): void {
  loop.reconfigure({ ...loop.settings, guards: { ...loop.settings.guards, ...over } });
}

/** What actions on `who` are carried out on. */
export function calleeOf({ targets, playbooks }: LoopSettings, who: string): ActionTarget {
  const steps = playbooks.flatMap((playbook) => playbook.steps.map(({ on }) => on));
  const found = [...targets, ...steps].find(({ name }) => name === who);
  if (found === undefined) throw new Error(`nothing is called ${who}`);
  return found;
}

/** What is called for the guards' sake alone. */
export function elsewhere(n: number): ActionTarget {
  const name = `elsewhere-${n}`;
  const instances = [{ name: `${name}:8000`, url: `http://${name}:8000` }];
  return { name, instances, cooldownMs: 0, autoHeal: true };
}

/** A person has all of these acted on, in one run, which comes to `answer`. It is asked for by the first of them. */
export async function actOn(
  { loop, fleet, cycle }: ClosingWorld,
  callees: readonly ActionTarget[],
  answer: ReturnType<Fleet["answer"]> = "applied",
): Promise<void> {
  const { settings } = loop;
  const { answer: before, calls, kind } = fleet;
  const playbook = {
    name: "an earlier action",
    steps: callees.map((on) => ({ kind, on, parameters: {}, preconditions: [] })),
    undoOnResolved: false,
  };
  const names = callees.map(({ name }) => name);
  const called = calls.length;
  fleet.answer = (call) => (names.includes(call.intent.target) ? answer : before(call));
  loop.reconfigure({ ...settings, playbooks: [...settings.playbooks, playbook] });
  loop.controls.request({ ...SAID, target: names[0] as string, playbook: playbook.name });
  await cycle();
  loop.reconfigure(settings);
  fleet.answer = before;
  if (calls.length === called) throw new Error(`no action on ${names.join(", ")} was made`);
}

/** `who` is acted on, and its cooldown is over. */
export async function actLongAgo(
  world: ClosingWorld,
  who: string,
  answer?: ReturnType<Fleet["answer"]>,
): Promise<void> {
  const callee = calleeOf(world.loop.settings, who);
  await actOn(world, [callee], answer);
  // One that did not help counts from the next cycle on.
  await world.cycle();
  world.time.advance(callee.cooldownMs);
}

/** The sources of a world, which say of some series what they are told to. */
export function saying(
  { sources }: ClosingWorld,
  say: (series: Series) => { readonly said: Said } | undefined,
): readonly MetricSource[] {
  return sources.map((source) => ({
    ...source,
    observe: async (asked) => {
      const seen = await source.observe(asked);
      return asked.plan.map((series, n) => {
        const told = say(series);
        return told === undefined
          ? (seen[n] as (typeof seen)[number])
          : observed(told.said, source.name, asked.now.wallMs);
      });
    },
  }));
}
