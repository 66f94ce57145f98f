import { globSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { actionPlugins } from "../actions/index.ts";
import type { Closing, ClosingWorld } from "../guards/closing.testkit.ts";
import { GUARDS } from "../guards/index.ts";
import type { ActionTarget } from "../kernel/containment.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import {
  CYCLE_MS,
  createFleet,
  type Said,
  scriptedSource,
  targetOf,
  virtualTime,
  worldOf,
} from "./cycle.testkit.ts";

// Every guard × every kind of action × who asked. The lists are the registries: a guard or a kind that is added later is
// in here without a line written. Its folder has to say what closes it (`closed.testkit.ts`), or this fails.

const FOLDER = `${import.meta.dirname}/../guards`;
const CLOSINGS: Readonly<Record<string, Closing>> = Object.assign(
  {},
  ...(await Promise.all(
    globSync("*/closed.testkit.ts", { cwd: FOLDER }).map(
      async (file) => ((await import(`${FOLDER}/${file}`)) as { closings: object }).closings,
    ),
  )),
);
const KINDS = actionPlugins.map(({ kind }) => kind);

const WORKLOAD: ActionTarget = {
  name: "workload",
  instances: [{ name: "default/workload", url: "http://kubernetes" }],
  cooldownMs: 300_000,
  autoHeal: true,
};

/** A playbook of `shop` that acts by `kind` on `cache` and on a workload that is not under watch. */
function bed(kind = "mitigate", shadow: readonly string[] = []) {
  const time = virtualTime();
  const fleet = createFleet(time.clock);
  let climbsFrom: number | undefined;
  const level = (): Said =>
    climbsFrom === undefined ? 100 : 100 + 0.02 * (time.clock.now().monoMs - climbsFrom);
  const sources = [scriptedSource(({ target }) => (target.name === "shop" ? level() : 100))];
  const watched = (name: string) => targetOf(name, { autoHeal: !shadow.includes(name) });
  const [shop, cache] = [watched("shop"), watched("cache")];
  const workload = { ...WORKLOAD, autoHeal: !shadow.includes("workload") };
  const step = (on: ActionTarget) => ({ kind, on, parameters: {}, preconditions: [] });
  const playbook = {
    name: "across",
    alert: { name: "ShopSlow", labels: {} },
    forecast: { target: "shop", signal: "memory" },
    steps: [step(cache), step(workload)],
    undoOnResolved: false,
  };
  const world: ClosingWorld = {
    ...worldOf({
      store: createMemoryStore({ clock: time.clock }),
      time,
      sources,
      fleet,
      settings: { targets: [shop, cache], playbooks: [playbook] },
      ports: { actions: new Map(KINDS.map((k) => [k, { ...fleet, kind: k }])) },
    }),
    sources,
  };
  const { loop } = world;
  const asks = {
    person: () => void loop.controls.request({ target: "shop", playbook: "across", by: "rui", reason: "r" }),
    alert: () => {
      const now = time.clock.now();
      const labels = { alertname: "ShopSlow", job: "shop" };
      const about = { fingerprint: "f1", name: "ShopSlow", labels, status: "firing" as const };
      loop.ingestAlerts([{ ...about, startsAtMs: now.wallMs, receivedAt: now, bootId: time.clock.bootId }]);
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

describe.each(GUARDS)("closing $kind", ({ kind: name, looksAt }) => {
  for (const who of ["shop", "cache", "workload"])
    describe(`for ${who}`, () => {
      it.each(CAUSES.flatMap((cause) => KINDS.map((kind) => ({ cause, kind }))))(
        "blocks $kind that a $cause asks for",
        async ({ cause, kind }) => {
          const { world, ask } = bed(kind);
          await world.loop.start();
          await CLOSINGS[name]?.(world, who);
          const { said, called } = await ask(cause);
          expect(called).toEqual([]);
          // The data of what is not under watch is the fleet's.
          const fleet = looksAt.includes("fleet") || (name === "data_partial" && who === "workload");
          expect(said).toMatchObject({ act: false, reason: name, blockedBy: fleet ? "shop" : who });
        },
      );
    });
});

describe("auto_heal: false", () => {
  for (const who of ["shop", "cache", "workload"])
    it.each(CAUSES.flatMap((cause) => KINDS.map((kind) => ({ cause, kind }))))(
      `of ${who} only imagines $kind that a $cause asks for`,
      async ({ cause, kind }) => {
        const { world, ask } = bed(kind, [who]);
        await world.loop.start();
        await world.cycles(2);
        expect(await ask(cause)).toMatchObject({ said: { act: true }, called: [] });
        expect(world.reported.actions.map(({ mode }) => mode)).toEqual(["shadow", "shadow"]);
      },
    );
});

describe("where nothing is closed", () => {
  it.each(CAUSES.flatMap((cause) => KINDS.map((kind) => ({ cause, kind }))))(
    "$kind that a $cause asks for is carried out",
    async ({ cause, kind }) => {
      const { world, ask } = bed(kind);
      await world.loop.start();
      await world.cycles(4);
      world.time.advance(CYCLE_MS);
      const { said, called } = await ask(cause);
      expect(said).toMatchObject({ act: true });
      expect(called).toEqual(["cache", "workload"]);
    },
  );

  it("there is one closing for each guard", () => {
    expect(Object.keys(CLOSINGS).toSorted()).toEqual(GUARDS.map(({ kind }) => kind).toSorted());
  });
});
