import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loopSettings } from "../../app/wiring.ts";
import { loadConfig } from "../../config/load.ts";
import { createLoop } from "../../cycle/tick.ts";
import type { Observation } from "../../kernel/observation.ts";
import type { Target } from "../../kernel/target.ts";
import type { Clock } from "../../kernel/time.ts";
import { createMemoryStore } from "../../store/memory/index.ts";
import type { History } from "../input/history.ts";
import { type GivenSeries, historyOf, ramp, targetNamed } from "../replay.testkit.ts";
import { type GuardScope, type ReplayedAction, replay, silenceMs } from "./engine.ts";

const MAX_AGE_MS = 90_000;

const loaded = loopSettings(loadConfig({ file: undefined, env: {}, flags: {} }));
/** The daemon's defaults over these targets; many ramp at once here, which is no storm. */
const DEFAULTS = {
  ...loaded,
  guards: { ...loaded.guards, storm: { ...loaded.guards.storm, minTargets: 1000 } },
};
const settingsFor = (targets: readonly Target[]) => ({ ...DEFAULTS, targets });

function run(history: History, targets: readonly Target[], guards: GuardScope = "all") {
  return replay({
    history,
    targets,
    guards,
    maxSampleAgeMs: MAX_AGE_MS,
    ports: { openStore: (clock) => createMemoryStore({ clock }), settingsFor },
  });
}

const when = (actions: readonly ReplayedAction[]) =>
  actions.map((a) => `${a.atMs / 1000} ${a.target}/${a.signal} ${a.reason}`);

/** The same samples given live: one tick each cycle, the samples handed over as they come. */
async function live(
  given: readonly GivenSeries[],
  targets: readonly Target[],
  endS: number,
): Promise<string[]> {
  const acted: string[] = [];
  let nowMs = 0;
  const clock: Clock = { bootId: "live", now: () => ({ wallMs: nowMs, monoMs: nowMs + 5e6 }) };
  const latest = new Map<string, Observation>();
  const forever = new AbortController().signal;
  let n = 0;
  const outcome = { status: "applied", httpStatus: 200, detail: "", durationMs: 1, answer: {} } as const;
  const loop = createLoop(
    {
      clock,
      sources: [
        {
          name: "live",
          observe: async ({ plan }) =>
            plan.map((s) => {
              const o = latest.get(`${s.target.name}/${s.signal.name}`);
              if (o === undefined) return { status: "missing", source: "live", detail: "" };
              if (o.status === "ok" && nowMs - o.timestampMs > MAX_AGE_MS)
                return { status: "stale", source: "live", detail: "" };
              return o;
            }),
        },
      ],
      store: createMemoryStore({ clock }),
      actions: new Map([
        [
          "mitigate",
          {
            kind: "mitigate",
            execute: async (_i, instance) => ({ ...outcome, instance: instance.name }),
            reconcile: async (_i, instance) => ({ ...outcome, instance: instance.name }),
          },
        ],
      ]),
      reporter: {
        cycle() {},
        action: ({ decision }) =>
          acted.push(`${nowMs / 1000} ${decision?.target}/${decision?.signal} ${decision?.reason}`),
        reconciled() {},
        notice() {},
      },
      newId: () => `id-${++n}`,
      deadline: () => forever,
    },
    settingsFor(targets),
  );
  await loop.start();
  const arrivals = given
    .flatMap(({ target, signal = "p95_latency", samples }) =>
      samples.map(([t, value]) => ({ t, key: `${target}/${signal}`, value })),
    )
    .sort((a, b) => a.t - b.t);
  const startS = arrivals[0]?.t ?? 0;
  for (let t = startS; t < endS + 30; t += 30) {
    nowMs = t * 1000;
    while (arrivals[0] !== undefined && arrivals[0].t <= t) {
      const { key, value, t: at } = arrivals.shift() as (typeof arrivals)[number];
      latest.set(
        key,
        Number.isFinite(value)
          ? { status: "ok", source: "live", value, timestampMs: at * 1000 }
          : { status: "missing", source: "live", detail: "" },
      );
    }
    await loop.tick();
  }
  return acted;
}

