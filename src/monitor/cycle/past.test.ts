import { describe, expect, it } from "vitest";
import type { MetricSource } from "../kernel/observation.ts";
import { p95Latency } from "../signals/p95-latency/index.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import {
  CYCLE_MS,
  scriptedSource,
  signalOf,
  steep,
  targetOf,
  virtualTime,
  worldOf,
} from "./cycle.testkit.ts";

describe("samples from before an action", () => {
  const latency = targetOf("product-api", {
    signals: [signalOf(p95Latency), signalOf()],
  });

  it("are never used: one rate window longer for a windowed signal", async () => {
    const time = virtualTime();
    const climb = steep(time);
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [
        scriptedSource((_s, nowMs) => ({
          status: "ok",
          source: "s",
          value: climb(),
          timestampMs: nowMs - 5000,
        })),
      ],
      settings: { targets: [latency], cycleMs: 10_000 },
    });
    await w.loop.start();
    const tick = async () => {
      const report = await w.loop.tick();
      time.advance(10_000);
      return report.decisions.map((d) => d.reason);
    };
    let n = 0;
    while (w.fleet.effects.length === 0 && n++ < 20) await tick();
    const actedMs = w.fleet.effects[0]!.monoMs;
    const seen: string[][] = [];
    for (let k = 0; k < 8; k++) seen.push(await tick());
    // 10, 20, … s after the action, of samples 5 s older than that.
    expect(seen.map(([windowed]) => windowed)).toEqual([
      ...Array(6).fill("settling"),
      ...Array(2).fill("insufficient_samples"),
    ]);
    expect(seen.slice(0, 4).map(([, gauge]) => gauge)).toEqual(Array(4).fill("insufficient_samples"));
    expect(w.reported.cycles.at(-8)?.decisions[0]?.untilMs).toBe(
      w.reported.cycles.at(-8)!.at.wallMs + actedMs + 60_000 - w.reported.cycles.at(-8)!.at.monoMs,
    );
  });

  it("do not come back through the history of a restart, nor does what was seen during the call", async () => {
    const time = virtualTime();
    const store = createMemoryStore();
    const at = time.clock.now();
    const intent = {
      id: "i",
      kind: "mitigate",
      target: "product-api",
      signal: "memory",
      trigger: "strong" as const,
      predictor: "linear",
      forecast: 1,
      threshold: 1,
      epoch: store.epoch,
      at,
      bootId: time.clock.bootId,
    };
    store.recordIntent(intent);
    store.recordOutcome({ intentId: "i", status: "applied", instances: [], detail: "", at });
    time.advance(60_000);
    const history = Array.from({ length: 25 }, (_, i) => ({
      timestampMs: at.wallMs - 60_000 + 5000 * i,
      value: 100 + i,
    }));
    const w = worldOf({
      store,
      time,
      sources: [scriptedSource(() => 50, { history: () => history })],
    });
    await w.loop.start();
    const forecast = (await w.cycle()).decisions[0]?.verdicts[0]?.forecast;
    // From 15 s (an action's deadline) after the intent: 15, 20, … 60 s; the one of now is the newest of them.
    expect(forecast?.sampleCount).toBe(10);
  });
});

describe("warm-up", () => {
  const past = (time: ReturnType<typeof virtualTime>, ages: readonly number[]) => {
    const { wallMs } = time.clock.now();
    return ages.map((age) => ({ timestampMs: wallMs - age, value: 100 + (600_000 - age) * 0.02 }));
  };

  it("fills the window, so that the first cycle can speak, and takes no sample twice", async () => {
    const time = virtualTime();
    const ages = [150, 120, 90, 60, 30, 0].map((s) => 1000 * s);
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [scriptedSource(() => 12_100, { history: () => past(time, ages) })],
    });
    await w.loop.start();
    const first = await w.cycle();
    expect(first.decisions[0]?.verdicts[0]?.forecast).toMatchObject({ sampleCount: 6 });
    expect(first.decisions[0]?.reason).toBe("pre_timeout");
  });

  it("takes what there is: some series, out of order, sampleProblem left out", async () => {
    const time = virtualTime();
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [
        scriptedSource(() => 50, {
          history: (s) =>
            s.target.name === "b"
              ? []
              : [
                  ...past(time, [90_000, 120_000, 60_000, 30_000, -3_600_000]),
                  { timestampMs: time.clock.now().wallMs - 20_000, value: Number.NaN },
                ],
        }),
      ],
      settings: { targets: [targetOf("a"), targetOf("b")] },
    });
    await w.loop.start();
    await w.cycle();
    const { decisions } = await w.cycle();
    expect(decisions.map((d) => d.verdicts[0]?.forecast?.sampleCount)).toEqual([5, undefined]);
  });

  it("of a source that throws is told, and watching starts all the same", async () => {
    const bad = {
      ...scriptedSource(() => 5),
      history: async () => {
        throw new Error("query timed out");
      },
    };
    const w = worldOf({ store: createMemoryStore(), sources: [bad] });
    await w.loop.start();
    const report = await w.cycle();
    expect(w.reported.notices).toEqual([
      { event: "warm-up failed", fields: { source: "scripted", detail: "query timed out" } },
    ]);
    expect(report.decisions[0]?.reason).toBe("insufficient_samples");
  });

  it("of a source that answers short, or fails without an error, starts empty", async () => {
    for (const history of [async () => [], () => Promise.reject("just text")]) {
      const source = { ...scriptedSource(() => 5), history };
      const w = worldOf({ store: createMemoryStore(), sources: [source] });
      await w.loop.start();
      expect((await w.cycle()).decisions[0]?.reason).toBe("insufficient_samples");
    }
  });

  it("of a source that never answers is given up", async () => {
    const time = virtualTime();
    const deaf = { ...scriptedSource(() => 5), history: () => new Promise<never>(() => {}) };
    const w = worldOf({ store: createMemoryStore(), time, sources: [deaf] });
    const starting = w.loop.start();
    await Promise.resolve();
    time.advance(11_000);
    await starting;
    expect(w.reported.notices[0]?.fields.detail).toBe("gave no answer by the deadline");
  });

  it("asks the first source that has a past, over the window", async () => {
    const asked: number[] = [];
    const time = virtualTime();
    const source: MetricSource = {
      ...scriptedSource(() => 5, { name: "second" }),
      history: async ({ fromMs, toMs, stepMs, plan }) => {
        asked.push(toMs - fromMs, stepMs);
        return plan.map(() => []);
      },
    };
    const w = worldOf({ store: createMemoryStore(), time, sources: [scriptedSource(() => 5), source] });
    await w.loop.start();
    expect(asked).toEqual([20 * CYCLE_MS, CYCLE_MS]);
  });
});
