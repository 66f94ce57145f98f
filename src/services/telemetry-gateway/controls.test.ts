import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManualClock, temporaryDirectory } from "../kit/test-harness.ts";
import { RegionControls } from "./controls.ts";
import { TokenBucket } from "./token-bucket.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let clock: ManualClock;
let opened: RegionControls | undefined;
beforeEach(() => {
  dir = temporaryDirectory();
  clock = new ManualClock();
});
afterEach(() => {
  opened?.close();
  opened = undefined;
  dir.remove();
});

function open(): RegionControls {
  opened?.close();
  opened = new RegionControls({ file: join(dir.path, "controls.sqlite"), clock, defaultPerSecond: 100 });
  return opened;
}
function admitted(
  controls: RegionControls,
  count: number,
  region: "us-east-1" | "sa-east-1" = "us-east-1",
): number {
  let taken = 0;
  for (let index = 0; index < count; index += 1) if (controls.admit(region) === undefined) taken += 1;
  return taken;
}

describe("TokenBucket", () => {
  it("gives a second's worth at once, then the rate, and tells how long to wait", () => {
    const bucket = new TokenBucket({ perSecond: 2, nowMs: 0 });
    expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([0, 0, 500]);
    expect([bucket.take(499) > 0, bucket.take(500), bucket.take(500)]).toEqual([true, 0, 500]);
    expect([bucket.take(60_000), bucket.take(60_000), bucket.take(60_000)]).toEqual([0, 0, 500]);
  });

  it("serves rates below one a second", () => {
    const bucket = new TokenBucket({ perSecond: 0.1, nowMs: 0 });
    expect([bucket.take(0), bucket.take(0), bucket.take(9_999) > 0, bucket.take(10_001)]).toEqual([
      0,
      10_000,
      true,
      0,
    ]);
  });

  it("does not keep a burst that a lower rate forbids", () => {
    const bucket = new TokenBucket({ perSecond: 1_000, nowMs: 0 });
    bucket.setRate(1, 0);
    expect([bucket.take(0), bucket.take(0)]).toEqual([0, 1_000]);
  });
});

describe("rate limits", () => {
  it("hold for the region alone, tell when to come again, and expire by themselves", () => {
    const controls = open();
    controls.limit("us-east-1", 5, 60);
    expect(controls.rateLimit("us-east-1")).toBe(5);
    expect(admitted(controls, 20)).toBe(5);
    expect(controls.admit("us-east-1")).toEqual({ reason: "limited", retryAfterS: 1 });
    expect(admitted(controls, 20, "sa-east-1")).toBe(20);
    clock.advance(59_999);
    expect(controls.rateLimit("us-east-1")).toBe(5);
    clock.advance(1);
    expect(controls.rateLimit("us-east-1")).toBe(100);
    admitted(controls, 200);
    clock.advance(1_000);
    expect(admitted(controls, 200)).toBe(100);
  });
});

describe("isolation", () => {
  it("refuses the region alone until it expires or is released", () => {
    const controls = open();
    controls.isolate("us-east-1", 30);
    expect(controls.admit("us-east-1")).toEqual({ reason: "isolated", retryAfterS: 30 });
    expect(controls.admit("sa-east-1")).toBeUndefined();
    clock.advance(10_000);
    expect(controls.isolatedSeconds("us-east-1")).toBe(20);
    clock.advance(20_000);
    expect([controls.isolatedSeconds("us-east-1"), controls.admit("us-east-1")]).toEqual([0, undefined]);
    controls.isolate("us-east-1", 30);
    expect([controls.release("us-east-1"), controls.release("us-east-1")]).toEqual([true, false]);
    expect(controls.admit("us-east-1")).toBeUndefined();
  });

  it("a later call replaces the time", () => {
    const controls = open();
    controls.isolate("us-east-1", 3_000);
    controls.isolate("us-east-1", 3);
    clock.advance(3_000);
    expect(controls.isolatedSeconds("us-east-1")).toBe(0);
  });
});

describe("a restart", () => {
  it("keeps what has not expired, and goes on counting while the process is down", () => {
    open().isolate("us-east-1", 100);
    opened?.limit("sa-east-1", 7, 50);
    clock.advance(40_000);
    const controls = open();
    expect([controls.isolatedSeconds("us-east-1"), controls.rateLimit("sa-east-1")]).toEqual([60, 7]);
    clock.advance(10_000);
    expect(controls.rateLimit("sa-east-1")).toBe(100);
    clock.advance(50_000);
    expect(open().isolatedSeconds("us-east-1")).toBe(0);
  });

  it("a released region stays released", () => {
    open().isolate("us-east-1", 100);
    opened?.release("us-east-1");
    expect(open().isolatedSeconds("us-east-1")).toBe(0);
  });

  it("never prolongs what was granted, even when the wall clock was set back a day", () => {
    open().isolate("us-east-1", 100);
    clock.wall -= 86_400_000;
    expect(open().isolatedSeconds("us-east-1")).toBe(100);
  });

  it("while running, the wall clock does not matter", () => {
    const controls = open();
    controls.isolate("us-east-1", 100);
    clock.wall += 86_400_000;
    expect(controls.isolatedSeconds("us-east-1")).toBe(100);
  });
});