describe("replay", () => {
  test("takes an action on a ramp, holds through the cooldown, and acts again", async () => {
    const history = historyOf([
      { target: "a", samples: ramp({ fromS: 1000, count: 80, rampAt: 20, perStep: 40 }) },
    ]);
    const actions = await run(history, [targetNamed("a")]);
    expect(actions.length).toBeGreaterThanOrEqual(2);
    const [first, second] = actions as [ReplayedAction, ReplayedAction];
    expect(first.atMs).toBeGreaterThan((1000 + 20 * 30) * 1000);
    expect(second.atMs - first.atMs).toBeGreaterThanOrEqual(300_000);
    expect(first.forecast).toBeGreaterThan(300);
    expect(first.probability).toBeGreaterThan(0);
    expect(["pre_timeout", "strong", "confirmed"]).toContain(first.reason);
  });

  test("gives the same actions as the same samples given live, tick by tick", async () => {
    const step = fc.oneof(
      { weight: 12, arbitrary: fc.integer({ min: -40, max: 70 }) },
      { weight: 1, arbitrary: fc.constant<"missing" | "no row">("missing") },
      { weight: 1, arbitrary: fc.constant<"missing" | "no row">("no row") },
    );
    const walk = fc.array(step, { minLength: 20, maxLength: 90 });
    let acted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(walk, { minLength: 1, maxLength: 3 }), async (walks) => {
        const given = walks.map((steps, i): GivenSeries => {
          let level = 150;
          const samples = steps.flatMap((s, k): [number, number][] => {
            if (typeof s === "number") level = Math.max(0, level + s);
            const atS = 500 + 30 * k;
            return s === "no row" ? [] : [[atS, s === "missing" ? Number.NaN : level]];
          });
          return { target: `t${i}`, samples };
        });
        const values = given.flatMap((g) => g.samples.filter(([, v]) => Number.isFinite(v)).map(([t]) => t));
        // The loop starts at the first value that is there.
        const firstS = Math.min(...values);
        const heard = given.map((g) => ({ ...g, samples: g.samples.filter(([t]) => t >= firstS) }));
        const targets = given.map((g) => targetNamed(g.target));
        const got = when(await run(historyOf(given), targets));
        acted += got.length;
        // Of one cycle the most urgent comes first; the replay has them in the order of the series.
        const told = await live(heard, targets, Math.max(...values));
        expect(got.toSorted()).toEqual(told.toSorted());
      }),
      { numRuns: 150, seed: 20260105 },
    );
    expect(acted).toBeGreaterThan(50);
  });

  test("is the same every time, whatever the order of the series in the input", async () => {
    const given: GivenSeries[] = [0, 1, 2, 3].map((i) => ({
      target: `t${i}`,
      samples: ramp({ fromS: 3 * i, count: 60, rampAt: 15 + i, perStep: 30 + i }),
    }));
    const targets = given.map((g) => targetNamed(g.target));
    const first = await run(historyOf(given), targets);
    expect(first.length).toBeGreaterThan(0);
    expect(await run(historyOf(given), targets)).toEqual(first);
    expect(await run(historyOf(given.toReversed()), targets.toReversed())).toEqual(first);
  });

  test("per-target is each target as if it were alone", async () => {
    const given: GivenSeries[] = [0, 1, 2].map((i) => ({
      target: `t${i}`,
      samples: ramp({ fromS: 11 * i, count: 70, rampAt: 20, perStep: 25 + 5 * i }),
    }));
    given.push({
      target: "t0",
      signal: "memory",
      samples: ramp({ fromS: 4, count: 70, rampAt: 30, perStep: 60 }),
    });
    const targets = [targetNamed("t0", ["p95_latency", "memory"]), targetNamed("t1"), targetNamed("t2")];
    const together = await run(historyOf(given), targets, "per-target");
    const alone = await Promise.all(
      targets.map((t) => run(historyOf(given.filter((g) => g.target === t.name)), [t], "all")),
    );
    expect(together.length).toBeGreaterThan(3);
    expect(when(together)).toEqual(
      when(alone.flat()).toSorted((a, b) => Number.parseFloat(a) - Number.parseFloat(b) || (a < b ? -1 : 1)),
    );
  });

  test("targets that come and go are watched while they have something to say, near or far in time", async () => {
    const dayS = 86_400;
    const given = Array.from(
      { length: 12 },
      (_, i): GivenSeries => ({
        target: `t${i}`,
        samples: ramp({ fromS: i < 6 ? 900 * i : 40 * dayS * i, count: 60, rampAt: 25, perStep: 40 }),
      }),
    );
    const targets = given.map((g) => targetNamed(g.target));
    const together = await run(historyOf(given), targets);
    const alone = await run(historyOf(given), targets, "per-target");
    expect(new Set(together.map((a) => a.target)).size).toBe(12);
    expect(when(together)).toEqual(when(alone));
  });

  test("a cooldown holds over a silence that is skipped only in part", async () => {
    const before = ramp({ fromS: 0, count: 40, rampAt: 20, perStep: 40 });
    const rising = (fromS: number) =>
      Array.from({ length: 30 }, (_, i): [number, number] => [fromS + 30 * i, 200 + 60 * i]);
    const alone = await run(historyOf([{ target: "a", samples: before }]), [targetNamed("a")]);
    const lastMs = alone.at(-1)?.atMs as number;
    expect(lastMs).toBeGreaterThan(0);
    const target = { ...targetNamed("a"), cooldownMs: 3_600_000 };
    const longCooldown = await run(historyOf([{ target: "a", samples: [...before, ...rising(2400)] }]), [
      target,
    ]);
    expect(longCooldown).toHaveLength(1);
    const over = await run(historyOf([{ target: "a", samples: [...before, ...rising(7200)] }]), [target]);
    expect(over).toHaveLength(2);
  });

  test("stale, missing and negative values never make an action", async () => {
    const wild = (value: (i: number) => number) =>
      historyOf([
        { target: "a", samples: Array.from({ length: 60 }, (_, i): [number, number] => [30 * i, value(i)]) },
      ]);
    const a = [targetNamed("a")];
    expect(
      await run(
        wild(() => Number.NaN),
        a,
      ),
    ).toEqual([]);
    expect(
      await run(
        wild((i) => -1000 - 100 * i),
        a,
      ),
    ).toEqual([]);
    expect(
      await run(
        wild((i) => (i % 2 === 0 ? 100 : Number.NaN)),
        a,
      ),
    ).toEqual([]);
    expect(
      (
        await run(
          wild((i) => 100 + 40 * i),
          a,
        )
      ).length,
    ).toBeGreaterThan(0);
  });

  test("stops where it is told to, and tells how far it is", async () => {
    const history = historyOf([
      { target: "a", samples: ramp({ fromS: 0, count: 30_000, rampAt: 1e9, perStep: 0 }) },
    ]);
    const told: number[] = [];
    const stopped = replay({
      history,
      targets: [targetNamed("a")],
      guards: "all",
      maxSampleAgeMs: MAX_AGE_MS,
      ports: {
        openStore: (clock) => createMemoryStore({ clock }),
        settingsFor,
        breathe: async ({ ticksDone, ticks }) => {
          expect(ticks).toBe(30_000);
          told.push(ticksDone);
          if (told.length === 2) throw new Error("enough");
        },
      },
    });
    await expect(stopped).rejects.toThrow("enough");
    expect(told[0]).toBeGreaterThan(0);
    expect(told[1]).toBeLessThan(30_000);
  });

  test("unrelated targets that turn at risk together are a storm in one loop, and none target by target", async () => {
    const names = ["a", "b", "c", "d"];
    const samples = ramp({ fromS: 0, count: 60, rampAt: 20, perStep: 20 });
    const history = historyOf(names.map((target) => ({ target, samples })));
    const acted = async (guards: GuardScope) => {
      const actions = await replay({
        history,
        targets: names.map((name) => targetNamed(name)),
        guards,
        maxSampleAgeMs: MAX_AGE_MS,
        ports: {
          openStore: (clock) => createMemoryStore({ clock }),
          settingsFor: (targets) => ({ ...loaded, targets }),
        },
      });
      return new Set(actions.map((a) => a.target)).size;
    };
    expect(await acted("all")).toBeLessThan(names.length);
    expect(await acted("per-target")).toBe(names.length);
  });

  test("a silence is followed until every sample is stale", () => {
    expect(silenceMs(30_000, 90_000)).toBe(300_000);
    expect(silenceMs(2000, 60_000)).toBe(64_000);
  });
});
