import { describe, expect, it } from "vitest";
import type { Instant } from "../../kernel/time.ts";
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
} from "./regions.testkit.ts";

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
    expect(chooseRegion(createRegionHistory(), T0)).toMatchObject({
      rule: "unknown",
      none: "no reading of the regions yet",
    });
  });

  it("says so when the newest reading is too old", () => {
    const { history, now } = flooded();
    const later = { wallMs: now.wallMs + 121_000, monoMs: now.monoMs + 121_000 };
    expect(chooseRegion(history, later)).toMatchObject({
      rule: "unknown",
      none: expect.stringMatching(/121 s old, limit 120 s/),
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
    expect(chooseRegion(history, readingAt(30, "us"))).toMatchObject({
      rule: "unknown",
      none: "backlog of us is not known now",
    });
    for (let s = 60; s <= 600; s += 30) readingAt(s, "us");
    expect(chooseRegion(history, readingAt(630, "us"))).toMatchObject({ rule: "none_stands_out" });
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

  it("takes nothing from a reading of a clock that is hours off", () => {
    const { history, gateway, now } = flooded();
    const before = structuredClone([...history.regions]);
    const next = { wallMs: now.wallMs + 30_000, monoMs: now.monoMs + 30_000 };
    const reading = gateway.reading(next);
    if (reading.status !== "ok") throw new Error("no reading");
    for (const offMs of [-3_600_001, 3_600_001, Number.NaN])
      observeParts(history, { ...reading, timestampMs: next.wallMs + offMs }, next);
    expect([...history.regions]).toEqual(before);
    observeParts(history, { ...reading, timestampMs: next.wallMs - 1000 }, next);
    expect([...history.regions]).not.toEqual(before);
  });

  it("knows no rate over minutes in which a region's count was not shown, though its backlog was", () => {
    const world = hand();
    for (let i = 0; i <= 50; i++)
      world.step(
        30,
        ["us", "sa"].map((part) => ({
          part,
          backlog: part === "sa" ? 40 * Math.max(0, i - 40) : 0,
          ...(part === "sa" && i > 40 && i < 50 ? {} : { inboundTotal: 600 * i }),
        })),
      );
    expect(world.choose()).toMatchObject({
      rule: "unknown",
      none: expect.stringMatching(/^sa has .* what comes in is not known$/),
    });
    for (const n of [1, 2])
      world.step(
        30,
        ["us", "sa"].map((part) => ({
          part,
          backlog: part === "sa" ? 400 + 40 * n : 0,
          inboundTotal: 600 * (50 + n),
        })),
      );
    expect(world.choose().regions.find(({ region }) => region === "sa")).toMatchObject({ inbound: 20 });
  });

  it("knows no rate over a restart of the gateway, and the usual rate still", () => {
    const { history, now } = flooded((gateway, cycle) => cycle === 3 && gateway.restart());
    const choice = chooseRegion(history, now);
    expect(choice).toMatchObject({
      rule: "unknown",
      none: expect.stringMatching(/^sa has .* what comes in is not known$/),
    });
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
    expect(choice.regions.map(({ region }) => region)).toEqual(["eu", "us"]);
  });

  it("does not choose the only region", () => {
    const world = hand();
    for (let i = 0; i <= 40; i++)
      world.step(30, [{ part: "us", backlog: i * 100, inboundTotal: i > 37 ? i * 1e5 : i }]);
    expect(world.choose()).toMatchObject({
      rule: "none_stands_out",
      none: expect.stringMatching(/^us is the only region/),
    });
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
    expect(world.choose()).toMatchObject({
      rule: "unknown",
      none: expect.stringMatching(/65 regions, at most 64/),
    });
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
    expect(world.choose()).toMatchObject({
      rule: "unknown",
      none: expect.stringMatching(
        /^new has most backlog \(.*\), but no past to compare inbound [\d.]+\/s with$/,
      ),
    });
  });

  it("says so when no part has a backlog", () => {
    const world = hand();
    for (let i = 0; i <= 3; i++)
      world.step(
        30,
        ["us", "eu"].map((part) => ({ part, inboundTotal: 600 * i })),
      );
    expect(world.choose()).toEqual({
      rule: "unknown",
      none: "no region with a backlog is shown",
      regions: [],
    });
  });

  it("takes regions whose counters began again for none that have lost their traffic to another", () => {
    const gateway = simulateGateway();
    const history = createRegionHistory();
    const usual = { us: 60, eu: 60, sa: 60, west: 60 };
    for (let second = 1; second <= 1290; second++) {
      gateway.second({ arrivals: { ...usual, sa: second > 1200 ? 240 : 60 }, capacity: 250 });
      if (second === 1270) gateway.restart(["us", "eu", "west"]);
      if (second % 30 === 0) observeParts(history, gateway.reading(at(second)), at(second));
    }
    const choice = chooseRegion(history, at(1290));
    expect(choice).toMatchObject({ region: "sa", rule: "flood" });
    expect(choice.regions.filter(({ inbound }) => inbound !== undefined).map((r) => r.region)).toEqual([
      "sa",
    ]);
  });

  it.each(["eu", "us"])(
    "does not call eu stalled while it is not known what leaves %s now, and does when it is",
    (without) => {
      const stall: Phase = { ...calm, arrivals: { ...USUAL, us: 60 }, downstream: { eu: 0 } };
      const gateway = simulateGateway();
      const history = createRegionHistory();
      let second = 0;
      const choiceAfter = (phase: Phase, left?: string) => {
        for (let i = 0; i < phase.seconds; i++, second++) gateway.second(phase);
        const reading = gateway.reading(at(second));
        if (reading.status !== "ok") throw new Error("no reading");
        const parts = reading.parts.map(({ backlog, ...part }) =>
          part.part === left || backlog === undefined ? part : { ...part, backlog },
        );
        observeParts(history, { ...reading, parts }, at(second));
        return chooseRegion(history, at(second));
      };
      const cycle = { seconds: 30 };
      for (let n = 0; n < 40; n++) choiceAfter({ ...calm, ...cycle, arrivals: stall.arrivals });
      for (let n = 0; n < 4; n++) choiceAfter({ ...stall, ...cycle });
      expect(choiceAfter({ ...stall, ...cycle })).toMatchObject({ region: "eu", rule: "stalled" });
      expect(choiceAfter({ ...stall, ...cycle }, without)).toMatchObject({
        rule: "unknown",
        none: `backlog of ${without} is not known now`,
      });
      const choice = choiceAfter({ ...stall, ...cycle });
      expect(choice.region).toBeUndefined();
      expect(choice.regions.filter((r) => r.outbound === undefined).map((r) => r.region)).toEqual([without]);
      expect(choiceAfter({ ...stall, ...cycle })).toMatchObject({ region: "eu", rule: "stalled" });
    },
  );

  it("gives no share of a backlog that has just gone to nothing", () => {
    const world = hand();
    let seconds = 0;
    const step = (by: number, backlog: number | undefined) => {
      seconds += by;
      world.step(by, [
        { part: "us", backlog: 0, inboundTotal: 20 * seconds },
        { part: "sa", inboundTotal: 20 * seconds, ...(backlog === undefined ? {} : { backlog }) },
      ]);
    };
    for (let i = 0; i < 40; i++) step(30, 0);
    step(30, undefined);
    step(30, 0);
    step(1, 3000);
    step(30, 0);
    expect(world.choose()).toMatchObject({
      rule: "none_stands_out",
      none: expect.stringMatching(
        /^sa has most backlog \(backlog 0 of 0, growing [\d.]+\/s\), but neither floods .*inbound 20\/s of its usual 20\/s/,
      ),
    });
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
    expect(choice).toMatchObject({
      rule: "none_stands_out",
      none: expect.stringMatching(/ has most backlog .* but neither floods /),
    });
  });

  it("of a region that was silent is not known before five minutes: it may send now and then", () => {
    const silent = (cycles: number) => {
      const world = hand();
      for (let i = 0; i <= cycles; i++)
        world.step(30, [
          { part: "us", backlog: 0, inboundTotal: 600 * i },
          { part: "sa", backlog: 0, inboundTotal: 7 },
        ]);
      return Object.fromEntries(world.choose().regions.map(({ region, usual }) => [region, usual]));
    };
    expect(silent(9)).toEqual({ us: 20, sa: undefined });
    expect(silent(12)).toEqual({ us: 20, sa: 0 });
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
