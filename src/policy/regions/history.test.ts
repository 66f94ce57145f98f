import { describe, expect, it } from "vitest";
import type { Instant } from "../../domain/time.ts";
import { chooseRegion, createRegionHistory, observeParts } from "./index.ts";
import {
  at,
  calm,
  flood,
  hand,
  live,
  type Phase,
  type SimulatedGateway,
  simulateGateway,
  T0,
  USUAL,
} from "./testbed.ts";

/** After twenty minutes of calm, three cycles of a flood of `sa`; `spoil` changes the last readings. */
function flooded(spoil: (gateway: SimulatedGateway, cycle: number) => void = () => {}) {
  const gateway = simulateGateway();
  const history = createRegionHistory();
  let second = 0;
  const run = (phase: Phase, each: (now: Instant) => void) => {
    for (let i = 0; i < phase.seconds; i++) {
      gateway.second(phase);
      second += 1;
      if (second % 30 === 0) each(at(second));
    }
  };
  run(calm, (now) => observeParts(history, gateway.reading(now), now));
  let cycle = 0;
  run(flood({ sa: 480 }, 90), (now) => {
    cycle += 1;
    spoil(gateway, cycle);
    observeParts(history, gateway.reading(now), now);
  });
  return { gateway, history, now: at(second) };
}

