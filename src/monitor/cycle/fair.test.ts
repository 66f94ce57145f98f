import { describe, expect, it } from "vitest";
import type { Target } from "../kernel/target.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import { CYCLE_MS, GUARDS, scriptedSource, signalOf, steep, targetOf, virtualTime } from "./cycle.testkit.ts";
import { bedOf, stepOf } from "./execute/playbooks.testkit.ts";

const CAP = { actions: 2, windowMs: 20 * CYCLE_MS };

/** One that is at risk all the time, and others from a while later on; the fleet may act twice in twenty cycles. */
function world(answered: readonly string[], callees?: readonly Target[]) {
  const targets = ["gateway", "late"].map((name) => ({
    ...targetOf(name, { signals: [signalOf()] }),
    cooldownMs: 4 * CYCLE_MS,
  }));
  const time = virtualTime();
  const rises = steep(time);
  let others = false;
  const source = scriptedSource(({ target }) => (target.name === "gateway" || others ? rises() : 100));
  const bed = bedOf({
    store: createMemoryStore({ clock: time.clock }),
    time,
    source,
    settings: {
      targets,
      playbooks: targets
        .filter(({ name }) => answered.includes(name))
        .map((on) => ({
          name: `contain ${on.name}`,
          forecast: { target: on.name, signal: "memory" },
          undoOnResolved: true,
          steps: (callees ?? [on]).map((callee) => stepOf("limit", { on: callee })),
        })),
      guards: { ...GUARDS, fleetCap: CAP, targetCap: { actions: 100, windowMs: CAP.windowMs } },
    },
  });
  return {
    bed,
    letOthers: () => {
      others = true;
    },
    on: () => bed.fleet.effects.map((e) => e.intent.target),
  };
}

describe("the fleet's last place", () => {
  it.each([[[]], [["gateway"]], [["late"]], [["gateway", "late"]]])(
    "goes to the target that was acted on longer ago, not again to the one whose cause comes back (playbooks of %j)",
    async (answered) => {
      const { bed, letOthers, on } = world(answered);
      for (let n = 0; n < 40 && on().length < 2; n += 1) await bed.cycle();
      expect(on()).toEqual(["gateway", "gateway"]);
      letOthers();
      for (let n = 0; n < 40 && on().length < 3; n += 1) await bed.cycle();
      expect(on()).toEqual(["gateway", "gateway", "late"]);
    },
  );

  it("is kept for a playbook that needs several at once, until they are free", async () => {
    const workloads = ["a", "b"].map((name) => targetOf(name, { signals: [] }));
    const { bed, letOthers, on } = world(["late"], workloads);
    for (let n = 0; n < 40 && on().length < 2; n += 1) await bed.cycle();
    letOthers();
    for (let n = 0; n < 40 && on().length < 4; n += 1) await bed.cycle();
    expect(on()).toEqual(["gateway", "gateway", "a", "b"]);
  });
});
