import { describe, expect, it } from "vitest";
import { decisionOf, reportOf } from "../report.testkit.ts";
import type { Overview } from "../status.ts";
import { type Frame, PageFeed } from "./feed.ts";

function setup() {
  const parts: Record<string, unknown> = { mode: "auto", guards: { paused: null } };
  const feed = new PageFeed({
    cycleMs: () => 30_000,
    overview: () => parts as unknown as Overview,
    run: "7",
  });
  const frames: Frame[] = [];
  return { feed, parts, frames, hear: () => feed.subscribe((frame) => void frames.push(frame)) };
}

let cycle = 0;
const twoOf = (current: number) =>
  reportOf({
    at: { wallMs: 30_000 * ++cycle, monoMs: 0 },
    decisions: [decisionOf({ current: 100 }), decisionOf({ signal: "memory", current })],
  });

const read = (frame: Frame | undefined) => JSON.parse(frame?.data ?? "null");

describe("the fleet", () => {
  it("has every series with its row, a small line a target, and the parts of the status", () => {
    const { feed } = setup();
    expect(feed.fleet()).toMatchObject({ series: [], sparks: {} });
    feed.cycle(twoOf(600));
    feed.cycle(twoOf(900));
    const fleet = feed.fleet();
    expect(fleet.series).toHaveLength(2);
    expect(Object.fromEntries(fleet.row.map((name, i) => [name, fleet.series[1]?.row[i]]))).toEqual({
      ...{
        current: 900,
        at_least: false,
        forecast: 6500,
        probability: 1,
        rank: 122,
        state: "acting",
        until: null,
      },
      detail: "acting: forecast to reach 6500, over the hard limit 5000",
    });
    expect(fleet.sparks).toEqual({ "product-api": [200, 300] });
    expect(fleet.parts).toEqual({ mode: "auto", guards: { paused: null } });
    expect(() => JSON.stringify(fleet)).not.toThrow();
  });
});

describe("what is told to those who follow", () => {
  it("is what changed, and nothing else", () => {
    const { feed, frames, parts, hear } = setup();
    feed.cycle(twoOf(600));
    hear();
    feed.cycle(twoOf(600));
    // Nothing was known of what they know: everything is told once.
    expect(read(frames.at(-1)).rows.map(([i]: [number]) => i)).toEqual([0, 1]);
    expect(Object.keys(read(frames.at(-1)).parts)).toEqual(["mode", "guards"]);
    feed.cycle(twoOf(700));
    const third = read(frames.at(-1));
    expect([third.cycle, third.parts, third.rows.map((row: unknown[]) => row.slice(0, 2))]).toEqual([
      true,
      {},
      [[1, 700]],
    ]);
    parts.guards = { paused: { by: "ana" } };
    feed.refresh();
    expect(read(frames.at(-1))).toEqual({
      cycle: false,
      rows: [],
      parts: { guards: { paused: { by: "ana" } } },
    });
    expect(frames.map((f) => f.event)).toEqual(["delta", "delta", "delta"]);
  });

  it("costs nothing while nobody follows", () => {
    let asked = 0;
    const feed = new PageFeed({
      cycleMs: () => 30_000,
      overview: () => ({ asked: ++asked }) as unknown as Overview,
      run: "7",
    });
    feed.cycle(twoOf(1));
    feed.cycle(twoOf(2));
    feed.refresh();
    expect(asked).toBe(0);
  });

  it("is void when the series are others", () => {
    const { feed, frames, hear } = setup();
    feed.cycle(twoOf(1));
    hear();
    feed.cycle(twoOf(2));
    feed.cycle(reportOf({ decisions: [decisionOf()] }));
    feed.cycle(reportOf({ decisions: [decisionOf({ slo: 400 })] }));
    expect(frames.map((f) => f.event)).toEqual(["delta", "reset", "reset"]);
    feed.cycle(reportOf({ decisions: [decisionOf({ slo: 400 })] }));
    expect(read(frames.at(-1)).rows).toHaveLength(1);
  });

  it("is kept for a while for those who come back", () => {
    const { feed, hear } = setup();
    feed.cycle(twoOf(0));
    const start = String(feed.fleet().id);
    expect(feed.since(start)).toEqual([]);
    feed.cycle(twoOf(1));
    // Nobody followed: what came since is not known.
    expect(feed.since(start)).toBeUndefined();
    const stop = hear();
    const from = String(feed.fleet().id);
    for (let i = 2; i < 5; i++) feed.cycle(twoOf(i));
    expect(feed.since(from)?.map((f) => f.id)).toEqual(["7-3", "7-4", "7-5"]);
    expect(feed.since("7-4")).toHaveLength(1);
    expect(feed.since("6-4")).toBeUndefined();
    expect(feed.since("sampleProblem")).toBeUndefined();
    for (let i = 5; i < 40; i++) feed.cycle(twoOf(i));
    expect(feed.since(from)).toBeUndefined();
    expect(feed.since(String(feed.fleet().id))).toEqual([]);
    stop();
    feed.cycle(twoOf(50));
    expect(feed.since("7-40")).toBeUndefined();
  });
});

describe("the past", () => {
  it("is told of one target, of one signal, and only what is new", () => {
    const { feed } = setup();
    for (const value of [1, 2, 3]) feed.cycle(twoOf(value));
    const all = feed.series({ target: "product-api", after: -1 }) as {
      newest: number;
      series: { metric: string; observed: number[] }[];
    };
    expect(all.newest).toBe(2);
    expect(all.series.map((s) => [s.metric, s.observed])).toEqual([
      ["p95_latency", [100, 100, 100]],
      ["memory", [1, 2, 3]],
    ]);
    expect(feed.series({ target: "product-api", signal: "memory", after: 1 })).toMatchObject({
      series: [
        {
          metric: "memory",
          cycle: [2],
          observed: [3],
          trend: [null],
          decision: ["pre_timeout"],
          acted: [true],
        },
      ],
    });
    expect(feed.series({ target: "nobody", after: -1 })).toBeUndefined();
    expect(feed.series({ target: "product-api", signal: "nothing", after: -1 })).toBeUndefined();
  });
});