describe("what is not known decides nothing", () => {
  it("chooses with everything known", () => {
    const { history, now } = flooded();
    expect(chooseRegion(history, now)).toMatchObject({ region: "sa", rule: "flood" });
  });

  it("says so before there is any reading", () => {
    expect(chooseRegion(createRegionHistory(), T0)).toMatchObject({ rule: "no_reading" });
  });

  it("says so when the newest reading is too old", () => {
    const { history, now } = flooded();
    const later = { wallMs: now.wallMs + 121_000, monoMs: now.monoMs + 121_000 };
    expect(chooseRegion(history, later)).toMatchObject({
      rule: "reading_stale",
      none: /121 s old, limit 120 s/,
    });
  });

  it("says so when a region is left out, until it is forgotten", () => {
    const { history, gateway, now } = flooded();
    const readingAt = (s: number, without: string) => {
      const moment = { wallMs: now.wallMs + s * 1000, monoMs: now.monoMs + s * 1000 };
      const reading = gateway.reading(moment);
      if (reading.status !== "ok") throw new Error("no reading");
      const parts = reading.parts.filter(({ part }) => part !== without);
      observeParts(history, { ...reading, parts }, moment);
      return moment;
    };
    expect(chooseRegion(history, readingAt(30, "us"))).toMatchObject({ rule: "region_unknown", none: /us/ });
    for (let s = 60; s <= 600; s += 30) readingAt(s, "us");
    expect(chooseRegion(history, readingAt(630, "us")).rule).not.toBe("region_unknown");
  });

  it("takes nothing from a source without data, from a repeated reading or from one that names a region twice", () => {
    const { history, gateway, now } = flooded();
    const before = structuredClone([...history.regions]);
    observeParts(history, { status: "stale", source: "test", detail: "old" }, now);
    observeParts(history, gateway.reading(now), { wallMs: now.wallMs + 5000, monoMs: now.monoMs + 5000 });
    const next = { wallMs: now.wallMs + 30_000, monoMs: now.monoMs + 30_000 };
    const reading = gateway.reading(next);
    if (reading.status !== "ok") throw new Error("no reading");
    observeParts(history, { ...reading, parts: [...reading.parts, ...reading.parts] }, next);
    expect([...history.regions]).toEqual(before);
  });

  it("knows no rate over a restart of the gateway, and the usual rate still", () => {
    const { history, now } = flooded((gateway, cycle) => cycle === 3 && gateway.restart());
    const choice = chooseRegion(history, now);
    expect(choice).toMatchObject({ rule: "inbound_unknown" });
    expect(choice.regions.find(({ region }) => region === "sa")).toMatchObject({
      usual: expect.closeTo(20, 0),
    });
  });

  it("ignores a part that never had a backlog", () => {
    const world = hand();
    for (let i = 0; i <= 40; i++)
      world.step(30, [
        { part: "us", backlog: i > 37 ? (i - 37) * 300 : 0, inboundTotal: 600 * i },
        { part: "eu", backlog: i > 37 ? (i - 37) * 300 : 0, inboundTotal: 600 * i },
        { part: "unrouted", inboundTotal: i > 37 ? 90_000 * (i - 37) : 0 },
      ]);
    const choice = world.choose();
    expect(choice.region).toBeUndefined();
    expect(choice.regions.map(({ region }) => region)).toEqual(["us", "eu"]);
  });

  it("does not choose the only region", () => {
    const world = hand();
    for (let i = 0; i <= 40; i++)
      world.step(30, [{ part: "us", backlog: i * 100, inboundTotal: i > 37 ? i * 1e5 : i }]);
    expect(world.choose()).toMatchObject({ rule: "one_region" });
  });

  it("chooses none among more regions than it can hold", () => {
    const world = hand();
    for (let i = 0; i < 40; i++)
      world.step(
        30,
        Array.from({ length: 65 }, (_, n) => ({
          part: `r${n}`,
          backlog: n === 3 ? i * 900 : 0,
          inboundTotal: i * 10,
        })),
      );
    expect(world.choose()).toMatchObject({ rule: "too_many_regions", none: /65 regions, at most 64/ });
    expect(world.history.regions.size).toBe(64);
  });

  it("does not choose a region that has no past", () => {
    const world = hand();
    for (let i = 0; i <= 42; i++) {
      const old = ["us", "eu"].map((part) => ({ part, backlog: 0, inboundTotal: 600 * i }));
      const fresh =
        i < 40 ? [] : [{ part: "new", backlog: (i - 39) * 9000, inboundTotal: (i - 40) * 12_000 }];
      world.step(30, [...old, ...fresh]);
    }
    expect(world.choose()).toMatchObject({ rule: "no_past", none: /new has most backlog and no past/ });
  });

  it("is not misled by one reading that jumps", () => {
    const world = hand();
    for (let i = 0; i <= 40; i++) {
      const jump = i === 40 ? 1e6 : 0;
      world.step(
        30,
        ["us", "eu"].map((part) => ({
          part,
          backlog: part === "us" && i === 40 ? 500 : 0,
          inboundTotal: 600 * i + (part === "us" ? jump : 0),
        })),
      );
    }
    expect(world.choose().region).toBeUndefined();
  });

  it("takes no rate over a change of source", () => {
    const world = hand();
    for (let i = 0; i <= 44; i++) {
      const source = i < 42 ? "a" : "b";
      const shift = source === "b" ? 1e6 : 0;
      world.step(
        30,
        ["us", "eu"].map((part) => ({
          part,
          backlog: 50,
          inboundTotal: 600 * i + (part === "us" ? shift : 0),
        })),
        { source },
      );
    }
    for (const { times } of world.choose().regions) expect(times).toBeCloseTo(1, 3);
  });
});

describe("what is usual", () => {
  it("is not learned from the flood, and is when that has lasted hours", () => {
    const usualAfter = (seconds: number) =>
      live([{ ...calm, seconds: 7200 }, flood({ sa: 480 }, seconds)]).regions.find(
        ({ region }) => region === "sa",
      )?.usual;
    expect(usualAfter(600)).toBeCloseTo(20, 0);
    expect(usualAfter(3 * 3600)).toBeCloseTo(20, 0);
    expect(usualAfter(6 * 3600)).toBeCloseTo(480, 0);
  });

  it("survives an outage of the region: its return is no flood", () => {
    const choice = live([calm, flood({ sa: 0 }, 900), { ...calm, seconds: 120, capacity: 70 }]);
    expect(choice).toMatchObject({ rule: "backlog_shared" });
  });

  it("follows a slow change", () => {
    const days: Phase[] = Array.from({ length: 48 }, (_, i) => ({
      ...calm,
      seconds: 1800,
      arrivals: { ...USUAL, us: 20 * 3 ** Math.sin((i / 48) * 2 * Math.PI) },
    }));
    expect(live(days, { cycleS: 30 }).regions.every(({ flooding }) => !flooding)).toBe(true);
  });
});
