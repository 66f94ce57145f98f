import { describe, expect, it } from "vitest";
import type { Decision } from "../kernel/decision.ts";
import type { Store } from "../kernel/store.ts";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import { type ActContext, evidenceOf, perform } from "./act.ts";
import { makeState } from "./state.ts";
import { createFleet, recordingReporter, settingsOf, targetOf, virtualTime, worldOf } from "./testbed.ts";

const decision: Decision = {
  target: "product-api",
  signal: "memory",
  act: true,
  reason: "level",
  trigger: "level",
  predictor: "trend",
  source: "scripted",
  current: 412,
  verdicts: [
    { predictor: "linear", forecast: undefined, probability: 0, trigger: undefined, quiet: "predictor_off" },
    {
      predictor: "trend",
      forecast: { predictor: "trend", value: 450, slopePerSecond: 1, sampleCount: 20 },
      probability: 1,
      trigger: "level",
      quiet: undefined,
    },
  ],
  slo: 300,
  limit: 5000,
  inRisk: true,
  cooldownActive: false,
  untilMs: undefined,
  detail: undefined,
};

describe("what an intent stands on", () => {
  it("is the rule that spoke, the forecast of its predictor, and the threshold that it speaks of", () => {
    expect(evidenceOf(decision)).toEqual({
      signal: "memory",
      trigger: "level",
      predictor: "trend",
      forecast: 450,
      threshold: 300,
    });
    expect(evidenceOf({ ...decision, reason: "pre_timeout", trigger: "pre_timeout" }).threshold).toBe(5000);
  });

  it("names no forecast where there is none: neither the level of now nor zero stands in for it", () => {
    expect(evidenceOf({ ...decision, predictor: "linear" })).not.toMatchObject({
      forecast: expect.anything(),
    });
  });
});

describe("in shadow mode", () => {
  it("an action is imagined with its cooldown, the taking back of one starts none", async () => {
    const { clock, deadline } = virtualTime();
    const fleet = createFleet(clock);
    const target = targetOf("product-api", { autoHeal: false });
    const state = makeState(settingsOf({ targets: [target] }));
    const store = createMemoryStore({ clock });
    const ctx: ActContext = {
      ports: {
        clock,
        deadline,
        store,
        sources: [],
        actions: new Map([[fleet.kind, fleet]]),
        reporter: recordingReporter(),
        newId: () => "x",
      },
      state,
      present: () => ({ state, stopping: false }),
    };
    const order = (origin: object) => ({
      draft: {
        id: "i",
        kind: "mitigate",
        target: target.name,
        signal: "memory",
        trigger: "alert" as const,
        predictor: "alertmanager",
        origin: { playbook: "p", run: "r", step: 0, ...origin },
      },
      on: target,
      now: clock.now(),
    });
    const imaginedAt = () => state.known.get(target.name)?.lastShadowMonoMs;
    expect(await perform(order({ undoes: "i" }), ctx)).toMatchObject({ mode: "shadow", outcome: undefined });
    expect(imaginedAt()).toBeUndefined();
    expect(await perform(order({}), ctx)).toMatchObject({ mode: "shadow", outcome: undefined });
    expect(imaginedAt()).toBe(clock.now().monoMs);
    expect([fleet.calls, store.recent(9)]).toEqual([[], []]);
  });
});

describe("a plan that is dropped just before its call", () => {
  it("stays open while the journal cannot take its end, and is ended, not called, when it can", async () => {
    const disk = createMemoryDisk();
    const inner = createMemoryStore({ disk });
    const store: Store = {
      ...inner,
      recordIntent(intent) {
        inner.recordIntent(intent);
        w.loop.reconfigure(settingsOf({ autoHeal: false }));
        disk.failWrites = "disk full";
      },
    };
    const w: ReturnType<typeof worldOf> = worldOf({ store });
    await w.loop.start();
    const report = await w.cycles(5);
    expect(report.actions[0]).toMatchObject({ mode: "auto", outcome: undefined });
    expect(w.told.notices.map((n) => n.fields.error)).toContain("cannot write: disk full");
    expect(inner.load().openIntents).toHaveLength(1);
    disk.failWrites = undefined;
    await w.cycle();
    expect(w.told.reconciliations.map((r) => r.outcome)).toMatchObject([
      {
        status: "expired",
        detail: "never carried out, and auto_heal_off: acting was switched off",
      },
    ]);
    expect(inner.load().openIntents).toEqual([]);
    expect(w.fleet.effects).toEqual([]);
  });
});
