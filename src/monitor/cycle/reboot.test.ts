import { expect, test } from "vitest";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import { CYCLE_MS, createFleet, GUARDS, virtualTime, worldOf } from "./cycle.testkit.ts";

// Monotonic time begins anew when the machine boots.

test("a lost answer from before a reboot does not make the pause after it as long as the machine had been up", async () => {
  const disk = createMemoryDisk();
  const settings = { guards: { ...GUARDS, backoff: { factor: 2, maxMs: 3_600_000 } } };
  const before = virtualTime("boot-1", 70_000_000);
  const fleet = createFleet(before.clock);
  fleet.answer = () => "unknown";
  const store = createMemoryStore({ disk, clock: before.clock });
  const first = worldOf({ store, time: before, fleet, settings });
  while (fleet.calls.length === 0) await first.cycle();

  disk.crash();
  const time = virtualTime("boot-2", 5_000);
  const again = createFleet(time.clock);
  again.answer = ({ kind }) => (kind === "execute" ? "applied" : "unknown");
  const w = worldOf({
    store: createMemoryStore({ disk, clock: time.clock }),
    time,
    fleet: again,
    settings,
  });
  await w.loop.start();
  expect(w.store.recent(1)[0]?.outcome?.status).toBe("unknown");
  // It did not help, as far as can be seen: the pause is twice the cooldown, from the reboot on.
  const reasons = new Set<string>();
  const pausedMs = 600_000;
  for (let n = 0; n < (2 * pausedMs) / CYCLE_MS && again.effects.length === 0; n += 1)
    reasons.add((await w.cycle()).decisions[0]?.reason ?? "");
  expect(reasons).toContain("backoff_active");
  expect(again.effects[0]?.monoMs).toBeGreaterThanOrEqual(5_000 + pausedMs);
});
