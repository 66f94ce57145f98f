import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManualClock, temporaryDirectory } from "../kit/kit.testkit.ts";
import { RegionControls } from "./controls.ts";
import { REGIONS } from "./regions.ts";
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

describe("taking a rate limit back", () => {
  it("ends it before its time, for the region alone, and says whether there was one", () => {
    const controls = open();
    controls.limit("us-east-1", 5, 60);
    controls.limit("sa-east-1", 6, 60);
    controls.isolate("us-east-1", 60);
    expect(controls.resetLimits(["us-east-1"])).toEqual(["us-east-1"]);
    expect(controls.resetLimits(["us-east-1"])).toEqual([]);
    expect([controls.rateLimit("us-east-1"), controls.rateLimit("sa-east-1")]).toEqual([100, 6]);
    expect(controls.isolatedSeconds("us-east-1")).toBe(60);
    clock.advance(60_000);
    expect(controls.resetLimits(REGIONS)).toEqual([]);
  });

  it("gives the region its default rate again", () => {
    const controls = open();
    controls.limit("us-east-1", 1, 60);
    expect(admitted(controls, 20)).toBe(1);
    controls.resetLimits(["us-east-1"]);
    clock.advance(1_000);
    expect(admitted(controls, 200)).toBe(100);
  });

  it("of every region at once undoes a limit of every region", () => {
    const controls = open();
    controls.limitAll(7, 60);
    expect(REGIONS.map((region) => controls.rateLimit(region))).toEqual([7, 7, 7, 7]);
    expect(controls.resetLimits(REGIONS)).toEqual([...REGIONS]);
    expect(REGIONS.map((region) => controls.rateLimit(region))).toEqual([100, 100, 100, 100]);
  });

  it.each([
    ["limiting", (controls: RegionControls) => controls.limitAll(7, 60), [3, 100]],
    ["taking back", (controls: RegionControls) => controls.resetLimits(REGIONS), [3, 100]],
  ])("%s is all or nothing when the disk refuses in the middle", (_, change, rates) => {
    open().limit("us-east-1", 3, 600);
    refuseWrites("sa-east-1");
    const controls = open();
    expect(() => change(controls)).toThrow(/no space/);
    expect([controls.rateLimit("us-east-1"), controls.rateLimit("eu-central-1")]).toEqual(rates);
    const again = open();
    expect([again.rateLimit("us-east-1"), again.rateLimit("eu-central-1")]).toEqual(rates);
  });
});

/** Makes SQLite refuse every change of a region's row, as a full disk would. */
function refuseWrites(region: "sa-east-1"): void {
  opened?.limit(region, 100, 600);
  opened?.close();
  opened = undefined;
  const db = new DatabaseSync(join(dir.path, "controls.sqlite"));
  for (const event of ["INSERT", "DELETE"]) {
    const row = event === "INSERT" ? "NEW" : "OLD";
    db.exec(
      `CREATE TRIGGER refuse_${event} BEFORE ${event} ON controls WHEN ${row}.region = '${region}' ` +
        "BEGIN SELECT RAISE(FAIL, 'no space'); END",
    );
  }
  db.close();
}

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

  it("a limit that was taken back stays taken back", () => {
    open().limitAll(7, 100);
    opened?.resetLimits(["us-east-1"]);
    const controls = open();
    expect([controls.rateLimit("us-east-1"), controls.rateLimit("sa-east-1")]).toEqual([100, 7]);
    controls.resetLimits(REGIONS);
    expect(open().rateLimit("sa-east-1")).toBe(100);
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
