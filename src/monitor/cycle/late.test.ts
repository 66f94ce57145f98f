import { expect, test } from "vitest";
import type { Action, Intent } from "../kernel/action.ts";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import {
  CYCLE_MS,
  createFleet,
  scriptedSource,
  settingsOf,
  targetOf,
  virtualTime,
  worldOf,
} from "./cycle.testkit.ts";

// A process that stands still between its last look and the call makes the call late.

test("a call that a standstill made late begins the cooldown at its end, also after a restart", async () => {
  const time = virtualTime();
  const disk = createMemoryDisk();
  const fleet = createFleet(time.clock);
  const heldUpMs = 250_000;
  const late: Action = {
    ...fleet,
    async execute(intent, instance, signal) {
      if (fleet.effects.length === 0) time.advance(heldUpMs);
      return fleet.execute(intent, instance, signal);
    },
  };
  let level = 100;
  const source = scriptedSource(() => {
    level += 600;
    return level;
  });
  const open = () =>
    worldOf({
      store: createMemoryStore({ disk, clock: time.clock }),
      time,
      fleet,
      sources: [source],
      ports: { actions: new Map([["mitigate", late]]) },
    });
  let w = open();
  while (fleet.effects.length === 0) await w.cycle();
  const end = fleet.effects[0]?.monoMs ?? 0;
  disk.crash();
  w = open();
  await w.loop.start();
  level = 100;
  while (fleet.effects.length === 1) await w.cycle();
  const apart = (fleet.effects[1]?.monoMs ?? 0) - end;
  expect(apart).toBeGreaterThanOrEqual(300_000);
  expect(apart).toBeLessThanOrEqual(300_000 + 3 * CYCLE_MS);
});

test("a call of an earlier life that never arrived is not made at a start while its target is silenced", async () => {
  const time = virtualTime();
  const disk = createMemoryDisk();
  const fleet = createFleet(time.clock);
  const open = () => {
    disk.crash();
    return worldOf({ store: createMemoryStore({ disk, clock: time.clock }), time, fleet });
  };
  fleet.answer = ({ kind }) => (kind === "execute" ? "unknown" : "applied");
  const first = open();
  while (fleet.calls.length === 0) await first.cycle();
  const { wallMs } = time.clock.now();
  const all = { target: "product-api", signal: "*", action: "*", author: "ana", reason: "known" };
  first.loop.controls.silence({ ...all, startsAtMs: wallMs, endsAtMs: wallMs + 3_600_000 });
  const second = open();
  await second.loop.start();
  expect(fleet.calls.map(({ kind }) => kind)).toEqual(["execute", "reconcile"]);
  expect(second.store.recent(1)[0]?.outcome).toMatchObject({
    status: "expired",
    detail: expect.stringMatching(/guard_closed: silenced/),
  });
});

test("a call that is over at once leaves the cooldown where its intent began it", async () => {
  const w = worldOf({ store: createMemoryStore() });
  while (w.fleet.effects.length === 0) await w.cycle();
  const [entry] = w.store.recent(1);
  const [last] = w.store.load().lastActions;
  expect(last?.at).toEqual(entry?.intent.at);
});

test.each([
  ["arrives after all", true, { status: "applied" }, "already_applied"],
  ["never arrives", false, { status: "unknown", detail: "no answer before the intent expired" }, "unknown"],
])(
  "what one of two instances never saw so far is no failure yet: it %s",
  async (_what, arrives, ended, b) => {
    const instances = ["a", "b"].map((name) => ({ name, url: `http://${name}:8000` }));
    const settings = { targets: [targetOf("product-api", { instances })] };
    const w = worldOf({ store: createMemoryStore(), settings });
    w.fleet.answer = ({ kind, instance }) => {
      if (kind === "execute") return instance === "a" ? "lost" : "unknown";
      return instance === "a" ? "applied" : "failed";
    };
    while (w.fleet.calls.length === 0) await w.cycle();
    // Nothing is called again, so it is only asked for.
    w.loop.reconfigure(settingsOf({ ...settings, autoHeal: false }));
    await w.cycle();
    expect(w.store.recent(1)[0]?.outcome).toBeUndefined();
    if (arrives) {
      const [intent] = w.store.load().openIntents;
      w.fleet.answer = () => "applied";
      await w.fleet.execute(intent as Intent, { name: "b", url: "" }, new AbortController().signal);
    }
    await w.cycles(3);
    expect(w.store.recent(1)[0]?.outcome).toMatchObject({
      ...ended,
      instances: [
        { instance: "a", status: "already_applied" },
        { instance: "b", status: b },
      ],
    });
  },
);
