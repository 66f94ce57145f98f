import { describe, expect, it } from "vitest";
import { createMemoryStore } from "../store/memory/index.ts";
import {
  CYCLE_MS,
  creeping,
  GUARDS,
  scriptedSource,
  settingsOf,
  steep,
  targetOf,
  virtualTime,
  worldOf,
} from "./cycle.testkit.ts";

describe("reconfigure", () => {
  it("keeps the window, risk and cooldown of what stays, and starts new targets empty", async () => {
    const time = virtualTime();
    const w = worldOf({ store: createMemoryStore(), time, sources: [scriptedSource(creeping(time))] });
    await w.loop.start();
    await w.cycles(5);
    w.loop.reconfigure(settingsOf({ targets: [targetOf("first"), targetOf()], linearWindow: 30 }));
    const { decisions } = await w.cycle();
    expect(decisions.map((d) => `${d.target} ${d.reason}`)).toEqual([
      "first insufficient_samples",
      "product-api confirmed",
    ]);
    expect(decisions[1]?.verdicts[0]?.forecast?.sampleCount).toBe(6);
  });

  it("keeps the newest samples when the window shrinks", async () => {
    const w = worldOf({ store: createMemoryStore(), settings: { autoHeal: false } });
    await w.loop.start();
    await w.cycles(25);
    w.loop.reconfigure(settingsOf({ autoHeal: false, linearWindow: 5 }));
    const forecast = (await w.cycle()).decisions[0]?.verdicts[0]?.forecast;
    expect(forecast?.sampleCount).toBe(5);
    expect(forecast?.slopePerSecond).toBeCloseTo(20, 6);
    expect(forecast?.r2).toBeCloseTo(1, 6);
  });

  it("takes a maintenance window at once: it outlasts a clock that is set back before the next cycle", async () => {
    const w = worldOf({ store: createMemoryStore() });
    await w.loop.start();
    await w.cycles(2);
    const { wallMs } = w.time.clock.now();
    const window = {
      name: "move",
      reason: "planned",
      target: "*",
      signal: "*",
      action: "*",
      when: { kind: "once", startsAtMs: wallMs, endsAtMs: wallMs + 20 * CYCLE_MS },
    } as const;
    w.loop.reconfigure(settingsOf({ guards: { ...GUARDS, maintenance: [window] } }));
    w.time.jumpWall(-86_400_000);
    const reports = [];
    for (let n = 0; n < 20; n += 1) reports.push(await w.cycle());
    // The samples of the other day are no past: a forecast takes its time.
    expect(reports.slice(14, 19).map(({ decisions }) => decisions[0]?.reason)).toEqual(
      Array(5).fill("maintenance_window"),
    );
    expect(w.fleet.effects).toEqual([]);
    await w.cycles(3);
    expect(w.fleet.effects).toHaveLength(1);
  });

  it("takes new sources from the next cycle on", async () => {
    const w = worldOf({ store: createMemoryStore() });
    await w.loop.start();
    await w.cycle();
    w.loop.reconfigure(settingsOf(), [scriptedSource(() => 7, { name: "new" })]);
    expect((await w.cycle()).decisions[0]).toMatchObject({ source: "new", current: 7 });
  });

  it("does not cut a cooldown short by dropping a target and bringing it back", async () => {
    const w = worldOf({ store: createMemoryStore() });
    await w.loop.start();
    await w.cycles(5);
    expect(w.fleet.effects).toHaveLength(1);
    w.loop.reconfigure(settingsOf({ targets: [targetOf("another")] }));
    await w.cycle();
    w.loop.reconfigure(settingsOf());
    await w.cycles(8);
    expect(w.reported.cycles.at(-1)?.decisions[0]?.cooldownActive).toBe(true);
    expect(w.fleet.effects.filter((c) => c.instance === "product-api:8000")).toHaveLength(1);
    await w.cycles(3);
    expect(w.fleet.effects.filter((c) => c.instance === "product-api:8000")).toHaveLength(2);
  });

  it("to no target at all watches nothing, and begins anew when targets come back", async () => {
    const w = worldOf({ store: createMemoryStore(), settings: { autoHeal: false } });
    await w.loop.start();
    await w.cycles(4);
    w.loop.reconfigure(settingsOf({ autoHeal: false, targets: [] }));
    const none = await w.cycle();
    expect(none.decisions).toEqual([]);
    expect(none.scores()).toEqual([]);
    w.loop.reconfigure(settingsOf({ autoHeal: false }));
    expect((await w.cycles(4)).decisions[0]?.reason).toBe("insufficient_samples");
    expect((await w.cycle()).decisions[0]?.reason).toBe("pre_timeout");
  });

  it("ends an open intent whose target is gone", async () => {
    const w = worldOf({ store: createMemoryStore() });
    w.fleet.answer = () => "unknown";
    await w.loop.start();
    await w.cycles(5);
    w.loop.reconfigure(settingsOf({ targets: [targetOf("another")] }));
    await w.cycle();
    expect(w.store.recent(1)[0]?.outcome).toMatchObject({
      status: "expired",
      detail: "its target is no longer configured",
    });
    expect(w.reported.reconciliations).toHaveLength(1);
  });

  it("in the middle of a call still gives the intent its one record, and brings no ghost back", async () => {
    const w = worldOf({ store: createMemoryStore() });
    w.fleet.answer = () => {
      w.loop.reconfigure(settingsOf({ targets: [targetOf("another")] }));
      return "applied";
    };
    await w.loop.start();
    await w.cycles(5);
    expect(w.store.recent(9).map((e) => e.outcome?.status)).toEqual(["applied"]);
    w.fleet.answer = () => "applied";
    w.loop.reconfigure(settingsOf());
    const report = await w.cycle();
    expect(report.decisions[0]?.reason).not.toBe("intent_unresolved");
    expect(w.reported.notices).toEqual([]);
  });

  it("does not disturb a tick that is waiting for its sources", async () => {
    const time = virtualTime();
    const gate = Promise.withResolvers<void>();
    const climb = steep(time);
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [
        {
          name: "slow",
          observe: async ({ plan, now }) => {
            await gate.promise;
            return plan.map(() => ({
              status: "ok" as const,
              source: "slow",
              value: climb(),
              timestampMs: now.wallMs,
            }));
          },
        },
      ],
    });
    await w.loop.start();
    const ticking = w.loop.tick();
    w.loop.reconfigure(settingsOf({ targets: [targetOf("another")] }));
    gate.resolve();
    const report = await ticking;
    expect(report.decisions.map((d) => d.target)).toEqual(["product-api"]);
    time.advance(CYCLE_MS);
    expect((await w.loop.tick()).decisions.map((d) => d.target)).toEqual(["another"]);
  });
});
