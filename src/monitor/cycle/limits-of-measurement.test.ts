import { describe, expect, it } from "vitest";
import type { Observation } from "../kernel/observation.ts";
import type { Signal } from "../kernel/signal.ts";
import { explain } from "../rules/explain.ts";
import { errorRate } from "../signals/error-rate/index.ts";
import { p95Latency } from "../signals/p95-latency/index.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import { type Said, scriptedSource, targetOf, virtualTime, worldOf } from "./cycle.testkit.ts";

const WHY = "the buckets of d end at 250 ms";

async function watch(
  say: (cycle: number, nowMs: number) => Said,
  options: { readonly cycles: number; readonly signal?: Signal },
) {
  const time = virtualTime();
  let cycle = 0;
  const source = scriptedSource((_, nowMs) => say(cycle, nowMs));
  const target = targetOf("app", {
    signals: [options.signal ?? p95Latency.create({ slo: 300, limit: 5000 })],
  });
  const w = worldOf({ store: createMemoryStore(), time, sources: [source], settings: { targets: [target] } });
  await w.loop.start();
  for (; cycle < options.cycles - 1; cycle++) await w.cycle();
  const report = await w.cycle();
  const [decision] = report.decisions;
  if (decision === undefined) throw new Error("no decision");
  return { w, decision, observation: report.observations[0] };
}

const atLeast = (value: number, nowMs: number, more: object = {}): Observation => ({
  status: "ok",
  source: "scripted",
  value,
  timestampMs: nowMs,
  atLeast: WHY,
  ...more,
});

describe("a value of which only a least is known", () => {
  it("does not tell whether an SLO above it is kept, and says what would", async () => {
    const { decision } = await watch((_, nowMs) => atLeast(250, nowMs), { cycles: 8 });
    expect(decision).toMatchObject({ act: false, reason: "data_invalid", current: undefined, inRisk: false });
    expect(decision.detail).toBe(
      `scripted: at least 250, which does not tell whether the SLO 300 is kept: ${WHY}; measure with a bucket at the SLO and more up to the limit 5000`,
    );
  });

  it.each([300, 2500])("of %d is over an SLO of 300, and when it lasts is acted on", async (value) => {
    const first = await watch((_, nowMs) => atLeast(value, nowMs), { cycles: 3 });
    expect(first.decision).toMatchObject({
      act: false,
      reason: "awaiting_confirmation",
      inRisk: true,
      atLeast: true,
    });
    expect(explain(first.decision)).toMatch(
      `not acting: the SLO 300 is exceeded (at least ${value} now) and has to stay so (${WHY})`,
    );
    expect(first.w.fleet.calls).toEqual([]);
    const later = await watch((_, nowMs) => atLeast(value, nowMs), { cycles: 4 });
    expect(later.decision).toMatchObject({ act: true, reason: "level", predictor: "trend" });
    expect(explain(later.decision)).toContain(`the SLO 300 is exceeded (at least ${value} now)`);
    expect(later.w.fleet.calls).toHaveLength(1);
  });

  it("that does not last is not acted on", async () => {
    const say = (cycle: number, nowMs: number): Said => (cycle % 3 === 2 ? 100 : atLeast(2500, nowMs));
    expect((await watch(say, { cycles: 30 })).w.fleet.calls).toEqual([]);
  });

  it("is no sample of any line: one exact value after it is the first", async () => {
    const say = (cycle: number, nowMs: number): Said => (cycle === 2 ? 100 : atLeast(300, nowMs));
    const { decision } = await watch(say, { cycles: 3 });
    expect(decision.verdicts.map((v) => v.forecast?.sampleCount)).toEqual([undefined, 1]);
  });

  it("has to last longer where its rate window is longer", async () => {
    const say = (_: number, nowMs: number) => atLeast(2500, nowMs, { windowMs: 240_000 });
    expect((await watch(say, { cycles: 12 })).decision.reason).toBe("awaiting_confirmation");
    expect((await watch(say, { cycles: 13 })).decision.reason).toBe("level");
  });
});

describe("a share", () => {
  const share = errorRate.create({ trend: false });

  it("is never forecast to be more than 1", async () => {
    const { decision } = await watch((cycle) => 0.15 * cycle, { cycles: 5, signal: share });
    for (const { forecast } of decision.verdicts)
      for (const value of [forecast?.value, forecast?.high]) expect(value ?? 0).toBeLessThanOrEqual(1);
    expect(decision.verdicts[0]?.forecast?.value).toBe(1);
  });

  it("that is larger than there can be is no measurement; a hair more is the inexactness of rates", async () => {
    const { decision } = await watch(() => 3.72, { cycles: 1, signal: share });
    expect(decision).toMatchObject({ reason: "data_invalid" });
    expect(decision.detail).toContain("value 3.72 is larger than there can be, 1");
    expect((await watch(() => 1.02, { cycles: 1, signal: share })).decision.current).toBe(1);
  });
});

describe("samples that come late", () => {
  it("are waited for before an action is called inconclusive", async () => {
    const time = virtualTime();
    const startMs = time.clock.now().monoMs;
    const slow = () => 0.001 * (time.clock.now().monoMs - startMs);
    // Climbs until it is acted on; then the old samples linger, and only minutes later new ones come.
    let actedMs = Number.POSITIVE_INFINITY;
    const source = scriptedSource((_, nowMs) => {
      const ageMs = time.clock.now().monoMs - actedMs;
      if (ageMs < 0) return 100 + 20 * slow();
      if (ageMs < 420_000)
        return { ...atLeast(0, nowMs - ageMs - 1000), value: 900, atLeast: undefined } as never;
      return 50;
    });
    const target = targetOf("app", { signals: [p95Latency.create({ slo: 300, limit: 5000 })] });
    const verdicts = [];
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [source],
      settings: { targets: [target], maxSampleAgeMs: 300_000 },
    });
    await w.loop.start();
    for (let n = 0; n < 60 && verdicts.length === 0; n++) {
      const report = await w.cycle();
      if (w.fleet.calls.length > 0) actedMs = Math.min(actedMs, w.fleet.calls[0]?.monoMs ?? 0);
      verdicts.push(...report.verified.map(({ outcome }) => outcome));
    }
    expect(verdicts).toEqual(["recovered"]);
  });
});
