import { describe, expect, it } from "vitest";
import { CYCLE_MS, type Said, scriptedSource, targetOf, virtualTime, worldOf } from "../cycle/testbed.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import type { ClosingWorld } from "./closing.testkit.ts";
import { CLOSINGS } from "./closings.testkit.ts";
import { GUARDS } from "./index.ts";

// Each closing does close its guard, and only that one, for the asker and for what is called; and a loop goes on without it.

const WORKLOAD: ActionTarget = {
  name: "workload",
  instances: [{ name: "default/workload", url: "http://kubernetes" }],
  cooldownMs: 300_000,
  autoHeal: true,
};

/** A playbook of `shop` that acts on `cache` and on a workload that is not under watch. */
function bed() {
  const time = virtualTime();
  let climbsFrom: number | undefined;
  const level = (): Said =>
    climbsFrom === undefined ? 100 : 100 + 0.02 * (time.clock.now().monoMs - climbsFrom);
  const sources = [scriptedSource(({ target }) => (target.name === "shop" ? level() : 100))];
  const [shop, cache] = [targetOf("shop"), targetOf("cache")];
  const step = (on: ActionTarget) => ({ kind: "mitigate", on, parameters: {}, preconditions: [] });
  const playbook = {
    name: "across",
    alert: { name: "ShopSlow", labels: {} },
    forecast: { target: "shop", signal: "memory" },
    steps: [step(cache), step(WORKLOAD)],
    undoOnResolved: false,
  };
  const world: ClosingWorld = {
    ...worldOf({
      store: createMemoryStore({ clock: time.clock }),
      time,
      sources,
      settings: { targets: [shop, cache], playbooks: [playbook] },
    }),
    sources,
  };
  const { loop, fleet } = world;
  const asks = {
    person: () => void loop.controls.request({ target: "shop", playbook: "across", by: "rui", reason: "r" }),
    alert: () => {
      const now = time.clock.now();
      const labels = { alertname: "ShopSlow", job: "shop" };
      const about = { fingerprint: "f1", name: "ShopSlow", labels, status: "firing" as const };
      loop.ingestAlerts([{ ...about, startsAtMs: now.wallMs, heardAt: now, bootId: time.clock.bootId }]);
    },
    forecast: () => {
      climbsFrom = time.clock.now().monoMs;
    },
  };
  const called = () =>
    fleet.calls.filter(({ kind }) => kind === "execute").map(({ intent }) => intent.target);
  /** What is said of the playbook the first time that it is asked for, and whom is called. */
  const ask = async (cause: keyof typeof asks) => {
    const before = called().length;
    asks[cause]();
    for (let n = 0; n < 8; n += 1) {
      const { playbooks } = await world.cycle();
      const said = playbooks.find((p) => p.playbook === "across");
      if (said !== undefined) return { said, called: called().slice(before) };
    }
    throw new Error("it was never asked for");
  };
  return { world, ask };
}

const CAUSES = ["person", "alert", "forecast"] as const;

describe.each(GUARDS)("closing $name", ({ name, looksAt }) => {
  for (const who of ["shop", "cache", "workload"])
    it.each(CAUSES)(`for ${who} blocks the playbook that a %s asks for`, async (cause) => {
      const { world, ask } = bed();
      await world.loop.start();
      await CLOSINGS[name]?.(world, who);
      const { said, called } = await ask(cause);
      expect(called).toEqual([]);
      // The data of what is not under watch is the fleet's.
      const fleet = looksAt.includes("fleet") || (name === "data_partial" && who === "workload");
      expect(said).toMatchObject({ act: false, reason: name, heldBy: fleet ? "shop" : who });
    });
});

describe("a world in which nothing is closed", () => {
  it.each(CAUSES)("carries out the playbook that a %s asks for", async (cause) => {
    const { world, ask } = bed();
    await world.loop.start();
    await world.cycles(4);
    world.time.advance(CYCLE_MS);
    const { said, called } = await ask(cause);
    expect(said).toMatchObject({ act: true });
    expect(called).toEqual(["cache", "workload"]);
  });

  it("is closed by one closing for each guard there is", () => {
    expect(Object.keys(CLOSINGS)).toEqual(GUARDS.map(({ name }) => name));
  });
});
