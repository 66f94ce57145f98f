import { afterEach, beforeEach, expect, test } from "vitest";
import { injectAndHeal, settled } from "../e2e/kit/scenarios.ts";
import { createWorld, quickConfig, type World } from "../e2e/kit/world.ts";
import { waitFor } from "../setup/ports.ts";
import { standStill } from "../setup/stand-still.ts";

// Who may act when there are two monitors, and what a monitor does that was held up.

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

/** 50 ms a second for 100 s, up to the cap. */
const LASTING = { name: "ramp", query: "mode=latency&inc=5000&over=100" } as const;

test("two monitors with journals of their own: from the newer one's first call on, the older is refused", async () => {
  const service = await world.service();
  world.load(service.url);
  const targets = [{ name: "product-api", url: service.url }];
  const older = await world.monitor({ config: quickConfig({ targets, cooldownS: 5 }), data: "older" });
  await settled(older);
  const first = await injectAndHeal({ service, monitor: older }, LASTING);
  expect(first.event.outcome).toBe("applied");

  // The older one holds while the newer one learns and acts.
  await standStill(older.process.pid);
  const newer = await world.monitor({ config: quickConfig({ targets, cooldownS: 600 }), data: "newer" });
  await settled(newer);
  const second = await injectAndHeal({ service, monitor: newer }, LASTING);
  expect(second.event.outcome).toBe("applied");
  expect(Number(second.served.epoch)).toBeGreaterThan(Number(first.served.epoch));

  older.process.signal("SIGCONT");
  const before = service.autoMitigations().length;
  await service.inject(LASTING.query);
  const refused = await older.process.line("mitigation refused", { timeoutMs: 90_000 });
  expect(refused.outcome_detail).toMatch(/a newer monitor has taken over .*409/);
  expect(service.autoMitigations()).toHaveLength(before);
  expect(await service.faults()).toHaveProperty("latency");
  const audit = service.process.all("admin call refused").filter((line) => line.status === 409);
  expect(audit.length).toBeGreaterThan(0);
  expect(audit[0]?.error).toBe(
    `epoch ${first.served.epoch} is older than ${second.served.epoch}: a newer monitor has taken over`,
  );
});

test("a monitor that stood still takes up its beat: what it missed is counted, nothing is made up for at once", async () => {
  const service = await world.service();
  world.load(service.url);
  const targets = [{ name: "product-api", url: service.url }];
  const monitor = await world.monitor({ config: quickConfig({ targets }) });
  await settled(monitor);
  const stoodStillMs = 12_000;
  await standStill(monitor.process.pid);
  // While it looks away the service goes bad at once, far beyond every limit.
  await service.inject("mode=latency&inc=5000");
  await new Promise((resolve) => setTimeout(resolve, stoodStillMs));
  const from = monitor.cycles().length;
  monitor.process.signal("SIGCONT");
  await monitor.moreCycles(6);
  const beats = monitor
    .cycles()
    .slice(from)
    .map((line) => Date.parse(String(line.ts)));
  // Made up for, twelve cycles would come at once; after the first one they come at their beat, a second apart.
  expect(Number(beats[5]) - Number(beats[1])).toBeGreaterThan(2_500);
  const missed = (await monitor.metrics()).value("predict_cycles_missed_total") ?? 0;
  expect(missed).toBeGreaterThanOrEqual(0.7 * (stoodStillMs / 1000));
  // Its window has a hole now: it judges on what is fresh, and in the end heals once.
  await waitFor(() => service.autoMitigations().length === 1, { what: "the mitigation", timeoutMs: 60_000 });
});
