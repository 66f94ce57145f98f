import { describe, expect, it } from "vitest";
import type { MetricSource, Observation } from "../kernel/observation.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import { creeping, scriptedSource, steep, targetOf, virtualTime, worldOf } from "./cycle.testkit.ts";

const TWO = [targetOf("a"), targetOf("b")];

async function one(sources: readonly MetricSource[], targets = TWO) {
  const w = worldOf({ store: createMemoryStore(), sources, settings: { targets } });
  await w.loop.start();
  return { w, report: await w.cycle() };
}

describe("a source", () => {
  it("that throws has not answered, and its words are in the decision", async () => {
    const broken: MetricSource = {
      name: "broken",
      observe: () => {
        throw new Error("socket hang up");
      },
    };
    const { report } = await one([broken]);
    expect(report.decisions.map((d) => [d.reason, d.detail])).toEqual([
      ["data_unreachable", "broken: socket hang up"],
      ["data_unreachable", "broken: socket hang up"],
    ]);
    expect(report.sources[0]).toMatchObject({
      name: "broken",
      ok: 0,
      unreachable: 2,
      detail: "socket hang up",
    });
  });

  it("that rejects with something that is no error is told of all the same", async () => {
    const odd: MetricSource = { name: "odd", observe: () => Promise.reject("just text") };
    expect((await one([odd])).report.decisions[0]?.detail).toBe("odd: just text");
  });

  it("that answers short or long has not answered", async () => {
    const ok: Observation = { status: "ok", source: "short", value: 1, timestampMs: 0 };
    for (const answer of [[ok], [ok, ok, ok]]) {
      const { report } = await one([{ name: "short", observe: async () => answer }]);
      expect(report.decisions.map((d) => d.reason)).toEqual(["data_unreachable", "data_unreachable"]);
      expect(report.decisions[0]?.detail).toContain(`answered ${answer.length} of 2 series`);
    }
  });

  it("that gives up at its deadline is heard; the tick does not wait longer", async () => {
    const time = virtualTime();
    const polite: MetricSource = {
      name: "polite",
      observe: ({ plan, signal }) =>
        new Promise((resolve) =>
          signal.addEventListener("abort", () =>
            resolve(plan.map(() => ({ status: "unreachable", source: "polite", detail: "deadline" }))),
          ),
        ),
    };
    const w = worldOf({ store: createMemoryStore(), time, sources: [polite] });
    await w.loop.start();
    const ticking = w.loop.tick();
    time.advance(10_000);
    const report = await ticking;
    expect(report.decisions[0]?.detail).toBe("polite: deadline");
    expect(report.durationMs).toBe(10_000);
  });

  it("that never answers, deadline or not, is left behind, and the other one speaks", async () => {
    const time = virtualTime();
    const deaf: MetricSource = { name: "deaf", observe: () => new Promise(() => {}) };
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [deaf, scriptedSource(() => 42)],
    });
    await w.loop.start();
    const ticking = w.loop.tick();
    await new Promise(setImmediate);
    time.advance(11_000);
    const report = await ticking;
    expect(report.decisions[0]).toMatchObject({ current: 42, source: "scripted" });
    expect(report.sources[0]).toMatchObject({ name: "deaf", unreachable: 1 });
    expect(report.sources[0]?.detail).toBe("gave no answer by the deadline");
  });

  it("steps in for another series by series, never mixing within one", async () => {
    const first = scriptedSource((s) => (s.target.name === "a" ? 1 : undefined), { name: "first" });
    const second = scriptedSource(() => 2, { name: "second" });
    const { report } = await one([first, second]);
    expect(report.decisions.map((d) => [d.current, d.source])).toEqual([
      [1, "first"],
      [2, "second"],
    ]);
    expect(report.sources.map((s) => [s.name, s.ok, s.missing, s.detail])).toEqual([
      ["first", 1, 1, undefined],
      ["second", 2, 0, undefined],
    ]);
  });

  it("when all fail, the preferred one's reason stands, with everyone's words", async () => {
    const stale = scriptedSource(() => ({ status: "stale", source: "first", detail: "95 s old" }), {
      name: "first",
    });
    const second = scriptedSource(() => undefined, { name: "second" });
    const { report } = await one([stale, second]);
    expect(report.decisions[0]).toMatchObject({
      reason: "data_stale",
      detail: "first: 95 s old; second: no such series",
    });
  });

  it("there must be one: without any, nothing is known", async () => {
    const { report } = await one([]);
    expect(report.decisions[0]).toMatchObject({
      reason: "data_unreachable",
      detail: "no source is configured",
    });
  });

  it.each([
    ["NaN", { value: Number.NaN }],
    ["larger than any measurement", { value: 2 ** 53 }],
    ["infinite", { value: Number.POSITIVE_INFINITY }],
    ["negative", { value: -1 }],
    ["without a time", { timestampMs: Number.NaN }],
    ["from the future", { timestampMs: 1_760_000_000_000 + 86_400_000 }],
  ])("whose value is %s is not believed, and the next one is asked", async (_name, over) => {
    const lying = scriptedSource(
      (_s, timestampMs) => ({ status: "ok", source: "lying", value: 5, timestampMs, ...over }),
      { name: "lying" },
    );
    expect((await one([lying])).report.decisions[0]?.reason).toBe("data_invalid");
    const { report } = await one([lying, scriptedSource(() => 7)]);
    expect(report.decisions[0]).toMatchObject({ current: 7, source: "scripted" });
    expect(report.sources[0]).toMatchObject({ invalid: 2, ok: 0 });
  });

  it("that is not believed cannot confirm: sampleProblem between two good cycles breaks the row", async () => {
    const time = virtualTime();
    const value = creeping(time);
    let sampleProblem = false;
    const w = worldOf({
      store: createMemoryStore(),
      time,
      sources: [scriptedSource(() => (sampleProblem ? Number.NaN : value()))],
    });
    await w.loop.start();
    await w.cycles(5);
    sampleProblem = true;
    expect((await w.cycle()).decisions[0]?.reason).toBe("data_invalid");
    sampleProblem = false;
    expect((await w.cycle()).decisions[0]?.reason).toBe("awaiting_confirmation");
    expect(w.fleet.calls).toEqual([]);
  });
});

