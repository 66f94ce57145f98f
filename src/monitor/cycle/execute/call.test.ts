import { describe, expect, it } from "vitest";
import type { Decision } from "../../kernel/decision.ts";
import type { Store } from "../../kernel/store.ts";
import { createMemoryDisk, createMemoryStore } from "../../store/memory/index.ts";
import { settingsOf, worldOf } from "../cycle.testkit.ts";
import { evidenceOf } from "../propose.ts";

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
    {
      predictor: "linear",
      forecast: undefined,
      probability: 0,
      trigger: undefined,
      noTriggerReason: "predictor_off",
    },
    {
      predictor: "trend",
      forecast: { predictor: "trend", value: 450, slopePerSecond: 1, sampleCount: 20 },
      probability: 1,
      trigger: "level",
      noTriggerReason: undefined,
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
      cause: "level",
      predictor: "trend",
      forecast: 450,
      threshold: 300,
      baseline: { value: 412, forecast: 450, slopePerSecond: 1 },
    });
    expect(evidenceOf({ ...decision, reason: "pre_timeout", trigger: "pre_timeout" }).threshold).toBe(5000);
  });

  it("names no forecast where there is none: neither the level of now nor zero stands in for it", () => {
    expect(evidenceOf({ ...decision, predictor: "linear" })).not.toMatchObject({
      forecast: expect.anything(),
    });
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
    expect(w.reported.notices.map((n) => n.fields.error)).toContain("cannot write: disk full");
    expect(inner.load().openIntents).toHaveLength(1);
    disk.failWrites = undefined;
    await w.cycle();
    expect(w.reported.reconciliations.map((r) => r.outcome)).toMatchObject([
      {
        status: "expired",
        detail: "never carried out, and auto_heal_off: acting was switched off",
      },
    ]);
    expect(inner.load().openIntents).toEqual([]);
    expect(w.fleet.effects).toEqual([]);
  });
});
