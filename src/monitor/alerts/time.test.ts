import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTime } from "./time.ts";

/** What Alertmanager writes where it has no time. */
const ZERO_TIME_MS = -62_135_596_800_000;

describe("parseTime", () => {
  it("agrees with the calendar for every moment of the years 1 to 9999", () => {
    const moments = fc.integer({ min: ZERO_TIME_MS, max: Date.parse("9999-12-31T23:59:59.999Z") });
    fc.assert(
      fc.property(moments, (ms) => {
        const text = new Date(ms).toISOString();
        expect(parseTime(text)).toBe(ms);
      }),
    );
  });

  it.each([
    ["0001-01-01T00:00:00Z", ZERO_TIME_MS],
    ["1970-01-01T00:00:00Z", 0],
    ["2024-02-29T12:00:00.5Z", Date.parse("2024-02-29T12:00:00.500Z")],
    ["2026-11-21T17:29:04.123456789+03:00", Date.parse("2026-11-21T14:29:04.123Z")],
    ["2026-11-21T10:59:04-03:30", Date.parse("2026-11-21T14:29:04Z")],
    ["2026-11-21t14:29:04z", Date.parse("2026-11-21T14:29:04Z")],
  ])("%s", (text, ms) => {
    expect(parseTime(text)).toBe(ms);
  });

  it.each([
    "",
    "soon",
    "1700000000",
    "2026-11-21",
    "2026-11-21T14:29:04",
    "2026-11-21 14:29:04Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-11-21T24:00:00Z",
    "2026-11-21T14:60:00Z",
    "2026-12-31T23:59:60Z",
    "2026-11-21T14:29:04+24:00",
    "2026-11-21T14:29:04.Z",
    "+02026-11-21T14:29:04Z",
    "2026-11-21T14:29:04Z\n",
  ])("%j is no time", (text) => {
    expect(parseTime(text)).toBeUndefined();
  });
});
