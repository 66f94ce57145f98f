import { afterEach, beforeEach, expect, test } from "vitest";
import { setStage } from "./kit/scenarios.ts";
import { createWorld, type World } from "./kit/world.ts";

/** How long the service is watched, seconds. */
const WATCH_S = 60;
/** Small latencies that come and go, milliseconds: the P95 of a service that shares its machine. */
const JITTER_MS = [8, 35, 15, 50, 22, 5, 41, 12, 28, 60];

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

test("a healthy service under noisy load is left alone", async () => {
  const { service, monitor } = await setStage(world);
  const from = monitor.cycles().length;
  const end = performance.now() + 1000 * WATCH_S;
  for (let n = 0; performance.now() < end; n += 1) {
    await service.inject(`mode=latency&inc=${JITTER_MS[n % JITTER_MS.length]}`);
    // Bursts of customers beside the steady ones.
    const burst = world.load(service.url, 5 + 20 * (n % 3));
    await monitor.moreCycles(2 + (n % 3));
    await burst.stop();
    await service.mitigateByHand();
  }

  const watched = monitor.series("p95_latency").slice(from);
  expect(watched.length).toBeGreaterThanOrEqual(WATCH_S - 5);
  // It really was noisy, and really was looked at in every cycle.
  const seen = watched.flatMap((s) => (s.current === null ? [] : [s.current]));
  expect(seen.length).toBe(watched.length);
  expect(Math.max(...seen) / Math.min(...seen)).toBeGreaterThan(3);
  expect(Math.max(...seen)).toBeLessThan(300);
  const metrics = await monitor.metrics();
  expect(metrics.value("predict_cycles_total")).toBeGreaterThanOrEqual(watched.length);
  expect(metrics.value("predict_mitigations_total")).toBe(0);
  expect(monitor.process.lines.filter((line) => /^mitigation/.test(line.message ?? ""))).toEqual([]);
  expect(service.autoMitigations()).toEqual([]);
});
