import fc from "fast-check";
import { expect, test } from "vitest";
import type { Decision } from "../kernel/decision.ts";
import { urgency } from "../rules/decide.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import { scriptedSource, signalOf, steep, targetOf, virtualTime, worldOf } from "./cycle.testkit.ts";

/** The cycle in which a target first acts whose signals climb at these rates. */
async function firstAction(rates: readonly number[]): Promise<readonly Decision[]> {
  const time = virtualTime();
  const climb = steep(time);
  const signals = rates.map((_, n) => signalOf(undefined, { name: `s${n}` }));
  const w = worldOf({
    store: createMemoryStore({ clock: time.clock }),
    time,
    sources: [
      scriptedSource(({ signal }) => 100 + (rates[Number(signal.name.slice(1))] as number) * (climb() - 100)),
    ],
    settings: { targets: [targetOf("a", { signals })] },
  });
  for (let n = 0; n < 12; n += 1) {
    const { decisions } = await w.cycle();
    if (w.fleet.effects.length > 0) {
      expect(w.fleet.effects).toHaveLength(1);
      return decisions;
    }
  }
  return [];
}

test("of the signals of a target that ask for an action the most urgent gets it, and covers the others", async () => {
  const rates = fc.array(fc.constantFrom(0, 0.1, 0.5, 1, 2), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(rates, async (given) => {
      const decisions = await firstAction(given);
      if (decisions.length === 0) return;
      const asking = decisions.filter((d) => d.act || d.reason === "covered_by_other_signal");
      const [first, ...more] = asking.filter((d) => d.act);
      expect(more).toEqual([]);
      // Of several that are as urgent the first in the order of the configuration.
      const most = Math.max(...asking.map(urgency));
      expect(first).toBe(asking.find((d) => urgency(d) === most));
      for (const d of asking) expect(d.trigger).toBeDefined();
    }),
    { numRuns: 60 },
  );
  expect((await firstAction([2, 2, 0])).map(({ reason }) => reason)).toEqual([
    "pre_timeout",
    "covered_by_other_signal",
    "below_slo",
  ]);
});
