import { expect, it } from "vitest";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import { virtualTime, worldOf } from "./cycle.testkit.ts";

it("after state was lost, what people said since and the starts since outlive the next restart", async () => {
  const time = virtualTime();
  const disk = createMemoryDisk();
  const start = async () => {
    disk.crash();
    const w = worldOf({ store: createMemoryStore({ disk, clock: time.clock }), time });
    await w.loop.start();
    return w;
  };
  await start();
  disk.damage("checksum");
  const first = await start();
  first.loop.controls.pause({ by: "ana", reason: "find out why" });
  const { lostMonoMs } = first.loop.controls.guards;
  time.advance(400_000);
  const second = await start();
  expect(second.reported.notices[0]).toMatchObject({ event: "state quarantined, full cooldown assumed" });
  expect(second.loop.controls.guards).toMatchObject({ pause: { by: "ana" }, starts: [{}, {}] });
  // The budgets count as used up from the loss on, not from every later start.
  expect([lostMonoMs, second.loop.controls.guards.lostMonoMs]).toEqual([1_000_000, 1_000_000]);
  time.advance(400_000);
  expect((await second.cycles(6)).decisions[0]).toMatchObject({ act: false, reason: "paused" });
});
