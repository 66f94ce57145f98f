import { expect, test } from "vitest";
import type { Action } from "../domain/action.ts";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import { CYCLE_MS, createFleet, scriptedSource, virtualTime, worldOf } from "./testbed.ts";

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

test("a call that is over at once leaves the cooldown where its intent began it", async () => {
  const w = worldOf({ store: createMemoryStore() });
  while (w.fleet.effects.length === 0) await w.cycle();
  const [entry] = w.store.recent(1);
  const [last] = w.store.load().lastActions;
  expect(last?.at).toEqual(entry?.intent.at);
});
