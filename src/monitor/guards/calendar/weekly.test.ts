import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isoUtc } from "../../kernel/text.ts";
import { localMs, utcMs, weeklyAt } from "./weekly.ts";

const ms = fc.integer({ min: Date.UTC(1900, 0, 1), max: Date.UTC(2199, 11, 31) });

describe("utcMs, isoUtc and localMs", () => {
  it("agree with the platform's own calendar", () => {
    fc.assert(
      fc.property(ms, (at) => {
        const d = new Date(at);
        const whole = Math.floor(at / 1000) * 1000;
        const fields = {
          year: d.getUTCFullYear(),
          month: d.getUTCMonth() + 1,
          day: d.getUTCDate(),
          hour: d.getUTCHours(),
          minute: d.getUTCMinutes(),
          second: d.getUTCSeconds(),
        };
        expect(utcMs(fields)).toBe(whole);
        expect(localMs("UTC", at)).toBe(whole);
        expect(isoUtc(at)).toBe(`${d.toISOString().slice(0, 19)}Z`);
      }),
    );
  });

  it("tell every time of the calendar's first ten thousand years", () => {
    fc.assert(
      fc.property(fc.integer({ min: -62e12 + 1, max: 253e12 - 1 }), (at) => {
        expect(isoUtc(at)).toBe(`${new Date(at).toISOString().slice(0, 19)}Z`);
      }),
      { numRuns: 1000 },
    );
    for (const year of [4, 100, 400, 1900, 2000, 2024, 2100, 9984])
      for (const [month, day] of [
        [1, 28],
        [1, 29],
        [2, 1],
        [0, 1],
        [11, 31],
      ] as const) {
        const at = new Date(0).setUTCFullYear(year, month, day);
        if (at > -62e12) expect(isoUtc(at)).toBe(`${new Date(at).toISOString().slice(0, 19)}Z`);
      }
  });

  it("say unknown of what is no time, and refuse an unknown zone", () => {
    for (const at of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300])
      expect(isoUtc(at)).toBe("unknown");
    expect(() => localMs("Mars/Olympus", 0)).toThrow(RangeError);
  });
});

const MON = 1;
const window = (over: object) => ({
  days: [0, 1, 2, 3, 4, 5, 6],
  fromMinute: 22 * 60,
  toMinute: 2 * 60,
  timeZone: "UTC",
  ...over,
});
const utc = (text: string) => Date.parse(text);

describe("weeklyAt", () => {
  it.each([
    ["2026-03-02T21:59:59Z", false],
    ["2026-03-02T22:00:00Z", true],
    ["2026-03-03T01:59:59Z", true],
    ["2026-03-03T02:00:00Z", false],
    ["2026-03-03T22:30:00Z", false],
    ["2026-03-02T01:00:00Z", false],
  ])("a Monday night window holds %s: %s", (at, inside) => {
    const found = weeklyAt(window({ days: [MON] }), utc(at));
    expect(found !== undefined).toBe(inside);
    if (inside)
      expect(found).toEqual({ startMs: utc("2026-03-02T22:00:00Z"), endMs: utc("2026-03-03T02:00:00Z") });
  });

  it("follows the clocks of its zone, and the hour that daylight saving takes or gives", () => {
    const lisbon = window({ fromMinute: 0, toMinute: 240, timeZone: "Europe/Lisbon" });
    const hours = (at: string) => {
      const o = weeklyAt(lisbon, utc(at));
      return o === undefined ? undefined : (o.endMs - o.startMs) / 3_600_000;
    };
    expect(hours("2026-01-10T02:00:00Z")).toBe(4);
    expect(hours("2026-03-29T02:00:00Z")).toBe(3);
    expect(hours("2026-10-25T02:00:00Z")).toBe(5);
    const paulo = weeklyAt(
      window({ fromMinute: 60, toMinute: 120, timeZone: "America/Sao_Paulo" }),
      utc("2026-06-01T04:30:00Z"),
    );
    expect(paulo?.startMs).toBe(utc("2026-06-01T04:00:00Z"));
  });

  it("a whole day goes to midnight", () => {
    const day = window({ days: [MON], fromMinute: 0, toMinute: 1440 });
    expect(weeklyAt(day, utc("2026-03-02T23:59:59Z"))?.endMs).toBe(utc("2026-03-03T00:00:00Z"));
    expect(weeklyAt(day, utc("2026-03-03T00:00:00Z"))).toBeUndefined();
  });

  it("finds the same stretch at every moment of it, and none outside, in any zone", () => {
    const zone = fc.constantFrom(
      "UTC",
      "America/Sao_Paulo",
      "Europe/Berlin",
      "Asia/Kolkata",
      "Pacific/Auckland",
      "America/St_Johns",
    );
    const minute = fc.integer({ min: 0, max: 1439 });
    fc.assert(
      fc.property(
        zone,
        minute,
        minute,
        fc.subarray([0, 1, 2, 3, 4, 5, 6], { minLength: 1 }),
        fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) }),
        (timeZone, fromMinute, toMinute, days, at) => {
          fc.pre(fromMinute !== toMinute);
          const w = { timeZone, fromMinute, toMinute, days };
          const found = weeklyAt(w, at);
          if (found === undefined) return;
          expect(found.startMs).toBeLessThanOrEqual(at);
          expect(found.endMs).toBeGreaterThan(at);
          expect(weeklyAt(w, found.startMs)).toEqual(found);
          expect(weeklyAt(w, found.endMs - 1)).toEqual(found);
          expect(found.endMs - found.startMs).toBeLessThanOrEqual(25 * 3_600_000);
          expect(days).toContain(new Date(localMs(timeZone, found.startMs)).getUTCDay());
        },
      ),
      { numRuns: 300 },
    );
  });
});