describe("the wall clock", () => {
  it.each([86_400_000, -86_400_000])("jumping by %d ms changes no cooldown", async (jump) => {
    const w = worldOf({ store: createMemoryStore() });
    await w.loop.start();
    await w.cycles(5);
    w.time.jumpWall(jump);
    for (let n = 0; n < 20 && w.fleet.effects.length < 2; n++) await w.cycle();
    const gap = w.fleet.effects[1]!.monoMs - w.fleet.effects[0]!.monoMs;
    expect(gap).toBe(300_000);
  });

  it.each([86_400_000, -86_400_000])("jumping by %d ms breaks no confirmation", async (jump) => {
    const time = virtualTime();
    const w = worldOf({ store: createMemoryStore(), time, sources: [scriptedSource(creeping(time))] });
    await w.loop.start();
    expect((await w.cycles(5)).decisions[0]?.reason).toBe("awaiting_confirmation");
    time.jumpWall(jump);
    const next = await w.cycle();
    expect(next.decisions[0]?.reason).toBe("confirmed");
    expect(next.decisions[0]?.verdicts[0]?.forecast?.slopePerSecond).toBeCloseTo(0.5, 6);
  });

  it.each([86_400_000, -86_400_000])(
    "jumping by %d ms while the sources answer costs that cycle at most",
    async (jump) => {
      const time = virtualTime();
      const climb = steep(time);
      let jumping = false;
      const source: MetricSource = {
        name: "scripted",
        observe: async ({ plan, now }) => {
          const answer = plan.map(() => ({
            status: "ok" as const,
            source: "scripted",
            value: climb(),
            timestampMs: now.wallMs,
          }));
          if (jumping) time.jumpWall(jump);
          return answer;
        },
      };
      const w = worldOf({
        store: createMemoryStore(),
        time,
        sources: [source],
        settings: { autoHeal: false },
      });
      await w.loop.start();
      await w.cycles(6);
      jumping = true;
      await w.cycle();
      jumping = false;
      const after = (await w.cycles(2)).decisions[0]?.verdicts[0]?.forecast;
      expect(after?.slopePerSecond).toBeCloseTo(20, 6);
      expect(after?.sampleCount).toBe(8);
    },
  );
});
